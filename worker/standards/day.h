#pragma once
// A local day as a number: 20261201, in order as days are.

#include "common/domain/time.h"

/// 20261201 as 2026-12-01; 0 as an empty text.
void day_text(int32_t day, char text[DAY_TEXT_SIZE]);
/// The reverse. false: no day from 1970 on.
bool day_parse(const char *text, int32_t *day);
/// The day after this one.
int32_t day_after(int32_t day);
