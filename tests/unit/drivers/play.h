#pragma once
// Plays one entry of a gateway's `drivers:` through a driver into text, as the gateway would read
// it: bounded turns, and, if wanted, a restart from the cursor after every so many turns.
//
//   F ID COUNTER OFFERING LANGUAGE EMPLOYEE OUTCOME ISSUED CALLED STARTED ENDED
//                                         in order; - is none
//   X ID REASON                           withdrawn
//   G COUNTER FROM TO REASON              gap
//   S MEASURE COUNTER T STORED CONFIDENCE samples: the stored integer; sorted
//   E MEASURE COUNTER T LABEL CONFIDENCE  events; sorted
//   W MEASURE COUNTER FROM TO             watched spans, merged and sorted
//   M WATERMARK                           the last
//   D ENCOUNTER COUNTER STANDARD DECISION BEGAN DECIDED BY WHY
//   O NAME COUNT                          oddities, those of the last run after a restart; sorted
//   R REMARK                              of the last run

#include "common/domain/measure.h"
#include "common/domain/time.h"
#include "common/settings/document.h"
#include "sensors-gw/drivers/driver.h"

#include <stdbool.h>

struct play {
    const struct node *entry; // of `drivers:`
    const struct measures *measures;
    const struct zone *zone;
    uint32_t budget;
    uint32_t restart_every;      // turns; 0: never
    struct cursor cursor;        // where to begin
    int64_t utc_ms;              // the wall clock, which stands still
    uint64_t now_ms, stop_at_ms; // with stop_at_ms: the clock jumps to each wake_ms up to there
};

struct played {
    char *facts;  // F, X, G, D
    char *series; // S, E, W
    char *notes;  // M, O, R
    enum err err; // ERR_END, or why it stopped
    struct problem problem;
    uint32_t turns, restarts;
    bool late_fact; // an encounter was opened before a watermark that had been announced
    uint32_t most;  // observations and facts in one turn
};

void play_run(const struct play *play, struct played *played);
void played_free(struct played *played);
