#pragma once
// Decisions of people as the store keeps them with an encounter: one after the other, by standard,
// then kind. KEYS.md gives the bytes.

#include "common/base/bytes.h"
#include "common/domain/decision.h"

enum { DECISIONS_MAX = 256 }; // of one encounter

/// standard, kind, decided_ms, by and reason.
void decision_write(const struct decision *decision, struct buffer *out);
/// At most DECISIONS_MAX, without encounter, counter and begin. ERR_FORMAT.
MUST_CHECK enum err decisions_read(struct bytes bytes, struct decision decisions[DECISIONS_MAX],
                                   size_t *count);
