#pragma once
// What tresenctl status prints of the broker's answer.

#include <jansson.h>
#include <stdbool.h>

/// Whether Redis runs an older function library than this worker brings.
bool library_is_older(const json_t *worker);
void status_print(const json_t *status);
