#pragma once
// The key file of the pseudonyms: 64 hexadecimal digits, readable by its owner only.

#include "sensors-gw/core/pseudonym.h"

/// Read the file; make it with a random key (mode 0600) if it is not there.
/// ERR_REFUSED: others may read it; ERR_FORMAT: not a key; ERR_IO. *problem names the file.
MUST_CHECK enum err pseudonym_key_load(const char *path, uint8_t key[PSEUDONYM_KEY_SIZE],
                                       struct problem *problem);
