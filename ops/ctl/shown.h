#pragma once
// Whose standards a command shows: those of a configuration folder, or (--published) those that the
// workers judge by.

#include "ops/ctl/sets.h"

struct shown {
    struct catalogue catalogue; // the branches are the folder's in either case
    bool published;
    const char *folder;
    char hash[SET_HASH_TEXT_SIZE]; // of the documents: equal documents have an equal one
    int32_t from;                  // published: the day from which on; 0: from the beginning
};

enum shown_which { SHOWN_IN_FORCE, SHOWN_NEWEST };

/// Opens what the command line asks for. branch (NULL: none) is where --day, or today, decides
/// which edition is in force; SHOWN_NEWEST takes the latest where no --day is given. false: said
/// why not; shown_close it anyway.
bool shown_open(const struct ctl *ctl, const char *branch, enum shown_which which,
                struct shown *out);
/// The folder of this name.
bool shown_open_folder(const char *folder, struct shown *out);
void shown_close(struct shown *shown);

/// "{"published": false, "folder": "config", "hash": ..., "from": ""}".
json_t *shown_json(const struct shown *shown);
/// The same as half a sentence: "config, documents 0123456789ab", or "edition 0123456789ab,
/// published, holds from 2026-12-01 on".
void shown_print(const struct shown *shown, FILE *out);
