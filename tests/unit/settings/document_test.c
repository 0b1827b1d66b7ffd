#include "common/settings/document.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static struct problems problems;

static struct document *parse(const char *yaml) {
    problems = (struct problems){0};
    return document_parse("f.yaml", bytes_of_text(yaml), &problems);
}

/// The only problem's sentence.
static const char *sentence(void) {
    cr_assert(eq(sz, problems.count, 1), "%s", problems.items[0].text);
    return problems.items[0].text;
}

// A person finds the mistake by line and column, and reads what to do about it.
Test(document, text_that_is_no_document_is_named_with_line_column_and_way_out) {
    static const struct {
        const char *yaml, *sentence;
    } broken[] = {
        {"a: 1\na: 2\n",
         "f.yaml:2:1: 'a' stands here a second time (first: f.yaml:1:4); remove one "
         "of them"},
        {"a:\n\tb: 1\n", "f.yaml:2:1: a tab indents this line; use spaces"},
        {"a: &x 1\n", "f.yaml:1:4: anchors (&name) are not supported; write the value out where it "
                      "is needed, or put a text that begins with & in quotes"},
        {"a: *x\n", "f.yaml:1:4: aliases (*name) are not supported; write the value out, or put a "
                    "text that begins with * in quotes"},
        {"a: !!int 5\n", "f.yaml:1:4: tags (!name) are not supported; leave it out, or put a text "
                         "that begins with ! in quotes"},
        {"a: 1\n---\nb: 2\n", "f.yaml:3:1: a second document begins; a file holds one: remove the "
                              "'---'"},
        {"a: [1, 2\n",
         "f.yaml:2:1: not YAML: did not find expected ',' or ']' while parsing a flow "
         "sequence; look at the indentation, quotes and brackets here and in the line "
         "before"},
        {"a: 'x\n", "f.yaml:2:1: not YAML: found unexpected end of stream while scanning a quoted "
                    "scalar; look at the indentation, quotes and brackets here and in the line "
                    "before"},
        {"a: b: c\n",
         "f.yaml:1:5: not YAML: mapping values are not allowed in this context; look at "
         "the indentation, quotes and brackets here and in the line before"},
        {"? [a]\n: 1\n",
         "f.yaml:1:3: a list or map cannot be a key; write a text before the ':', or "
         "put what begins with [ or { in quotes"},
        {"a: 1\nb: \"x\xff\"\n", "f.yaml:2:6: not UTF-8 text from here on; save the file as UTF-8 "
                                 "without control characters"},
        {"a: \"\\0\"\n", "f.yaml:1:4: the text contains a zero byte; remove the escape that writes "
                         "it"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n",
         "f.yaml:1:17: lists and maps lie more than 16 deep; write it flatter"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        cr_assert(eq(ptr, parse(broken[i].yaml), NULL));
        cr_assert(eq(str, (char *)sentence(), (char *)broken[i].sentence));
    }
}

// What a configuration can cost is bounded before it is read.
Test(document, size_nodes_and_keys_are_bounded) {
    size_t size = DOCUMENT_SIZE_MAX + 1;
    char *text = malloc(size + 1);
    memset(text, ' ', size), text[size] = '\0';
    cr_assert(eq(ptr, parse(text), NULL));
    cr_assert(eq(str, (char *)sentence(), "f.yaml: larger than 1 MiB; divide it"));

    for (size_t i = 0; i < size - 1; i++)
        text[i] = i == 0 ? '[' : i == size - 2 ? ']' : i % 4 == 0 ? ',' : i % 4 == 1 ? '1' : ' ';
    text[size - 1] = '\0';
    cr_assert(eq(ptr, parse(text), NULL));
    cr_assert(eq(str, strstr((char *)sentence(), "more than"),
                 "more than 65536 values; divide the file"));

    size_t used = 0;
    for (int i = 0; i <= DOCUMENT_KEYS_MAX; i++)
        used += (size_t)sprintf(text + used, "k%d: 1\n", i);
    cr_assert(eq(ptr, parse(text), NULL));
    cr_assert(
        eq(str, (char *)sentence(), "f.yaml:1025:1: more than 1024 keys in one map; divide it"));
    free(text);
}

// An empty file means: all defaults.
Test(document, a_file_without_values_is_an_empty_map) {
    static const char *const empty[] = {"", "# nothing\n", "---\n", "\n\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct document *document = parse(empty[i]);
        cr_assert(ne(ptr, document, NULL));
        cr_assert(eq(int, document_root(document)->kind, NODE_MAP));
        cr_assert(eq(sz, document_root(document)->count, 0));
        document_free(document);
    }
}

// Editors on other systems write a byte order mark and line ends of two bytes.
Test(document, a_byte_order_mark_and_crlf_change_nothing) {
    struct document *document = parse("\xef\xbb\xbf# x\r\na: 1\r\nb:\r\n  - two\r\n");
    cr_assert(ne(ptr, document, NULL), "%s", problems.items[0].text);
    const struct node *entry = node_find(document_root(document), "b")->first;
    char where[NODE_WHERE_SIZE];
    cr_assert(eq(str, (char *)entry->text, "two"));
    cr_assert(eq(str, (char *)node_where(entry, where), "f.yaml:4:5"));
    document_free(document);
}

Test(document, the_nearest_name_is_a_likely_one) {
    static const char *const names[] = {"redis_host", "jobs_max", "take_max", "id", NULL};
    static const char *const cases[][2] = {
        {"jobs", "jobs_max"},
        {"job_max", "jobs_max"},
        {"reids_host", "redis_host"},
        {"take_mxa", "take_max"},
        {"x", NULL},
        {"", NULL},
        {"i", NULL},
        {"zzzzzzzz", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = nearest_name(cases[i][0], names);
        if (cases[i][1])
            cr_assert(eq(str, (char *)nearest, (char *)cases[i][1]));
        else
            cr_assert(eq(ptr, (void *)nearest, NULL), "%s", cases[i][0]);
    }
}

Test(document, nodes_know_their_place) {
    struct document *document = parse("a: ä\nlist:\n  - x: 1\n    y: [2, '3']\n");
    const struct node *root = document_root(document);
    const struct node *y = node_find(node_find(root, "list")->first, "y");
    char where[NODE_WHERE_SIZE], path[NODE_PATH_SIZE];
    cr_assert(eq(str, (char *)node_where(y->last, where), "f.yaml:4:12"));
    cr_assert(eq(str, (char *)node_path(y->last, path), "list[0].y[1]"));
    cr_assert(eq(str, (char *)node_path(root, path), "the document"));
    cr_assert(y->last->quoted);
    cr_assert(not(y->first->quoted));
    document_free(document);
}

enum read_as { INTEGER, UNSIGNED, NUMBER, BOOL, CHOICE, ID, MEASURE, NAME, TEXT, LIST, LANGUAGES };

static bool read_one(enum read_as reader, const struct node *node) {
    static const char *const names[] = {"samples", "events", NULL};
    int64_t integer;
    uint64_t whole;
    double number;
    bool truth;
    int choice;
    struct id id;
    struct name name;
    const char *text, *other;
    switch (reader) {
    case INTEGER:
        return node_integer(node, -5, 5, "ms", &integer, &problems);
    case UNSIGNED:
        return node_unsigned(node, 1, 1000, "", &whole, &problems);
    case NUMBER:
        return node_number(node, 0, 20, "m", &number, &problems);
    case BOOL:
        return node_bool(node, &truth, &problems);
    case CHOICE:
        return node_choice(node, names, &choice, &problems);
    case ID:
        return node_id(node, &id, &problems);
    case MEASURE:
        return node_measure_id(node, &id, &problems);
    case NAME:
        return node_name(node, &name, &problems);
    case TEXT:
        return node_text(node, 1, 5, &text, &problems);
    case LIST:
        return node_list(node, 1, 2, &problems);
    case LANGUAGES:
        return node_language_texts(node, 20, &text, &other, &problems);
    }
    return false;
}

// Numbers are strict: "5x" is a mistake, not 5.
Test(document, values_of_another_kind_are_named) {
    static const struct {
        const char *yaml;
        enum read_as reader;
        const char *sentence;
    } wrong[] = {
        {"k: 5x", INTEGER,
         "f.yaml:1:4: k: '5x' is not a whole number; write digits only, such as 5"},
        {"k: 5.0", INTEGER,
         "f.yaml:1:4: k: '5.0' is not a whole number; write digits only, such as 5"},
        {"k: 0x10", INTEGER,
         "f.yaml:1:4: k: '0x10' is not a whole number; write digits only, such as 5"},
        {"k: 007", INTEGER,
         "f.yaml:1:4: k: '007' is not a whole number; write digits only, such as 5"},
        {"k: '5'", INTEGER,
         "f.yaml:1:4: k: '5' is not a whole number; it is in quotes, so it is a "
         "text: remove them"},
        {"k:", INTEGER,
         "f.yaml:1:3: k must be a whole number, but is empty; write digits only, such as 5"},
        {"k: [5]", INTEGER, "f.yaml:1:4: k must be a whole number, but is a list; write one"},
        {"k: 6", INTEGER, "f.yaml:1:4: k: 6 is out of range; choose -5..5 ms"},
        {"k: 99999999999999999999", INTEGER,
         "f.yaml:1:4: k: 99999999999999999999 is out of range; choose -5..5 ms"},
        {"k: -1", UNSIGNED, "f.yaml:1:4: k: -1 is out of range; choose 1..1000"},
        {"k: 3m", NUMBER,
         "f.yaml:1:4: k: '3m' is not a number; write it like 3 or -0.25, without a unit"},
        {"k: .nan", NUMBER,
         "f.yaml:1:4: k: '.nan' is not a number; write it like 3 or -0.25, without a unit"},
        {"k: 1e999", NUMBER, "f.yaml:1:4: k: 1e999 is out of range; choose 0..20 m"},
        {"k: 20.5", NUMBER, "f.yaml:1:4: k: 20.5 is out of range; choose 0..20 m"},
        {"k: yes", BOOL, "f.yaml:1:4: k: 'yes' is not true or false; write one of the two"},
        {"k: sampels", CHOICE,
         "f.yaml:1:4: k: 'sampels' is none of: samples, events; did you mean "
         "'samples'?"},
        {"k: x", CHOICE, "f.yaml:1:4: k: 'x' is none of: samples, events; choose one"},
        {"k: Desk_1", ID, "f.yaml:1:4: k: 'Desk_1' is not an id; use 1 to 32 of a-z, 0-9 and -"},
        {"k: distance-client", MEASURE,
         "f.yaml:1:4: k: 'distance-client' is not a measure's id; use "
         "1 to 32 of a-z, 0-9, _ and ."},
        {"k: a b", NAME,
         "f.yaml:1:4: k: 'a b' is not a name; use 1 to 64 of A-Z, a-z, 0-9, _, ., : and -"},
        {"k: abcdef", TEXT, "f.yaml:1:4: k is 6 bytes long; 1 to 5 are allowed"},
        {"k: ''", TEXT, "f.yaml:1:4: k is empty; write a text"},
        {"k: {a: 1}", TEXT,
         "f.yaml:1:4: k must be a text, but is a map; write one, in quotes if it "
         "begins with [ or {"},
        {"k: 5", LIST,
         "f.yaml:1:4: k must be a list, but is a single value; write it as [a, b] or "
         "begin each entry with '- '"},
        {"k: [1, 2, 3]", LIST, "f.yaml:1:4: k has 3 entries; it takes 1 to 2"},
        {"k: {de: Abstand}", LANGUAGES, "f.yaml:1:4: 'en' is missing in k; add it"},
        {"k: text", LANGUAGES,
         "f.yaml:1:4: k must be a map, but is a single value; write 'key: "
         "value' lines below it"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct document *document = parse(wrong[i].yaml);
        cr_assert(ne(ptr, document, NULL), "%s", wrong[i].yaml);
        cr_assert(not(read_one(wrong[i].reader, node_find(document_root(document), "k"))));
        cr_assert(eq(str, (char *)sentence(), (char *)wrong[i].sentence));
        document_free(document);
    }
}

Test(document, unknown_and_missing_keys_are_named_with_the_nearest_known_one) {
    static const char *const keys[] = {"gateway", "branch", "worker_silence_ms", NULL};
    struct document *document = parse("gatewya: a\nzzz: b\nworker_silence: 5\n");
    cr_assert(not(node_map(document_root(document), keys, &problems)));
    cr_assert(eq(ptr, (void *)node_need(document_root(document), "branch", &problems), NULL));
    cr_assert(eq(sz, problems.count, 4));
    cr_assert(eq(str, problems.items[0].text,
                 "f.yaml:1:10: 'gatewya' is not known here; did you mean 'gateway'?"));
    cr_assert(eq(str, problems.items[1].text,
                 "f.yaml:2:6: 'zzz' is not known here; known are: gateway, branch, "
                 "worker_silence_ms"));
    cr_assert(eq(str, problems.items[2].text,
                 "f.yaml:3:17: 'worker_silence' is not known here; did you mean "
                 "'worker_silence_ms'?"));
    cr_assert(eq(str, problems.items[3].text, "f.yaml:1:1: 'branch' is missing; add it"));
    document_free(document);
}

// A hundred mistakes are counted; as many sentences as fit are kept.
// One mistake, one sentence: only what was told as misspelt is not told as missing, too.
Test(document, a_misspelt_key_is_not_missing_besides) {
    static const char *const keys[] = {"weight", "from", "from_s", NULL};
    struct document *document = parse("wieght: 1\nfrom_s: 2\n");
    const struct node *root = document_root(document);
    cr_assert(not(node_map(root, keys, &problems)));
    cr_assert(eq(ptr, (void *)node_need(root, "weight", &problems), NULL));
    cr_assert(eq(str, (char *)sentence(),
                 "f.yaml:1:9: 'wieght' is not known here; did you mean 'weight'?"));
    cr_assert(eq(ptr, (void *)node_need(root, "from", &problems), NULL));
    cr_assert(eq(sz, problems.count, 2));
    cr_assert(eq(str, problems.items[1].text, "f.yaml:1:1: 'from' is missing; add it"));
    document_free(document);
}

Test(document, problems_are_bounded) {
    problems = (struct problems){0};
    for (int i = 0; i < 100; i++)
        problems_add(&problems, ERR_FORMAT, "f.yaml", "mistake %d\nin two lines", i);
    cr_assert(eq(sz, problems.count, 100));
    cr_assert(eq(str, problems.items[PROBLEMS_MAX - 1].text, "f.yaml: mistake 63?in two lines"));
    struct problem one;
    cr_assert(eq(int, problems_first(&problems, &one), ERR_FORMAT));
    cr_assert(eq(str, one.text, "f.yaml: mistake 0?in two lines (and 99 more)"));
}

Test(document, set_writes_over_the_tree) {
    struct document *document =
        parse("speed: 1\ndrivers:\n  - driver: queue\n    speed: 2\n  - driver: tracks\nempty:\n");
    const struct node *root = document_root(document);
    cr_assert(document_set(document, "speed", "5x", &problems));
    cr_assert(document_set(document, "drivers.1.speed", "7", &problems));
    cr_assert(document_set(document, "drivers.0", "{driver: jsonl, path: '-'}", &problems));
    cr_assert(document_set(document, "new.deep.er", "tcp://*:5555", &problems));
    cr_assert(document_set(document, "empty.key", "", &problems));
    cr_assert(eq(sz, problems.count, 0));

    int64_t number = 0;
    const struct node *drivers = node_find(root, "drivers");
    cr_assert(eq(str, (char *)node_find(drivers->first, "path")->text, "-"));
    cr_assert(eq(ptr, (void *)node_find(drivers->first, "speed"), NULL));
    cr_assert(node_integer(node_find(drivers->last, "speed"), 0, 9, "", &number, &problems));
    cr_assert(eq(i64, number, 7));
    const struct node *deep = node_find(node_find(node_find(root, "new"), "deep"), "er");
    cr_assert(eq(str, (char *)deep->text, "tcp://*:5555"));
    cr_assert(eq(str, (char *)node_find(node_find(root, "empty"), "key")->text, ""));
    cr_assert(not(node_integer(node_find(root, "speed"), 0, 9, "", &number, &problems)));
    cr_assert(
        eq(str, (char *)sentence(),
           "--set speed=5x: speed: '5x' is not a whole number; write digits only, such as 5"));
    document_free(document);
}

Test(document, a_set_that_cannot_be_placed_changes_nothing) {
    static const struct {
        const char *path, *value, *sentence;
    } wrong[] = {
        {"drivers.1.speed", "5",
         "--set drivers.1.speed=5: drivers has 1 entries, '1' is not one of "
         "them; count from 0"},
        {"drivers.-1", "5",
         "--set drivers.-1=5: drivers has 1 entries, '-1' is not one of them; "
         "count from 0"},
        {"speed.x", "5",
         "--set speed.x=5: speed is a single value and has no 'x'; set it as a "
         "whole"},
        {"a..b", "5",
         "--set a..b=5: 'a..b' is not a path; write KEY=VALUE or KEY.NUMBER.KEY=VALUE"},
        {"speed", "[1",
         "--set speed=[1: not YAML: did not find expected ',' or ']' while "
         "parsing a flow sequence; look at the indentation, quotes and brackets here "
         "and in the line before"},
    };
    struct document *document = parse("speed: 1\ndrivers: [{driver: queue}]\n");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        problems = (struct problems){0};
        cr_assert(not(document_set(document, wrong[i].path, wrong[i].value, &problems)));
        cr_assert(eq(str, (char *)sentence(), (char *)wrong[i].sentence));
        cr_assert(eq(sz, document_root(document)->count, 2));
        cr_assert(eq(str, (char *)document_root(document)->first->text, "1"));
    }
    document_free(document);
}

static uint64_t random_next(uint64_t *state) { // splitmix64
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/// Read every node as everything.
static void read_all(const struct node *node, size_t depth) {
    static const char *const keys[] = {"branch", "gateways", NULL};
    cr_assert(le(sz, depth, DOCUMENT_DEPTH_MAX));
    node_map(node, keys, &problems);
    node_need(node, "zone", &problems);
    for (int reader = INTEGER; reader <= LANGUAGES; reader++)
        read_one((enum read_as)reader, node);
    for (const struct node *child = node->first; child; child = child->next)
        read_all(child, depth + 1);
}

// Whatever stands in a file, reading it ends with a tree or with problems.
Test(document, broken_bytes_never_harm) {
    static const char valid[] =
        "# a comment\nbranch: musterstadt\nname: \"Größe \\u00e4\"\nzone: Europe/Berlin\n"
        "counters: [desk-1, 'desk-2']\ngateways:\n  - gateway: desk\n    opens: true\n"
        "  - {gateway: floor, n: -1.5e3}\ntext: |\n  two\n  lines\nfolded: >\n  a\n  b\n";
    static const char special[] = "\n\t :-[]{}&*!|>'\"%@`#?,\\\0\xff\xc3 0";
    uint64_t state = 1999;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof valid];
        size_t size = sizeof valid - 1;
        memcpy(text, valid, sizeof valid);
        for (uint64_t changes = 1 + random_next(&state) % 4; changes; changes--) {
            uint64_t at = random_next(&state) % size, what = random_next(&state);
            if (what % 4 == 0)
                memmove(text + at, text + at + 1, --size - at);
            else
                text[at] =
                    what % 4 == 1 ? (char)(what >> 8) : special[(what >> 8) % (sizeof special - 1)];
        }
        char *exact = malloc(size); // so that a read behind the end is seen
        memcpy(exact, text, size);
        problems = (struct problems){0};
        struct document *document =
            document_parse("f.yaml", (struct bytes){(const uint8_t *)exact, size}, &problems);
        cr_assert(eq(int, document == NULL, problems.count > 0));
        if (document) read_all(document_root(document), 0);
        document_free(document);
        free(exact);
    }
}
