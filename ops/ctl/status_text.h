#pragma once
// What tresenctl status prints of the broker's answer.

#include <jansson.h>

void status_print(const json_t *status);
