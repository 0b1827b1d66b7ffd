#pragma once
// What a gateway has shown so far, and whether it agrees with itself: the rules of PROTOCOL.md,
// section 7, that hold for every message whatever happens around it.

#include "common/domain/batch.h"
#include "common/domain/position.h"
#include "common/wire/arena.h"
#include "common/wire/message.h"

/// Rule 0 is the form of messages and bodies, and what each status asks for; 1 .. 14 as numbered.
enum { EXAM_RULES = 15, EXAM_REASON_SIZE = 256 };

enum exam_mark { EXAM_NOT_SEEN, EXAM_PASSED, EXAM_FAILED };

struct exam_rule {
    uint32_t checks, failed;
    char reason[EXAM_REASON_SIZE]; // of the first failure
};
enum exam_mark exam_rule_mark(const struct exam_rule *rule);
const char *exam_rule_text(unsigned rule); // "Durable before sent" ...

enum { WITNESS_BATCHES_MAX = 8192 }; // of higher numbers only the order is checked

/// A batch as it was first sent.
struct witness_batch {
    struct tag tag;
    uint64_t body; // hash; 0: not seen
    uint32_t run;  // of the program
};

struct witness {
    const struct measures *measures;
    struct exam_rule rules[EXAM_RULES];
    struct arena arena;
    struct witness_batch *batches; // by number
    bool spool_known;
    struct spool_id spool;
    uint64_t epoch;       // granted; 0: none yet
    uint64_t session;     // highest
    uint64_t last;        // highest number ever sent
    uint64_t applied_top; // highest number ever applied
    int64_t watermark_ms; // of the highest number
};

MUST_CHECK enum err witness_init(struct witness *witness, const struct measures *measures);
void witness_fini(struct witness *witness);

/// One claim about a rule: held or not, and if not what was seen. Says whether it held.
bool witness_check(struct witness *witness, unsigned rule, bool held, const char *format, ...)
    PRINTF_LIKE(4, 5);
void witness_ask(struct witness *witness, const struct message *ask);
/// expected: the number that is due; first: of its session; run: which start of the program.
void witness_batch(struct witness *witness, const struct message *batch, uint64_t expected,
                   bool first, uint32_t run);
/// The tag under which a number was sent, or what number 1 follows; all zero: not remembered.
struct tag witness_tag(const struct witness *witness, uint64_t number);
