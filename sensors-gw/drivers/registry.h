#pragma once
// All drivers of this program, by name.

#include "sensors-gw/drivers/driver.h"

/// NULL: there is none of that name.
const struct driver *driver_find(const char *name, size_t size);
/// index 0.. until NULL: for --help and for error messages.
const struct driver *driver_at(size_t index);
