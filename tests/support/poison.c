// A worker that dies of what bears these marks, for tests only: it is linked from the worker's own
// parts, with body_decode and engine_evaluate wrapped (ld --wrap). A kill leaves what a crash does.

#include "common/wire/body.h"
#include "worker/engine/evaluate.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char in_body[] = "crash-the-decoder", in_encounter[] = "crash-the-engine";
static const char held[] = "crash-the-decoder-held";

/// Says of what, then dies; of `held` only when it is killed.
static void die(struct bytes body, const char *mark) {
    const char *end = (const char *)body.data + body.size;
    int length = 0;
    while (mark + length < end && (isalnum((unsigned char)mark[length]) || mark[length] == '-'))
        length++;
    fprintf(stderr, "poison: %.*s\n", length, mark);
    while ((size_t)length == sizeof held - 1 && memcmp(mark, held, sizeof held - 1) == 0)
        pause();
    raise(SIGKILL);
}

// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier)
enum err __real_body_decode(struct bytes body, const struct measures *measures, struct arena *arena,
                            struct batch *batch, struct body_oddities *odd,
                            struct problem *problem);
enum err __wrap_body_decode(struct bytes body, const struct measures *measures, struct arena *arena,
                            struct batch *batch, struct body_oddities *odd,
                            struct problem *problem);
void __real_engine_evaluate(const struct standard_set *set, const struct encounter *encounter,
                            const struct series *series, size_t series_count,
                            const struct engine_context *context, struct judgement *out,
                            struct scores *scores);
void __wrap_engine_evaluate(const struct standard_set *set, const struct encounter *encounter,
                            const struct series *series, size_t series_count,
                            const struct engine_context *context, struct judgement *out,
                            struct scores *scores);

enum err __wrap_body_decode(struct bytes body, const struct measures *measures, struct arena *arena,
                            struct batch *batch, struct body_oddities *odd,
                            struct problem *problem) {
    const char *mark = memmem(body.data, body.size, in_body, sizeof in_body - 1);
    if (mark) die(body, mark);
    return __real_body_decode(body, measures, arena, batch, odd, problem);
}

void __wrap_engine_evaluate(const struct standard_set *set, const struct encounter *encounter,
                            const struct series *series, size_t series_count,
                            const struct engine_context *context, struct judgement *out,
                            struct scores *scores) {
    if (strcmp(encounter->id.text, in_encounter) == 0) raise(SIGKILL);
    __real_engine_evaluate(set, encounter, series, series_count, context, out, scores);
}
// NOLINTEND(bugprone-reserved-identifier)
