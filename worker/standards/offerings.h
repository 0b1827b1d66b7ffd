#pragma once
// What the company offers, and how long the first and last phase of serving it are: offerings.yaml.

#include "worker/standards/reading.h"

/// root may be NULL: damaged, and told.
void offerings_read(struct reading *reading, const struct node *root);
