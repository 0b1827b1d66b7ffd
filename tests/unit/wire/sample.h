#pragma once
// Measures and a batch with everything in it, for the tests of this folder.

#include "common/base/hash.h"
#include "common/wire/body.h"

#include <string.h>

enum { SAMPLE_TIME = 1000, SAMPLE_MEMBERS = 5 };
#define SAMPLE_DAY INT64_C(1795392000000) // 2026-11-23T00:00:00Z

static struct measure sample_measure_items[] = {
    {.id = {"audio.phrase"}, .kind = MEASURE_EVENTS, .resolution = 1, .most = 1},
    {.id = {"distance.client"},
     .kind = MEASURE_SAMPLES,
     .unit = "m",
     .resolution = 0.01,
     .least = 0,
     .most = 20},
};
static const struct measures sample_measures = {2, sample_measure_items};

static int32_t sample_t[SAMPLE_MEMBERS] = {0, 100, 250, 250, 1000};
static int32_t sample_steps[SAMPLE_MEMBERS] = {0, 200, 400, 600, 800};
static int32_t sample_values[SAMPLE_MEMBERS] = {120, 0, 2000, 37, 115};
static int32_t sample_places[SAMPLE_MEMBERS] = {0, 1, 0, 1, 1};
static uint8_t sample_confidence[SAMPLE_MEMBERS] = {100, 80, 80, 0, 29};
static uint8_t sample_sure[SAMPLE_MEMBERS] = {100, 100, 100, 100, 100};
static struct name sample_labels[2] = {{"greeting"}, {"farewell"}};
static struct id sample_ids[2] = {{"desk-1"}, {"desk-2"}};
static struct id sample_measure_ids[2] = {{"audio.phrase"}, {"distance.client"}};

static struct batch_series sample_series[] = {
    {.measure = &sample_measure_items[1],
     .counter = {"desk-1"},
     .watched = {SAMPLE_DAY, SAMPLE_DAY + 60000},
     .base_ms = SAMPLE_DAY + SAMPLE_TIME,
     .columns = {SAMPLE_MEMBERS, sample_t, sample_values, sample_confidence}},
    {.measure = &sample_measure_items[1],
     .counter = {"desk-2"},
     .watched = {SAMPLE_DAY, SAMPLE_DAY + 60000},
     .base_ms = SAMPLE_DAY,
     .columns = {SAMPLE_MEMBERS, sample_steps, sample_values, sample_sure}},
    {.measure = &sample_measure_items[0],
     .counter = {"desk-1"},
     .watched = {SAMPLE_DAY, SAMPLE_DAY + 60000},
     .base_ms = SAMPLE_DAY + SAMPLE_TIME,
     .columns = {SAMPLE_MEMBERS, sample_t, sample_places, sample_sure},
     .label_count = 2,
     .labels = sample_labels},
    {.measure = &sample_measure_items[0], // watched, and there was nothing
     .counter = {"desk-2"},
     .watched = {SAMPLE_DAY, SAMPLE_DAY + 60000},
     .base_ms = SAMPLE_DAY},
};

static struct fact sample_facts[] = {
    {.kind = FACT_BIRTH, .measures = {2, sample_measure_ids}, .counters = {2, sample_ids}},
    {.kind = FACT_ENCOUNTER,
     .encounter = {.id = {"log:17"},
                   .counter = {"desk-1"},
                   .offering = {"cash"},
                   .employee = "k3j9q",
                   .language = "de",
                   .outcome = OUTCOME_NORMAL,
                   .issued_ms = SAMPLE_DAY,
                   .called_ms = SAMPLE_DAY + 1,
                   .started_ms = SAMPLE_DAY + 2,
                   .ended_ms = SAMPLE_DAY + 3}},
    {.kind = FACT_ENCOUNTER,
     .encounter = {.id = {"log:18"},
                   .counter = {"desk-2"},
                   .issued_ms = SAMPLE_DAY + 9,
                   .called_ms = TIME_NONE,
                   .started_ms = TIME_NONE,
                   .ended_ms = TIME_NONE}},
    {.kind = FACT_WITHDRAWN,
     .encounter = {.id = {"log:16"},
                   .issued_ms = TIME_NONE,
                   .called_ms = TIME_NONE,
                   .started_ms = TIME_NONE,
                   .ended_ms = TIME_NONE},
     .reason = {"test-ticket"}},
    {.kind = FACT_GAP,
     .gap = {SAMPLE_DAY, SAMPLE_DAY + 5},
     .counter = {"desk-1"},
     .reason = {"restart"}},
    {.kind = FACT_DECISION,
     .decision = {.encounter = {"log:17"},
                  .standard = {"wait"},
                  .counter = {"desk-1"},
                  .began_ms = SAMPLE_DAY + 1000,
                  .kind = DECISION_DISPUTE,
                  .decided_ms = SAMPLE_DAY + 90000,
                  .by = {"eva"},
                  .reason = "the sensor was covered, see the photo of the cupboard"}},
    {.kind = FACT_GOODBYE},
};

static const struct batch sample_batch = {
    .watermark_ms = SAMPLE_DAY + 60000,
    .clock_error_ms = 40,
    .series_count = sizeof sample_series / sizeof sample_series[0],
    .series = sample_series,
    .fact_count = sizeof sample_facts / sizeof sample_facts[0],
    .facts = sample_facts,
};
