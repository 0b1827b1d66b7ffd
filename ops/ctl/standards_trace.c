// tresenctl standards trace: from a standard up to its value; or from all values down.

#include "ops/ctl/shown.h"

#include <string.h>

enum { LINES_SIZE = 64 * 1024 };

// One standard

/// "norm ID: TEXT" as "norm": {"id": ID, "text": TEXT}; "during: TEXT" as "during": TEXT.
static void put_line(json_t *object, const char *line, size_t size) {
    const char *colon = memchr(line, ':', size);
    const char *blank = colon ? memchr(line, ' ', (size_t)(colon - line)) : NULL;
    if (!colon || size < (size_t)(colon - line) + 2) return;
    json_t *text = json_stringn(colon + 2, size - (size_t)(colon - line) - 2);
    if (!blank) {
        json_object_setn_new(object, line, (size_t)(colon - line), text);
        return;
    }
    json_t *named = json_pack("{s:o, s:o}", "id",
                              json_stringn(blank + 1, (size_t)(colon - blank) - 1), "text", text);
    json_object_setn_new(object, line, (size_t)(blank - line), named);
}

static json_t *chain_json(const struct shown *shown, struct bytes lines) {
    json_t *object = json_pack("{s:o}", "documents", shown_json(shown));
    const char *at = (const char *)lines.data, *end = at + lines.size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);
        put_line(object, at, size);
        at += size + 1;
    }
    return object;
}

static void print_origin(const struct shown *shown) {
    fputs("of ", stdout);
    shown_print(shown, stdout);
    putchar('\n');
}

static bool trace_one(const struct ctl *ctl, const struct shown *shown, const char *language) {
    const char *id = ctl->arguments[0];
    struct buffer lines;
    buffer_init(&lines, LINES_SIZE);
    bool found = standards_trace(shown->catalogue.standards, id, strlen(id), language, &lines);
    struct bytes bytes = buffer_bytes(&lines);
    if (!found)
        ctl_fail("there is no standard %s in %s", id,
                 shown->published ? "what is published" : shown->folder);
    if (found && ctl->json) ctl_print_json(chain_json(shown, bytes));
    if (found && !ctl->json) {
        fwrite(bytes.data, 1, bytes.size, stdout);
        print_origin(shown);
    }
    buffer_fini(&lines);
    return found;
}

// All values

static const char *text_of(const json_t *item, const char *language) {
    const char *text = json_string_value(json_object_get(json_object_get(item, "text"), language));
    return text ? text : "";
}

/// What of a list names `id` under `key`, each with id, text and nothing below it yet.
static json_t *below(const json_t *list, const char *key, const json_t *id, const char *language,
                     const char *inner) {
    json_t *array = json_array();
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) {
        if (id && !json_equal(json_object_get(item, key), id)) continue;
        json_t *one = json_pack("{s:O, s:s}", "id", json_object_get(item, "id"), "text",
                                text_of(item, language));
        if (inner) json_object_set_new(one, inner, json_array());
        json_array_append_new(array, one);
    }
    return array;
}

/// [{"id", "text", "norms": [{"id", "text", "standards": [{"id", "text"}]}]}], of all branches.
static json_t *tree_json(const struct catalogue *catalogue, const char *language) {
    const struct standard_set *any = catalogue->plans[0].sets[0].set;
    json_t *set = json_loadb(any->json, any->json_size, 0, NULL);
    json_t *standards = sets_all(catalogue, NULL), *value, *norm;
    json_t *values = below(json_object_get(set, "values"), NULL, NULL, language, "norms");
    size_t i, k;
    json_array_foreach(values, i, value) {
        json_t *norms = below(json_object_get(set, "norms"), "value", json_object_get(value, "id"),
                              language, "standards");
        json_array_foreach(norms, k, norm) {
            json_object_set_new(
                norm, "standards",
                below(standards, "norm", json_object_get(norm, "id"), language, NULL));
        }
        json_object_set_new(value, "norms", norms);
    }
    json_decref(standards);
    json_decref(set);
    return values;
}

static void print_tree(const json_t *values) {
    const json_t *value, *norm, *standard;
    size_t i, k, m;
    json_array_foreach(values, i, value) {
        size_t serve = 0;
        printf("value %s: %s\n", json_string_value(json_object_get(value, "id")),
               json_string_value(json_object_get(value, "text")));
        json_array_foreach(json_object_get(value, "norms"), k, norm) {
            const json_t *standards = json_object_get(norm, "standards");
            printf("  norm %s: %s\n", json_string_value(json_object_get(norm, "id")),
                   json_string_value(json_object_get(norm, "text")));
            json_array_foreach(standards, m, standard) {
                printf("    standard %s: %s\n", json_string_value(json_object_get(standard, "id")),
                       json_string_value(json_object_get(standard, "text")));
            }
            if (json_array_size(standards) == 0) puts("    no standard makes it concrete");
            serve += json_array_size(standards);
        }
        if (serve == 0) puts("  no standard serves it");
    }
}

static void trace_all(const struct ctl *ctl, const struct shown *shown, const char *language) {
    json_t *values = tree_json(&shown->catalogue, language);
    if (ctl->json) {
        ctl_print_json(json_pack("{s:o, s:O}", "documents", shown_json(shown), "values", values));
    } else {
        print_tree(values);
        print_origin(shown);
    }
    json_decref(values);
}

int ctl_standards_trace(struct ctl *ctl) {
    struct shown shown;
    const char *language = sets_language(ctl);
    if (!language) return CTL_FAILED;
    bool done = shown_open(ctl, NULL, SHOWN_IN_FORCE, &shown);
    if (done && ctl->count > 0)
        done = trace_one(ctl, &shown, language);
    else if (done)
        trace_all(ctl, &shown, language);
    shown_close(&shown);
    return done ? CTL_OK : CTL_FAILED;
}
