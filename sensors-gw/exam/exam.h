#pragma once
// Plays the broker and the store against a gateway program, whatever it is written in: steps back,
// duplicates, window 0, answers of old sessions, garbage, kill and restart; and says for each rule
// of PROTOCOL.md whether it was kept. Pure: inputs in, actions out.

#include "sensors-gw/exam/witness.h"

struct exam;

struct exam_settings {
    const struct measures *measures;
    uint64_t patience_ms; // for what must come; above the gateway's own 10 s of silence
    uint64_t quiet_ms;    // in which what must not come does not
};

enum exam_input_kind {
    EXAM_INPUT_FRAME, // connection, frame
    EXAM_INPUT_ENDED, // the program ended by itself
    EXAM_INPUT_TICK,  // the first input, and at each deadline
};
struct exam_input {
    enum exam_input_kind kind;
    uint64_t now_ms;     // monotonic
    uint32_t connection; // a later connection has a higher number
    struct bytes frame;
};

enum exam_action_kind {
    EXAM_START, // the program, when what was killed is gone
    EXAM_KILL,  // if it runs: at once, without a chance to tidy up
    EXAM_CUT,   // all connections; others can be made at the same place
    EXAM_SEND,  // frame, over connection
};
struct exam_action {
    enum exam_action_kind kind;
    uint32_t connection;
    struct bytes frame; // until the next step
};
enum { EXAM_ACTIONS_MAX = 16 };
struct exam_actions {
    size_t count;
    struct exam_action items[EXAM_ACTIONS_MAX];
};

/// NULL: out of memory.
struct exam *exam_new(const struct exam_settings *settings);
void exam_free(struct exam *exam); // accepts NULL

void exam_step(struct exam *exam, const struct exam_input *in, struct exam_actions *out);
uint64_t exam_deadline_ms(const struct exam *exam);
/// Nothing more will be tried; *why then says what kept it from being tried to the end, or NULL.
bool exam_over(const struct exam *exam, const char **why);
const struct exam_rule *exam_rule(const struct exam *exam, unsigned rule);
/// What is being tried, for people.
const char *exam_trying(const struct exam *exam);
