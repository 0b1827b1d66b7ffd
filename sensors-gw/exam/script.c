#include "sensors-gw/exam/script.h"

#define ROW(a, w, f, r, text) .act = a, .want = w, .forbid = f, .rule = r, .claim = text

const struct exam_row exam_rows[] = {
    {ROW(ACT_START, WANT_ASK, FORBID_BATCH, 3, "asks after connecting"), .begins = true},
    {ROW(ACT_NOTHING, WANT_QUIET, FORBID_BATCH, 3, "sends nothing until its ask is answered")},
    {ROW(ACT_STRANGE, WANT_QUIET, FORBID_BATCH, 5, "ignores an answer of another session")},
    {ROW(ACT_GRANT, WANT_HELD, 0, 6, "sends from number 1 after the answer to its first ask")},
    {ROW(ACT_NOTHING, WANT_QUIET, FORBID_END, 9, "sends no more than the window")},

    {ROW(ACT_RESTART, WANT_ASK, FORBID_BATCH, 4, "asks with its spool and epoch after a kill"),
     .begins = true},
    {ROW(ACT_GRANT, WANT_HELD, 0, 1, "sends again, after a kill, what it had sent")},

    {ROW(ACT_TWICE, WANT_HELD, 0, 0, "goes on after answers that came twice"), .talks = true},
    {ROW(ACT_BACK, WANT_ASK, 0, 6, "asks when the position went back unasked"), .talks = true},
    {ROW(ACT_GRANT, WANT_HELD, 0, 7, "sends again what was applied, when the store fell back")},

    {ROW(ACT_OLD, WANT_QUIET, FORBID_ASK | FORBID_END, 5, "ignores answers of old sessions"),
     .talks = true},
    {ROW(ACT_APPLY, WANT_HELD, 0, 5, "goes on with those of the present session")},

    {ROW(ACT_GAP, WANT_TURN, 0, 6, "goes back in a new session when the store has a gap"),
     .talks = true},
    {ROW(ACT_NOTHING, WANT_HELD, 0, 6, "sends from the gap on")},

    {ROW(ACT_LATER, WANT_QUIET, FORBID_BATCH, 0, "sends no batch when told to come later"),
     .talks = true},
    {ROW(ACT_NOTHING, WANT_ASK, FORBID_BATCH, 0, "asks after the pause")},
    {ROW(ACT_GRANT, WANT_HELD, 0, 0, "goes on after the pause")},

    {ROW(ACT_REFUSE, WANT_QUIET, FORBID_BATCH | FORBID_END, 0, "sends no batch when refused"),
     .talks = true},
    {ROW(ACT_RESTART, WANT_ASK, FORBID_BATCH, 4, "asks with its spool and epoch after a refusal"),
     .begins = true},
    {ROW(ACT_GRANT, WANT_HELD, 0, 1, "kept what was refused")},

    {ROW(ACT_WINDOW_ZERO, WANT_QUIET, FORBID_BATCH, 9, "sends no batch into a window of 0"),
     .talks = true},
    {ROW(ACT_NOTHING, WANT_ASK, FORBID_BATCH, 9, "asks after a while with window 0")},
    {ROW(ACT_GRANT, WANT_HELD, 0, 9, "goes on when the window opens")},

    {ROW(ACT_NOTHING, WANT_ASK, 0, 9, "asks in a new session when no answer comes"), .talks = true},
    {ROW(ACT_GRANT, WANT_HELD, 0, 9, "goes on when answers come again")},

    {ROW(ACT_CUT, WANT_ASK, FORBID_BATCH, 3, "asks first over a new connection"), .talks = true},
    {ROW(ACT_GRANT, WANT_HELD, 0, 6, "goes on over the new connection")},

    {ROW(ACT_GARBAGE, WANT_QUIET, FORBID_END, 0, "survives garbage"), .talks = true},
    {ROW(ACT_APPLY, WANT_HELD, FORBID_END, 0, "goes on after garbage")},

    {ROW(ACT_APPLY, WANT_IDLE, 0, 10, "asks when it is idle"), .talks = true},

    {ROW(ACT_RESTART, WANT_ASK, FORBID_BATCH, 4, "asks with its spool and epoch after all that"),
     .begins = true},
    {ROW(ACT_BEYOND, WANT_QUIET, FORBID_BATCH | FORBID_ASK, 8,
         "stops when the store has more than it ever wrote")},
    {ROW(ACT_RESTART, WANT_ASK, FORBID_BATCH, 3, "asks first when started again"), .begins = true},
    {ROW(ACT_OTHER_TAG, WANT_QUIET, FORBID_BATCH | FORBID_ASK, 8,
         "stops when the store has another batch under its number")},
    {ROW(ACT_RESTART, WANT_ASK, FORBID_BATCH, 3, "asks first when started once more"),
     .begins = true},
    {ROW(ACT_FENCE, WANT_QUIET, FORBID_BATCH | FORBID_ASK, 8, "stops when it is fenced")},
};
const unsigned exam_row_count = sizeof exam_rows / sizeof *exam_rows;

const struct exam_row exam_recovery = {
    ROW(ACT_RESTART, WANT_HELD, 0, 0, "comes back when it is started again")};
