#pragma once
// The first bytes of a recording or stream, told to people: what is in them, in units.

#include "common/domain/measure.h"
#include "sensors-gw/drivers/recognise.h"

#include <stdio.h>

/// measures: what measures.yaml declares; empty if there is none.
void glimpse_print(struct bytes start, const struct recognised *is, const struct measures *measures,
                   FILE *out);
