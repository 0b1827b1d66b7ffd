#pragma once
// Where each series that only has samples ended in an earlier batch, so that cutting a batch is no
// interruption: its sensor went on watching between the last sample there and the first here.
// Pure; allocates at new only.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What lies further apart is no bridge but two stretches: as long as any standard lets a sample hold.
enum { BRIDGE_MOST_MS = 3600000 };

/// A series: a measure's key at a counter.
struct bridge_series {
    uint32_t measure, counter;
};

struct bridges;
struct bridges *bridges_new(size_t series_most); // NULL: out of memory
void bridges_free(struct bridges *bridges);      // accepts NULL

/// It ended there, and goes on from there. One series more than the most is not remembered.
void bridges_end(struct bridges *bridges, struct bridge_series series, int64_t to_ms);
/// Its driver says itself when it watches: there is no bridge from here on.
void bridges_declare(struct bridges *bridges, struct bridge_series series);
/// From when it watches, whose next sample is of t_ms: at most t_ms.
int64_t bridges_from(const struct bridges *bridges, struct bridge_series series, int64_t t_ms);
