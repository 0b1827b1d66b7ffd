#include "worker/standards/editions.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, FORM = JSON_COMPACT | JSON_SORT_KEYS, FILES_MAX = 1024 };

void sha256_text(struct bytes text, char hash[SET_HASH_TEXT_SIZE]) {
    unsigned char digest[SET_HASH_SIZE];
    crypto_hash_sha256(digest, text.data, text.size);
    sodium_bin2hex(hash, SET_HASH_TEXT_SIZE, digest, sizeof digest);
}

/// Lists the documents as files, and hashes them.
static enum err edition_index(struct edition *edition, struct problem *problem) {
    const char *name;
    json_t *text;
    size_t count = json_object_size(edition->documents);
    char *canonical = json_dumps(edition->documents, FORM);
    edition->files = calloc(count ? count : 1, sizeof *edition->files);
    if (!canonical || !edition->files) {
        free(canonical);
        return problem_set(problem, ERR_NOMEM, "out of memory");
    }
    size_t size = strlen(canonical);
    sha256_text((struct bytes){(const uint8_t *)canonical, size}, edition->hash);
    free(canonical);
    if (size > EDITION_BYTES_MAX || count > FILES_MAX)
        return problem_set(
            problem, ERR_FULL,
            "the documents have %zu bytes in %zu files; leave out what is over %d in %d", size,
            count, EDITION_BYTES_MAX, FILES_MAX);
    json_object_foreach(edition->documents, name, text) {
        if (!json_is_string(text))
            return problem_set(problem, ERR_FORMAT, "document %s is no text", name);
        edition->files[edition->file_count++] = (struct standards_file){
            name, {(const uint8_t *)json_string_value(text), json_string_length(text)}};
    }
    return ERR_NONE;
}

enum err edition_init(struct edition *edition, const struct standards_file *files, size_t count,
                      struct problem *problem) {
    *edition = (struct edition){.documents = json_object()};
    if (!edition->documents) return problem_set(problem, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        json_t *text = json_stringn((const char *)files[i].text.data, files[i].text.size);
        if (!text || json_object_set_new(edition->documents, files[i].name, text))
            return problem_set(problem, ERR_FORMAT, "%s: is not UTF-8; save it so", files[i].name);
    }
    return edition_index(edition, problem);
}

void edition_fini(struct edition *edition) {
    free(edition->files);
    json_decref(edition->documents);
    *edition = (struct edition){0};
}

static enum err edition_read(const json_t *item, struct edition *edition, struct problem *problem) {
    const char *from, *by, *hash;
    json_int_t published_ms;
    json_t *documents;
    if (json_unpack((json_t *)item, "{s:s, s:I, s:s, s:s, s:o}", "from", &from, "published_ms",
                    &published_ms, "by", &by, "hash", &hash, "documents", &documents) ||
        !json_is_object(documents) || (*from && !day_parse(from, &edition->from)))
        return problem_set(problem, ERR_FORMAT, "an edition is damaged");
    edition->published_ms = published_ms;
    snprintf(edition->by, sizeof edition->by, "%s", by);
    edition->documents = json_incref(documents);
    enum err err = edition_index(edition, problem);
    if (!err && strcmp(hash, edition->hash) != 0)
        return problem_set(problem, ERR_FORMAT, "the edition from %s has another hash than it says",
                           *from ? from : "the beginning");
    return err;
}

static enum err read_all(const json_t *root, struct editions *editions, struct problem *problem) {
    json_int_t version = json_integer_value(json_object_get(root, "version"));
    const json_t *list = json_object_get(root, "editions"), *item;
    size_t i, count = json_array_size(list);
    if (version > VERSION)
        return problem_set(problem, ERR_VERSION,
                           "published by a newer Tresen (version %lld; this program reads %d)",
                           (long long)version, VERSION);
    if (version != VERSION || count < 1 || count > EDITIONS_MAX)
        return problem_set(problem, ERR_FORMAT, "no list of editions");
    json_array_foreach(list, i, item) {
        struct edition *edition = &editions->items[editions->count++];
        enum err err = edition_read(item, edition, problem);
        if (err) return err;
        if (i > 0 && edition->from <= edition[-1].from)
            return problem_set(problem, ERR_FORMAT, "the editions' days do not ascend");
    }
    return ERR_NONE;
}

enum err editions_read(struct bytes text, struct editions **out, struct problem *problem) {
    json_error_t error;
    if (text.size > EDITIONS_BYTES_MAX)
        return problem_set(problem, ERR_FULL, "%zu bytes; at most %d", text.size,
                           EDITIONS_BYTES_MAX);
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    struct editions *editions = calloc(1, sizeof *editions);
    enum err err = !root       ? problem_set(problem, ERR_FORMAT, "no JSON: %s", error.text)
                   : !editions ? problem_set(problem, ERR_NOMEM, "out of memory")
                               : read_all(root, editions, problem);
    json_decref(root);
    if (err)
        editions_free(editions);
    else
        *out = editions;
    return err;
}

static json_t *edition_json(const struct edition *edition) {
    char from[DAY_TEXT_SIZE];
    day_text(edition->from, from);
    return json_pack("{s:s, s:I, s:s, s:s, s:O}", "from", from, "published_ms",
                     (json_int_t)edition->published_ms, "by", edition->by, "hash", edition->hash,
                     "documents", edition->documents);
}

enum err editions_write(const struct editions *editions, char **text, struct problem *problem) {
    json_t *list = json_array();
    bool done = list != NULL;
    for (size_t i = 0; done && i < editions->count; i++)
        done = json_array_append_new(list, edition_json(&editions->items[i])) == 0;
    json_t *root = json_pack("{s:i, s:o}", "version", VERSION, "editions", list);
    *text = done && root ? json_dumps(root, FORM) : NULL;
    json_decref(root);
    if (!*text) return problem_set(problem, ERR_NOMEM, "out of memory");
    if (strlen(*text) <= EDITIONS_BYTES_MAX) return ERR_NONE;
    free(*text);
    *text = NULL;
    return problem_set(problem, ERR_FULL,
                       "all editions together have more than %d bytes; publish less often",
                       EDITIONS_BYTES_MAX);
}

void editions_free(struct editions *editions) {
    if (!editions) return;
    for (size_t i = 0; i < editions->count; i++)
        edition_fini(&editions->items[i]);
    free(editions);
}

enum err editions_append(struct editions *editions, struct edition *edition, int32_t oldest) {
    size_t kept = editions->count, first = 0;
    while (kept > 0 && editions->items[kept - 1].from >= edition->from)
        kept--;
    while (first < kept &&
           (first + 1 < kept ? editions->items[first + 1].from : edition->from) <= oldest)
        first++;
    if (kept - first == EDITIONS_MAX) return ERR_FULL;
    for (size_t i = 0; i < editions->count; i++)
        if (i < first || i >= kept) edition_fini(&editions->items[i]);
    memmove(editions->items, editions->items + first, (kept - first) * sizeof *editions->items);
    editions->count = kept - first;
    editions->items[editions->count++] = *edition;
    *edition = (struct edition){0};
    return ERR_NONE;
}
