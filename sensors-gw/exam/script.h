#pragma once
// What is tried, in which order, and what it shows: one row a claim.

#include <stdbool.h>

enum exam_act {
    ACT_NOTHING,
    ACT_START,
    ACT_RESTART, // kill, then start
    ACT_CUT,     // the connection
    ACT_STRANGE, // an answer of a session that never was
    ACT_GRANT,   // answer the ask: where the store stands, window 4
    ACT_APPLY,   // all that came
    ACT_TWICE,   // all that came, and say so three times
    ACT_BACK,    // apply all, then answer an older position unasked
    ACT_OLD,     // answers of the session before, saying everything that could mislead
    ACT_GAP,     // claim that what came first is missing
    ACT_LATER,   // for twice the quiet time
    ACT_REFUSE,
    ACT_WINDOW_ZERO, // apply all, grant no more
    ACT_GARBAGE,     // bytes of no form, another version, unknown types and keys
    ACT_BEYOND,      // answer the ask: a number that was never written
    ACT_OTHER_TAG,   // answer the ask: another batch under a number applied
    ACT_FENCE,
};

enum exam_want {
    WANT_ASK,
    WANT_HELD,  // at least one batch unanswered, and no more to come without an answer
    WANT_TURN,  // an ask, or a batch of a new session
    WANT_IDLE,  // an ask, while everything that comes is applied at once
    WANT_QUIET, // nothing that is forbidden, for the quiet time
};

enum { FORBID_BATCH = 1, FORBID_ASK = 2, FORBID_END = 4 };

struct exam_row {
    enum exam_act act;
    enum exam_want want;
    unsigned forbid;
    unsigned rule;
    const char *claim; // completes "it ..."
    bool talks;        // its act needs a batch unanswered: where to begin again after a failure
    bool begins;       // likewise, but with whatever state
};

extern const struct exam_row exam_rows[];
extern const unsigned exam_row_count;
/// How the exam comes back into step after something went wrong.
extern const struct exam_row exam_recovery;
