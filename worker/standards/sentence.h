#pragma once
// The sentence of a standard, in which the figures that hold stand in for {least} and {most}, so
// that a layer that moves a figure moves the sentence.
//
//   {least} {most}             the bound's ends, with their unit: "10 Sekunden", "0.45 metres"
//   {band.least} {band.most}   those of the band
//   {least.number}             without the unit; .percent of 0.3 "30 percent"; .times of 1 "once"

#include "worker/standards/reading.h"

/// Checks the two sentences of a standard that was read: each figure in braces is known and there,
/// and both sentences say the same ones. Warns of an end of the bound that is written out.
bool sentence_check(struct reading *reading, const struct node *text, const struct rule *rule);

/// Warns of a layer that moves an end of the bound which the sentence does not say.
void sentence_check_moved(struct reading *reading, const struct rule *rule,
                          const struct overlay *overlay);

/// One of the sentences with the figures of the standard as it holds somewhere.
void sentence_put(struct buffer *out, const char *sentence, const struct standard *standard,
                  const char *language);
