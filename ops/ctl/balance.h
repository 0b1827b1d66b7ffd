#pragma once
// The flow balance of a gateway: spooled = applied + dead + dropped + expired + held, each counted
// where it happens. The gateway reports what it spooled, what it dropped because its spool was
// full, and how many rows it holds; the store counts what it applied, its dead letters, and the
// numbers that no spool held any more. Those the gateway had dropped, but for what it left out
// before it had a number; the rest is expired: applied once, then lost by the store when their
// retention was over. A gateway that does not tell what it left out counts as one that left out
// nothing.

#include "worker/store/state.h"

#include <jansson.h>

/// report: of the gateway, from the broker's status; NULL: it has not reported.
json_t *balance_json(const struct store_gateway *gateway, const json_t *report);
void balance_print(const json_t *balance);
