#pragma once
// A text of an object of JSON, for printing.

#include <jansson.h>

const char *standard_text(const json_t *standard, const char *key); // "" if it is not there
