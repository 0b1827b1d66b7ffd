#include "worker/engine/decide.h"

#include "worker/engine/score.h"

static void put(struct judgement *judgement, struct ruling ruling) {
    judgement->verdict = ruling.verdict;
    judgement->reason = ruling.reason;
    judgement->degree_millionths = ruling.degree_millionths;
}

static struct ruling take_off(struct judgement *judgement) {
    if (judgement->decided) put(judgement, judgement->found);
    judgement->decided = false;
    return (struct ruling){judgement->verdict, judgement->reason, judgement->degree_millionths};
}

/// What becomes of what was found; as it is where the decision changes nothing.
static struct ruling decide(struct ruling found, enum decision_kind kind) {
    bool violated = found.verdict == VERDICT_NOT_MET || found.verdict == VERDICT_PARTLY_MET;
    if (!violated && found.verdict != VERDICT_MET) return found;
    switch (kind) {
    case DECISION_CONFIRM:
        return (struct ruling){found.verdict, REASON_CONFIRMED, found.degree_millionths};
    case DECISION_EXCUSE:
        return violated ? (struct ruling){VERDICT_EXCUSED, REASON_PARDONED, -1} : found;
    case DECISION_DISPUTE:
        return (struct ruling){VERDICT_INSUFFICIENT_EVIDENCE, REASON_DISPUTED, -1};
    case DECISION_WITHDRAW:
    case DECISION_KIND_COUNT:
        break;
    }
    return found;
}

void engine_decide(const struct standard_set *set, const struct decision *decisions, size_t count,
                   struct judgement *judgements, struct scores *scores) {
    for (size_t i = 0; i < set->count; i++) {
        struct ruling found = take_off(&judgements[i]);
        const struct decision *decision = decision_of(decisions, count, &set->items[i].id);
        if (!decision) continue;
        struct ruling now = decide(found, decision->kind);
        if (now.verdict == found.verdict && now.reason == found.reason) continue;
        judgements[i].found = found;
        judgements[i].decided = true;
        put(&judgements[i], now);
    }
    score_encounter(set, judgements, scores);
}

bool judgement_waits(const struct standard *standard, const struct judgement *judgement) {
    return standard->status != STATUS_SHADOW &&
           (judgement->reason == REASON_UNCONFIRMED || judgement->reason == REASON_DISPUTED);
}
