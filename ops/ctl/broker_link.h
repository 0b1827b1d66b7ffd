#pragma once
// One question to the broker's control endpoint, one answer.

#include "ops/ctl/ctl.h"

/// The broker's status. NULL: said on stderr why not.
json_t *broker_status(const struct ctl *ctl);
/// Ask it to drain a worker. CTL_OK or CTL_FAILED (said why).
int broker_drain(const struct ctl *ctl, const char *worker);
