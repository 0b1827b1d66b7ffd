#pragma once
// One standard: from its node to the figures the engine reads.

#include "worker/standards/reading.h"

/// false: at least one problem was reported; *rule is zero or must be given to rule_free.
bool rule_read(struct reading *reading, const struct node *node, struct rule *rule);
void rule_free(struct rule *rule);
