#include "common/settings/file.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct problems problems;

static void make_folder(void) {
    strcpy(folder, "/tmp/tresen-file-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    problems = (struct problems){0};
}

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text) {
    FILE *file = fopen(path_of(name), "w");
    fputs(text, file);
    fclose(file);
}

static void remove_folder(void) {
    static const char *const names[] = {"b.yaml", "a.yaml", "c.yaml", ".d.yaml", "e.yml", "pipe"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    rmdir(folder);
}

TestSuite(file, .init = make_folder, .fini = remove_folder);

// One broken file hides neither the others nor their mistakes.
Test(file, a_folder_is_read_in_the_order_of_names) {
    write_file("b.yaml", "k: 2");
    write_file("a.yaml", "k: 1");
    write_file("c.yaml", "k: [");
    write_file(".d.yaml", "k: 4");
    write_file("e.yml", "k: 5");
    struct documents documents;
    cr_assert(not(documents_open(folder, &documents, &problems)));
    cr_assert(eq(sz, documents.count, 2));
    cr_assert(eq(str, (char *)node_find(document_root(documents.items[0]), "k")->text, "1"));
    cr_assert(eq(str, (char *)node_find(document_root(documents.items[1]), "k")->text, "2"));
    cr_assert(eq(sz, problems.count, 2));
    cr_assert(ne(ptr, strstr(problems.items[0].text, ": e.yml is not read for its ending"), NULL));
    cr_assert(ne(ptr, strstr(problems.items[1].text, "/c.yaml:2:1: not YAML"), NULL));
    documents_free(&documents);
}

Test(file, what_is_no_file_of_bounded_size_is_refused) {
    struct buffer buffer;
    buffer_init(&buffer, 8);
    write_file("a.yaml", "12345678");
    cr_assert(file_read(path_of("a.yaml"), 8, &buffer, &problems));
    cr_assert(eq(sz, buffer.size, 8));
    cr_assert(not(file_read(path_of("a.yaml"), 7, &buffer, &problems)));
    cr_assert(eq(int, problems.items[0].err, ERR_FULL));
    cr_assert(ne(ptr, strstr(problems.items[0].text, "larger than 7 bytes; divide it"), NULL));
    cr_assert(eq(int, mkfifo(path_of("pipe"), 0600), 0));
    cr_assert(not(file_read(path_of("pipe"), 8, &buffer, &problems)));
    cr_assert(eq(int, problems.items[1].err, ERR_FORMAT));
    cr_assert(ne(ptr, strstr(problems.items[1].text, "is not a regular file; name one"), NULL));
    cr_assert(not(file_read(path_of("none"), 8, &buffer, &problems)));
    cr_assert(eq(int, problems.items[2].err, ERR_MISSING));
    struct documents documents;
    cr_assert(not(documents_open(path_of("none"), &documents, &problems)));
    documents_free(&documents);
    buffer_fini(&buffer);
    char path[8];
    cr_assert(not(path_join("abcd", "efgh", path, sizeof path, &problems)));
    cr_assert(ne(ptr,
                 strstr(problems.items[problems.count - 1].text,
                        "abcd: the path is longer than 7 bytes; use a shorter one"),
                 NULL));
}
