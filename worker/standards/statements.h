#pragma once
// Values, and the norms that make them concrete: values.yaml and norms.yaml.

#include "worker/standards/reading.h"

/// Both roots may be NULL: damaged, and told.
void values_read(struct reading *reading, const struct node *root);
void norms_read(struct reading *reading, const struct node *root); // after the values
/// What no working standard serves becomes a warning. When all standards have been read.
void idle_statements_warn(struct reading *reading, const struct node *values,
                          const struct node *norms);
