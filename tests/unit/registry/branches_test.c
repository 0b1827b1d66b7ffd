#include "common/registry/branches.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct problems problems;

static bool read_yaml(const char *yaml, struct branches *out) {
    problems = (struct problems){0};
    struct document *document = document_parse("b.yaml", bytes_of_text(yaml), &problems);
    cr_assert(ne(ptr, document, NULL), "%s", problems.items[0].text);
    const struct node *root = document_root(document);
    bool ok = branches_read(&root, 1, out, &problems);
    document_free(document);
    return ok;
}

static struct id id_of(const char *text) {
    struct id id = {0};
    cr_assert(id_set(&id, text, strlen(text)));
    return id;
}

Test(branches, the_shipped_branches_are_in_order) {
    struct branches branches;
    problems = (struct problems){0};
    cr_assert(branches_load(CONFIG_DIR "/branches", &branches, &problems), "%s",
              problems.items[0].text);
    struct id musterstadt = id_of("musterstadt"), phone = id_of("bank-phone");
    struct id floor = id_of("floor"), log = id_of("log"), desk_3 = id_of("desk-3");
    const struct branch *branch = branches_find(&branches, &musterstadt);
    cr_assert(ne(ptr, (void *)branch, NULL));
    cr_assert(eq(str, (char *)branch->zone_name, "Europe/Berlin"));
    cr_assert(eq(str, (char *)branch->country, "DE"));
    cr_assert(eq(str, (char *)branch->region.text, "north"));
    cr_assert(eq(int, branch_counter(branch, &desk_3), 2));
    cr_assert(eq(int, branch_counter(branch, &log), -1));
    cr_assert(eq(int, zone_local(&branch->zone, INT64_C(1795424400000)).hour, 10)); // 09:00 UTC
    const struct branch_gateway *gateway = branch_gateway(branch, &floor);
    cr_assert(not(gateway->opens));
    cr_assert(branch_gateway_serves(gateway, 3));
    cr_assert(not(branch_gateway_serves(gateway, 4)));
    cr_assert(eq(u16, gateway->key, gateway_key(&floor)));

    branch = branches_find(&branches, &phone);
    cr_assert(eq(sz, branch->counter_count, 27));
    cr_assert(branch_gateway(branch, &log)->opens);
    cr_assert(eq(ptr, (void *)branch_gateway(branch, &floor), NULL));
    cr_assert(eq(ptr, (void *)branches_find(&branches, &floor), NULL));
    branches_free(&branches);
}

#define HEAD "branch: a\nname: A\nregion: north\ncountry: DE\nzone: Europe/Berlin\n"
#define COUNTERS "counters: [c-1, c-2]\n"
#define GATEWAYS "gateways: [{gateway: g}]\n"

static uint64_t hash_of(const char *yaml) {
    struct branches branches;
    cr_assert(read_yaml(yaml, &branches), "%s", problems.items[0].text);
    uint64_t hash = branches.items[0].hash;
    cr_assert(eq(u64, hash, branch_hash(&branches.items[0])));
    branches_free(&branches);
    return hash;
}

// The store is configured anew when, and only when, what it keeps has changed.
Test(branches, the_hash_is_of_what_the_store_keeps) {
    uint64_t hash = hash_of(HEAD COUNTERS GATEWAYS);
    static const char *const equal[] = {
        "branch: a\nname: B\nregion: south\ncountry: AT\nzone: Europe/Berlin\n" COUNTERS GATEWAYS,
        HEAD "counters: [c-2, c-1]\n" GATEWAYS,
        HEAD COUNTERS "gateways: [{gateway: g, opens: false, counters: [c-2, c-1]}]\n",
    };
    static const char *const different[] = {
        "branch: b\nname: A\nregion: north\ncountry: DE\nzone: Europe/Berlin\n" COUNTERS GATEWAYS,
        "branch: a\nname: A\nregion: north\ncountry: DE\nzone: UTC\n" COUNTERS GATEWAYS,
        HEAD "counters: [c-1]\n" GATEWAYS,
        HEAD COUNTERS "gateways: [{gateway: g, opens: true}]\n",
        HEAD COUNTERS "gateways: [{gateway: h}]\n",
        HEAD COUNTERS "gateways: [{gateway: g}, {gateway: h}]\n",
        HEAD COUNTERS "gateways: [{gateway: g}, {gateway: h, counters: [c-1]}]\n",
        HEAD COUNTERS "gateways: [{gateway: g}, {gateway: h, office: true}]\n",
        HEAD COUNTERS "gateways: [{gateway: g, counters: [c-1]}, {gateway: h}]\n",
    };
    enum { DIFFERENT = sizeof different / sizeof *different };
    uint64_t hashes[DIFFERENT + 1] = {hash};
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++)
        cr_assert(eq(u64, hash_of(equal[i]), hash));
    for (size_t i = 0; i < DIFFERENT; i++)
        for (size_t j = (hashes[i + 1] = hash_of(different[i]), 0); j <= i; j++)
            cr_assert(ne(u64, hashes[i + 1], hashes[j]), "%zu and %zu", i, j);
}

Test(branches, what_is_wrong_with_a_branch_is_named) {
    static const struct {
        const char *yaml, *sentence;
    } wrong[] = {
        {"[a]", "b.yaml:1:1: the document must be a map, but is a list; write 'key: value' lines "
                "below it"},
        {HEAD COUNTERS, "b.yaml:1:1: 'gateways' is missing; add it"},
        {HEAD "counters: [c-1, c-1]\n" GATEWAYS,
         "b.yaml:6:17: 'c-1' stands here a second time (first: b.yaml:6:12); remove one of them"},
        {HEAD "counters: []\n" GATEWAYS, "b.yaml:6:11: counters has 0 entries; it takes 1 to 256"},
        {HEAD COUNTERS "gateways: [{gateway: g}, {gateway: g}]\n",
         "b.yaml:7:36: 'g' stands here a second time (first: b.yaml:7:22); remove one of them"},
        {HEAD COUNTERS "gateways: [{gateway: g, counters: [c1]}]\n",
         "b.yaml:7:36: 'c1' is not one of the branch's counters; did you mean 'c-1'?"},
        {HEAD COUNTERS "gateways: [{gateway: g, counters: [desk]}]\n",
         "b.yaml:7:36: 'desk' is not one of the branch's counters; add it to them"},
        {HEAD COUNTERS "gateways: [{gateway: g, counters: [c-1]}]\n",
         "b.yaml:7:11: no gateway serves counter 'c-2'; add it to one, or remove the counter"},
        {HEAD COUNTERS "gateways: [{gateway: g20}, {gateway: g196}]\n",
         "b.yaml:7:11: gateways 'g196' and 'g20' have the same short key; rename one of them"},
        {HEAD COUNTERS "gateways: [{gateway: g}, {gateway: o, office: true, counters: [c-1]}]\n",
         "b.yaml:7:63: the office watches no counter and opens no encounter; remove 'counters' and "
         "'opens'"},
        {HEAD "counters: [c-1]\ngateways: [{gateway: g, office: true}]\n",
         "b.yaml:7:11: no gateway serves counter 'c-1'; add it to one, or remove the counter"},
        {HEAD COUNTERS "gateways: [{gateway: g, open: true}]\n",
         "b.yaml:7:31: 'open' is not known here; did you mean 'opens'?"},
        {"branch: a\nname: A\nregion: north\ncountry: de\nzone: UTC\n" COUNTERS GATEWAYS,
         "b.yaml:4:10: 'de' is not a country; write two capital letters such as DE"},
        {"branch: a\nname: A\nregion: north\ncountry: DE\nzone: Berlin\n" COUNTERS GATEWAYS,
         "b.yaml:5:7: this machine knows no time zone 'Berlin'; check its spelling, or install "
         "tzdata"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct branches branches;
        cr_assert(not(read_yaml(wrong[i].yaml, &branches)), "%s", wrong[i].yaml);
        cr_assert(eq(sz, branches.count, 0));
        cr_assert(eq(str, problems.items[0].text, (char *)wrong[i].sentence));
        cr_assert(eq(sz, problems.count, 1), "%s", problems.items[1].text);
    }
}

static void write_branch(const char *folder, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

Test(branches, a_folder_is_checked_as_a_whole) {
    char folder[] = "/tmp/tresen-branches-XXXXXX", expected[256], path[128];
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    struct branches branches;
    problems = (struct problems){0};
    cr_assert(not(branches_load(folder, &branches, &problems)));
    snprintf(expected, sizeof expected, "%s: holds no branch; add BRANCH.yaml", folder);
    cr_assert(eq(str, problems.items[0].text, expected));

    write_branch(folder, "a.yaml", HEAD COUNTERS GATEWAYS);
    write_branch(folder, "b.yaml", HEAD COUNTERS GATEWAYS);
    write_branch(folder, "c.yaml", "k: [");
    problems = (struct problems){0};
    cr_assert(not(branches_load(folder, &branches, &problems)));
    cr_assert(eq(sz, problems.count, 3));
    snprintf(expected, sizeof expected,
             "%s/b.yaml:1:9: branch 'a' stands in a file of another name; call it a.yaml", folder);
    cr_assert(eq(str, problems.items[1].text, expected));
    snprintf(expected, sizeof expected,
             "%s/b.yaml:1:9: branch 'a' is there already (%s/a.yaml:1:9); give it an id of its own",
             folder, folder);
    cr_assert(eq(str, problems.items[2].text, expected));
    static const char *const names[] = {"a.yaml", "b.yaml", "c.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

// Whatever stands in a branch's file, reading it ends with a branch or with problems.
Test(branches, broken_files_never_harm) {
    static const char valid[] =
        HEAD "counters: [c-1, c-2]\ngateways:\n  - {gateway: g, opens: true}\n  - gateway: h\n"
             "    counters: [c-2]\n";
    static const char special[] = "\n :-[]{},c12gh'\"";
    uint32_t state = 7;
    for (int round = 0; round < 3000; round++) {
        char text[sizeof valid];
        memcpy(text, valid, sizeof valid);
        for (int changes = 0; changes < 2; changes++) {
            state = state * 1664525u + 1013904223u;
            size_t from = sizeof HEAD - 1, room = sizeof valid - 1 - from;
            text[from + (state >> 8) % room] = special[(state >> 24) % (sizeof special - 1)];
        }
        problems = (struct problems){0};
        struct document *document = document_parse("b.yaml", bytes_of_text(text), &problems);
        if (!document) continue;
        const struct node *root = document_root(document);
        document_set(document, "zone", "No/Zone", &problems); // a real one is slow to load
        struct branches branches;
        cr_assert(not(branches_read(&root, 1, &branches, &problems)));
        branches_free(&branches);
        document_free(document);
    }
}
