#pragma once
// Where something holds: at some branches, in some regions or countries, or everywhere.

#include "worker/standards/reading.h"

/// Reads the keys branches, regions and countries of a map, each of which may be absent.
bool scope_read(struct reading *reading, const struct node *map, struct scope *scope);
/// Reads the list `offerings` of an overlay: at least one, each in offerings.yaml.
bool scope_offerings_read(struct reading *reading, const struct node *list, struct scope *scope);
bool scope_holds(const struct scope *scope, const struct standards_place *place);
