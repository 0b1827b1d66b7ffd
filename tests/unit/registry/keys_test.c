#include "common/registry/keys.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct problem problem;

static char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_folder(void) {
    strcpy(folder, "/tmp/tresen-keys-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
}

static void remove_folder(void) {
    static const char *const names[] = {"broker", "worker.w1", "worker.w2", "gateway.a.desk",
                                        "desk"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int secret = 0; secret < 2; secret++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", names[i], secret ? ".key" : ".pub");
            unlink(path_of(name));
        }
    rmdir(folder);
}

TestSuite(keys, .init = make_folder, .fini = remove_folder);

static void write_file(const char *name, const char *text) {
    FILE *file = fopen(path_of(name), "w");
    fputs(text, file);
    fclose(file);
}

Test(keys, a_new_pair_can_be_read_again) {
    char made[KEY_TEXT_SIZE], read[KEY_TEXT_SIZE], secret[KEY_TEXT_SIZE], half[KEY_TEXT_SIZE];
    cr_assert(eq(int, key_make(folder, "gateway.a.desk", made, &problem), ERR_NONE), "%s",
              problem.text);
    cr_assert(eq(int, key_read_public(folder, "gateway.a.desk", read, &problem), ERR_NONE));
    cr_assert(eq(int, key_read_secret(folder, "gateway.a.desk", secret, half, &problem), ERR_NONE));
    cr_assert(eq(str, made, read));
    cr_assert(eq(str, made, half));
    cr_assert(ne(str, made, secret));
    struct stat status;
    cr_assert(eq(int, stat(path_of("gateway.a.desk.key"), &status), 0));
    cr_assert(eq(u32, status.st_mode & 07777, 0600));
    cr_assert(eq(int, stat(path_of("gateway.a.desk.pub"), &status), 0));
    cr_assert(eq(u32, status.st_mode & 07777, 0644));
}

// A key that is lost by a second "keys new" would lock its peer out.
Test(keys, a_pair_is_never_overwritten) {
    char first[KEY_TEXT_SIZE], second[KEY_TEXT_SIZE] = "", read[KEY_TEXT_SIZE];
    cr_assert(eq(int, key_make(folder, "broker", first, &problem), ERR_NONE));
    cr_assert(eq(int, key_make(folder, "broker", second, &problem), ERR_CONFLICT));
    unlink(path_of("broker.key"));
    cr_assert(eq(int, key_make(folder, "broker", second, &problem), ERR_CONFLICT));
    cr_assert(eq(str, second, ""));
    cr_assert(eq(int, access(path_of("broker.key"), F_OK), -1));
    cr_assert(eq(int, key_read_public(folder, "broker", read, &problem), ERR_NONE));
    cr_assert(eq(str, first, read));
}

Test(keys, a_secret_that_others_may_read_is_refused) {
    char key[KEY_TEXT_SIZE], secret[KEY_TEXT_SIZE];
    cr_assert(eq(int, key_make(folder, "worker.w1", key, &problem), ERR_NONE));
    static const mode_t modes[] = {0640, 0604, 0620, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        chmod(path_of("worker.w1.key"), modes[i]);
        cr_assert(
            eq(int, key_read_secret(folder, "worker.w1", secret, key, &problem), ERR_REFUSED));
    }
    cr_assert(ne(ptr,
                 strstr(problem.text, "worker.w1.key: others may use this secret key; run "
                                      "chmod 600 on it, or make a new pair if they have"),
                 NULL));
}

Test(keys, a_file_that_is_no_key_is_refused) {
    static const char *const texts[] = {
        "",
        "short\n",
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 two\n", // longer
        "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\"\n",    // not of the alphabet
        "#####################################Z85\n",     // a group above 32 bits
    };
    char key[KEY_TEXT_SIZE];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file("worker.w1.pub", texts[i]);
        cr_assert(eq(int, key_read_public(folder, "worker.w1", key, &problem), ERR_FORMAT), "%zu",
                  i);
    }
    write_file("worker.w1.pub", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\r\n");
    cr_assert(eq(int, key_read_public(folder, "worker.w1", key, &problem), ERR_NONE), "%s",
              problem.text);
    cr_assert(eq(int, key_read_public(folder, "worker.w2", key, &problem), ERR_MISSING));
}

Test(keys, the_table_knows_who_has_a_key) {
    char gateway[KEY_TEXT_SIZE], worker[KEY_TEXT_SIZE];
    cr_assert(eq(int, key_make(folder, "gateway.a.desk", gateway, &problem), ERR_NONE));
    cr_assert(eq(int, key_make(folder, "worker.w1", worker, &problem), ERR_NONE));
    struct key_table table;
    cr_assert(eq(int, keys_load(folder, &table, &problem), ERR_NONE), "%s", problem.text);
    cr_assert(eq(sz, table.count, 2));
    cr_assert(eq(str, (char *)keys_find(&table, gateway), "gateway.a.desk"));
    cr_assert(eq(str, (char *)keys_find(&table, worker), "worker.w1"));
    cr_assert(eq(ptr, (void *)keys_find(&table, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"), NULL));
    cr_assert(eq(ptr, (void *)keys_find(&table, ""), NULL));
    keys_free(&table);

    write_file("worker.w2.pub", worker); // one key would speak for two workers
    cr_assert(eq(int, keys_load(folder, &table, &problem), ERR_CONFLICT));
    cr_assert(eq(sz, table.count, 0));
    unlink(path_of("worker.w2.pub"));
    write_file("desk.pub", worker);
    cr_assert(eq(int, keys_load(folder, &table, &problem), ERR_FORMAT));
    cr_assert(ne(ptr,
                 strstr(problem.text, "'desk' names no peer; write broker, worker.NAME or "
                                      "gateway.BRANCH.NAME"),
                 NULL));
}

Test(keys, names_say_what_a_key_stands_for) {
    static const char longest[] =
        "gateway.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    static const char *const names[] = {"broker", "worker.w-1", "gateway.a.desk", longest};
    static const char *const malformed[] = {"",         "brokers",   "worker.",       "worker.W",
                                            "worker",   "gateway.a", "gateway.a.",    "gateway..b",
                                            "gateway.", "operator",  "gateway.a.b.c", "worker.a.b",
                                            "../a",     "worker./",  "gateway.a./etc"};
    struct peer peer;
    char text[KEY_NAME_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert(peer_parse(names[i], strlen(names[i]), &peer));
        peer_name(&peer, text);
        cr_assert(eq(str, text, (char *)names[i]));
    }
    cr_assert(eq(int, peer.kind, PEER_GATEWAY));
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        cr_assert(not(peer_parse(malformed[i], strlen(malformed[i]), &peer)), "%s", malformed[i]);
}
