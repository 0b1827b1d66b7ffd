#pragma once
// What was published: editions of the configuration's documents, each in force from some day on.
//
//   {"version": 1, "editions": [
//     {"from": "", "published_ms": 1764288000000, "by": "anna@office", "hash": SHA-256 in hex,
//      "documents": {"measures.yaml": TEXT, "standards/timing.yaml": TEXT, ...}}, ...]}
//
// An edition holds from its day on (each branch's local day; the first has none and holds from the
// beginning) until the next one's. It is never changed: so whatever is judged again, is judged the
// same.

#include "worker/standards/day.h"
#include "worker/standards/standards.h"

enum {
    EDITIONS_MAX = 64,
    EDITION_BY_SIZE = 128,
    EDITION_BYTES_MAX = 2 << 20,  // of its documents
    EDITIONS_BYTES_MAX = 8 << 20, // of the whole text
};

struct edition {
    int32_t from; // local day such as 20261201; 0: from the beginning
    int64_t published_ms;
    char by[EDITION_BY_SIZE];
    char hash[SET_HASH_TEXT_SIZE]; // of the documents
    size_t file_count;
    struct standards_file *files; // by name; they point into documents
    struct json_t *documents;
};

struct editions {
    size_t count; // by their days
    struct edition items[EDITIONS_MAX];
};

/// An edition of these documents, without day and author. edition_fini it, whatever comes.
/// ERR_FULL    too large
/// ERR_FORMAT  a text is not UTF-8
MUST_CHECK enum err edition_init(struct edition *edition, const struct standards_file *files,
                                 size_t count, struct problem *problem);
void edition_fini(struct edition *edition);

/// ERR_VERSION  written by a Tresen that says it otherwise
/// ERR_FORMAT   damaged
MUST_CHECK enum err editions_read(struct bytes text, struct editions **out,
                                  struct problem *problem);
/// The canonical text, to be freed. ERR_FULL: too large.
MUST_CHECK enum err editions_write(const struct editions *editions, char **text,
                                   struct problem *problem);
void editions_free(struct editions *editions); // accepts NULL

/// Moves *edition to the end, in place of all that would begin on its day or later; lets go of
/// those that were followed by another on `oldest` or before. ERR_FULL: nothing changed.
MUST_CHECK enum err editions_append(struct editions *editions, struct edition *edition,
                                    int32_t oldest);

/// The SHA-256 of a text in hex.
void sha256_text(struct bytes text, char hash[SET_HASH_TEXT_SIZE]);
