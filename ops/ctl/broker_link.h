#pragma once
// One question to the control endpoints of all brokers, at the same time; one answer of each.

#include "ops/ctl/brokers.h"
#include "ops/ctl/ctl.h"

/// Their status, put together. NULL: none answers, said on stderr.
json_t *brokers_status(const struct ctl *ctl);
/// Name on stderr who did not answer; whether all did.
bool brokers_tell(const json_t *status);
/// Ask all to drain a worker. CTL_OK: one of them does. CTL_FAILED: said why not.
int brokers_drain(const struct ctl *ctl, const char *worker);
