#pragma once
// The canonical JSON text of a set: sorted keys, no blanks. What its hash is made of.

#include "worker/standards/model.h"

/// The text, to be freed; NULL: out of memory. rules[i] is what set->items[i] was made of.
char *set_text(const struct standards *standards, const struct standard_set *set,
               const struct rule *const *rules, const struct standards_place *place);
