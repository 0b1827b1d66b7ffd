#include "worker/engine/compose.h"

#include <assert.h>

/// Higher speaks for lower ones.
static int rank(enum check_kind kind, enum verdict verdict) {
    static const int ranks[2][VERDICT_COUNT] = {
        {[VERDICT_NOT_APPLICABLE] = 1,
         [VERDICT_MET] = 2,
         [VERDICT_PARTLY_MET] = 3,
         [VERDICT_INSUFFICIENT_EVIDENCE] = 4,
         [VERDICT_ERROR] = 5,
         [VERDICT_NOT_MET] = 6},
        {[VERDICT_NOT_APPLICABLE] = 1,
         [VERDICT_NOT_MET] = 2,
         [VERDICT_PARTLY_MET] = 3,
         [VERDICT_INSUFFICIENT_EVIDENCE] = 4,
         [VERDICT_ERROR] = 5,
         [VERDICT_MET] = 6},
    };
    int found = ranks[kind == CHECK_ANY][verdict];
    assert(found > 0);
    return found;
}

bool compose_speaks(enum check_kind kind, const struct judgement *one,
                    const struct judgement *other) {
    int left = rank(kind, one->verdict), right = rank(kind, other->verdict);
    if (left != right) return right > left;
    return kind == CHECK_ANY ? other->degree_millionths > one->degree_millionths
                             : other->degree_millionths < one->degree_millionths;
}

void compose_turn(struct judgement *judgement) {
    if (judgement->degree_millionths < 0) return; // no outcome
    judgement->degree_millionths = MILLION - judgement->degree_millionths;
    judgement->reason = REASON_VIOLATED;
    if (judgement->verdict == VERDICT_PARTLY_MET) return;
    bool met = judgement->verdict == VERDICT_NOT_MET;
    judgement->verdict = met ? VERDICT_MET : VERDICT_NOT_MET;
    if (met) judgement->reason = REASON_HELD;
}
