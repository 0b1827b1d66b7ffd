// The key of the pseudonyms: made once, private, never silently another one.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/shell/pseudonym_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[32], path[64];
static struct problem problem;

static void begin(void) {
    strcpy(folder, "/tmp/tresen-key-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
}

static void end(void) {
    unlink(path);
    rmdir(folder);
}

static void put(const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

TestSuite(pseudonym_key, .init = begin, .fini = end);

Test(pseudonym_key, is_made_once_and_private) {
    uint8_t first[PSEUDONYM_KEY_SIZE], second[PSEUDONYM_KEY_SIZE];
    cr_assert(eq(int, pseudonym_key_load(path, first, &problem), ERR_NONE));
    cr_assert(eq(int, pseudonym_key_load(path, second, &problem), ERR_NONE));
    cr_assert_arr_eq(first, second, sizeof first);
    struct stat status;
    stat(path, &status);
    cr_assert(eq(u32, status.st_mode & 0777, 0600));
}

// All gateways of a machine start at once after a power cut; one person must get one pseudonym.
Test(pseudonym_key, those_who_start_together_get_one_key) {
    int pipes[2];
    cr_assert(eq(int, pipe(pipes), 0));
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            uint8_t key[PSEUDONYM_KEY_SIZE] = {0};
            enum err err = pseudonym_key_load(path, key, &problem);
            ssize_t size = err ? 0 : write(pipes[1], key, sizeof key);
            _exit(size != sizeof key);
        }
    close(pipes[1]);
    uint8_t first[PSEUDONYM_KEY_SIZE], other[PSEUDONYM_KEY_SIZE];
    for (int i = 0; i < 8; i++) {
        cr_assert(
            eq(int, (int)read(pipes[0], i ? other : first, sizeof first), PSEUDONYM_KEY_SIZE));
        if (i) cr_assert_arr_eq(first, other, sizeof first);
    }
    close(pipes[0]);
}

// Whoever can read the key can find out who is who.
Test(pseudonym_key, readable_by_others_is_refused) {
    uint8_t key[PSEUDONYM_KEY_SIZE];
    cr_assert(eq(int, pseudonym_key_load(path, key, &problem), ERR_NONE));
    chmod(path, 0640);
    cr_assert(eq(int, pseudonym_key_load(path, key, &problem), ERR_REFUSED));
    cr_assert(strstr(problem.text, path) && strstr(problem.text, "chmod 600"));
}

Test(pseudonym_key, what_is_no_key_is_refused_not_replaced) {
    uint8_t key[PSEUDONYM_KEY_SIZE];
    static const char *const wrong[] = {"", "00ff",
                                        "not hexadecimal at all, but as long as a key i"
                                        "s in the file: x",
                                        "00112233445566778899aabbccddeeff00112233445566778899aabbcc"
                                        "ddeeff00\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put(wrong[i], 0600);
        cr_assert(eq(int, pseudonym_key_load(path, key, &problem), ERR_FORMAT));
    }
}

Test(pseudonym_key, a_folder_that_is_not_there_is_named) {
    uint8_t key[PSEUDONYM_KEY_SIZE];
    cr_assert(eq(int, pseudonym_key_load("/nonexistent/key", key, &problem), ERR_IO));
    cr_assert_not_null(strstr(problem.text, "/nonexistent/key"));
}
