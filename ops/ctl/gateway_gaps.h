#pragma once
// What is gone of a gateway's data, and when that was.

#include "ops/ctl/store_link.h"

#include <jansson.h>

/// Of all gaps of a branch (`gaps` of KEYS.md) those of this gateway, oldest first: kind, from and
/// to (numbers, or times without data), since and until (event times between which all of it lies,
/// or null), noticed, counter, reason.
json_t *gateway_gaps_json(const redisReply *gaps, const struct id *gateway);

/// The newest of them, a line each.
void gateway_gaps_print(const json_t *gaps);
