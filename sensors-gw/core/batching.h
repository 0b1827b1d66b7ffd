#pragma once
// From what drivers see to batches: collects series by measure and counter, cuts batches so that
// no limit is ever exceeded, and keeps the watermark's promise. Pure; allocates at new only.
//
// Every driver has a *source*, its own door to the batching of the gateway. The gateway's
// watermark is the least of its sources' that have not ended.

#include "common/base/bytes.h"
#include "common/domain/batch.h"

struct batching;
struct source;

// ------------------------------------------------------------------ what a driver calls

/// One sample, in the measure's unit; confidence in percent. Not finite or outside the measure's
/// range: counted `out_of_range`. Older than this source's watermark: counted `late`.
void batching_sample(struct source *source, const struct measure *measure, const struct id *counter,
                     int64_t t_ms, double value, uint8_t confidence);

/// One event of a measure of kind events; label [A-Za-z0-9_.:-]{1,64}, else counted `bad_label`.
void batching_event(struct source *source, const struct measure *measure, const struct id *counter,
                    int64_t t_ms, struct bytes label, uint8_t confidence);

/// The sensor watched from..to (to is excluded; at most a day): absence in there is evidence. Say
/// it for what has been read already, in pieces that touch (a frame, a second), before or after
/// the members in it. Outside of all watched spans an event counts as watched in its own
/// millisecond only; samples of a series for which this is never called, from the first to the
/// last, over batches too unless they lie further apart than BRIDGE_MOST_MS. A part older than the
/// watermark is cut off.
void batching_watch(struct source *source, const struct measure *measure, const struct id *counter,
                    int64_t from_ms, int64_t to_ms);

/// What an earlier run has handed over already and this one reads again: its series go on from
/// there. Nothing else comes of it.
void batching_sample_passed(struct source *source, const struct measure *measure,
                            const struct id *counter, int64_t t_ms, double value);
void batching_watch_passed(struct source *source, const struct measure *measure,
                           const struct id *counter);

/// An encounter opened, changed or ended: the fields that are set. Never late: what the store has
/// already made final, it counts itself. What encounter_check refuses: counted `bad_encounter`.
void batching_encounter(struct source *source, const struct encounter *encounter);
void batching_withdrawn(struct source *source, const struct name *encounter, const char *reason);

/// What a person decided; of the office only.
void batching_decision(struct source *source, const struct decision *decision);

/// from..to has no data at this counter (NULL: at none), and why: [A-Za-z0-9_.:-]{1,64}.
void batching_gap(struct source *source, const struct id *counter, struct span span,
                  const char *reason);

/// This source will append nothing older than t_ms. It never goes back: an older one is ignored.
void batching_watermark(struct source *source, int64_t t_ms);

/// Something odd in what the sensor delivered, counted under a name that lives for ever (a
/// literal), such as "negative_wait". The gateway logs and reports the counts.
void batching_oddity(struct source *source, const char *name);

// ------------------------------------------------------------------ what the gateway calls

struct batching_limits {
    uint32_t observations_max;   // samples and events a batch, 1..BATCH_OBSERVATIONS_MAX
    uint32_t body_max;           // bytes an encoded batch never exceeds, 8192..BATCH_BODY_MAX
    uint32_t linger_ms;          // an unfinished batch is cut so long after its first content
    uint32_t clock_error_ms;     // stated in each batch
    enum legal_class legal_most; // measures of a higher class: counted `forbidden_measure`
    const struct id *counters;   // the gateway's own, from the registry: any other is refused and
    size_t counter_count;        // counted `foreign_counter`; they outlive the batching
};

/// Takes each finished batch, in order; the batch is valid during the call.
typedef void batching_take(void *context, const struct batch *batch);

/// watermark_ms: what this gateway has promised already (TIME_NONE: nothing); it holds on.
struct batching *batching_new(const struct batching_limits *limits, size_t source_count,
                              int64_t watermark_ms, batching_take *take,
                              void *context);  // NULL: out of memory
void batching_free(struct batching *batching); // accepts NULL
struct source *batching_source(struct batching *batching, size_t index);

/// Sees each sample that was taken in, as it is stored, before it can be in any batch.
struct taken_sample {
    const struct measure *measure;
    size_t counter; // its place in limits.counters
    int64_t t_ms;
    int32_t stored;
    uint8_t confidence;
};
typedef void batching_observer(void *context, const struct taken_sample *sample);
void batching_observe(struct batching *batching, batching_observer *observer, void *context);
/// The least watermark of the other sources that have not ended; TIME_NONE: one has none yet, or
/// there is none.
int64_t batching_others_ms(const struct source *source);

/// The monotonic time of what follows: starts the lingering of an unfinished batch.
void batching_now(struct batching *batching, uint64_t now_ms);
/// When an unfinished batch should be cut; UINT64_MAX: nothing is waiting.
uint64_t batching_deadline_ms(const struct batching *batching);
/// Hand out what is unfinished, if anything is.
void batching_cut(struct batching *batching);
/// Hand out a batch that only carries the watermark, if that has moved since the last batch.
void batching_cut_watermark(struct batching *batching);
/// This source's driver has ended: it holds the gateway's watermark back no longer.
void batching_end(struct source *source);
/// A fact of the gateway itself: birth, goodbye.
void batching_fact(struct batching *batching, const struct fact *fact);

int64_t batching_watermark_ms(const struct batching *batching);
/// The oddities counted so far: index 0.. while true.
bool batching_oddity_at(const struct batching *batching, size_t index, const char **name,
                        uint64_t *count);
