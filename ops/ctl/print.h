#pragma once
// JSON as text, for whoever calls tresenctl.

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/// On one line, or, indented, a value a line. Each real number is the shortest text that reads back
/// as the same, which jansson does not look for: 0.9, not 0.90000000000000002. false: no memory, or
/// nobody takes it.
bool json_print(FILE *out, json_t *json, bool indented);
