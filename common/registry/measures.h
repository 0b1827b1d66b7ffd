#pragma once
// config/measures.yaml: what can be measured, in which unit, how exactly, and what the law calls
// it.
//
//   - id: distance.client
//     kind: samples            # or events; events have no unit, resolution, range and uncertainty
//     unit: m
//     resolution: 0.01
//     range: [0, 20]
//     uncertainty: 0.05
//     legal: P1                # P0 no person ... P4 biometric identity, P5 inferred emotion
//     text: {de: ..., en: ...}

#include "common/domain/measure.h"
#include "common/settings/document.h"

/// What people read about a measure.
struct measure_text {
    char *de, *en;
};

/// The measures and their texts, in the same order (sorted by id).
struct measure_catalogue {
    struct measures measures;
    struct measure_text *texts;
};

/// root is a list of measures. false: reported, and *out is empty.
bool measures_read(const struct node *root, struct measure_catalogue *out,
                   struct problems *problems);
/// The same from a file.
bool measures_load(const char *path, struct measure_catalogue *out, struct problems *problems);
void measures_free(struct measure_catalogue *catalogue);
