#pragma once
// An overlay: what the law, an agreement, a culture, a region or a branch adds to the standards.
//
//   - overlay: de.distance
//     layer: culture             # law, agreement, culture, region or branch
//     where: {countries: [DE]}   # or regions, branches; everywhere if absent
//     source: Sorokowska et al. (2017)
//     standard: proxemics.mean   # either a figure of one standard ...
//     bound: {least: 0.90}
//     degree: [[0.45, 0], [0.90, 1], [2.10, 1], [3.60, 0]]
//     permits: [P3]              # ... or what may be measured (or alert live): permits (agreement
//     only) or forbids

#include "worker/standards/reading.h"

/// Reads one entry of a file in overlays/. The standards have been read before.
/// false: reported; overlay_free it nevertheless.
bool overlay_read(struct reading *reading, const struct node *node, struct overlay *overlay);
void overlay_free(struct overlay *overlay);
