#include "worker/standards/checks.h"

#include "worker/standards/figures.h"

#include <string.h>

enum { GAP_S_MOST = 3600, OFFSET_S_MOST = 24 * 3600 };

/// A figure takes from the standard what it does not say itself.
static const struct node *said(const struct node *own, const struct node *whole, const char *key) {
    const struct node *found = node_find(own, key);
    return found ? found : node_find(whole, key);
}

/// {first: audio.phrase, labels: [account_talk]}
static bool event_read(struct reading *reading, const struct node *node, struct anchor *anchor) {
    static const char *const keys[] = {"first", "last", "labels", NULL};
    if (!node_map(node, keys, reading->problems)) return false;
    const struct node *first = node_find(node, "first"), *last = node_find(node, "last");
    if (!first == !last) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "an event is either the first or the last of a measure; write one of first "
                     "and last");
        return false;
    }
    const struct node *named = first ? first : last;
    anchor->kind = ANCHOR_EVENT;
    anchor->last = !first;
    if (!figures_read_measure(reading, named, &anchor->measure) ||
        !figures_read_lawful(reading, named, &anchor->measure))
        return false;
    if (anchor->measure.kind != MEASURE_EVENTS) {
        node_problem(named, reading->problems, ERR_CONFLICT,
                     "%s has samples; a span begins and ends with events, or with issued, called, "
                     "started, ended",
                     anchor->measure.id.text);
        return false;
    }
    return figures_read_labels(reading, node_find(node, "labels"), ANCHOR_LABELS_MAX,
                               anchor->labels, &anchor->label_count);
}

/// One of the encounter's times by name, or an event.
static bool instant_read(struct reading *reading, const struct node *node, struct anchor *anchor) {
    static const char *const names[] = {"issued", "called", "started", "ended", NULL};
    static const enum anchor_kind kinds[] = {ANCHOR_ISSUED, ANCHOR_CALLED, ANCHOR_STARTED,
                                             ANCHOR_ENDED};
    int place;
    if (node && node->kind == NODE_MAP) return event_read(reading, node, anchor);
    if (!node_choice(node, names, &place, reading->problems)) return false;
    anchor->kind = kinds[place];
    return true;
}

static bool anchor_read(struct reading *reading, const struct node *node, const char *key,
                        const char *offset_key, struct anchor *anchor) {
    int64_t ms = 0;
    const struct node *offset = node_find(node, offset_key);
    bool good = instant_read(reading, node_need(node, key, reading->problems), anchor);
    if (offset) good &= read_seconds(reading, offset, -OFFSET_S_MOST, OFFSET_S_MOST, &ms);
    anchor->offset_ms = (int32_t)ms;
    return good;
}

/// Whether two ends look for events among the same ones.
static bool same_events(const struct anchor *one, const struct anchor *other) {
    bool same = one->measure.key == other->measure.key && one->label_count == other->label_count;
    for (size_t i = 0; same && i < one->label_count; i++)
        same = name_equal(&one->labels[i], &other->labels[i]);
    return same;
}

static bool backwards(const struct during *during) {
    const struct anchor *from = &during->from, *to = &during->to;
    if (from->kind != to->kind) return from->kind > to->kind;
    if (from->kind == ANCHOR_EVENT) {
        if (!same_events(from, to)) return false; // who knows
        if (from->last != to->last) return from->last;
    }
    return from->offset_ms >= to->offset_ms;
}

/// A span is cut to the encounter: what lies beyond it can never be watched.
static bool span_applies(struct reading *reading, const struct node *node,
                         const struct during *during) {
    struct problems *problems = reading->problems;
    if (backwards(during))
        node_problem(node, problems, ERR_CONFLICT,
                     "this span ends before it begins; exchange from and to");
    else if (during->from.kind == ANCHOR_ENDED && during->from.offset_ms >= 0)
        node_problem(node, problems, ERR_CONFLICT,
                     "this span begins when the encounter is over, which nobody watches; begin it "
                     "before ended");
    else if (during->to.kind == ANCHOR_ISSUED && during->to.offset_ms <= 0)
        node_problem(node, problems, ERR_CONFLICT,
                     "this span ends before the encounter begins, which nobody watches; end it "
                     "after issued");
    else
        return true;
    return false;
}

/// A phase by name, or {from: started, from_s: 5, to: ended, to_s: 0}.
static bool during_read(struct reading *reading, const struct node *node, struct during *during) {
    static const char *const named[] = {"waiting", "opening", "service", "closing", NULL};
    static const char *const keys[] = {"from", "from_s", "to", "to_s", NULL};
    if (!node) return false;
    int phase;
    if (node->kind != NODE_MAP) {
        if (!node_choice(node, named, &phase, reading->problems)) return false;
        during->phase = (enum phase)phase;
        return true;
    }
    during->phase = PHASE_SPAN;
    bool good = node_map(node, keys, reading->problems);
    good &= anchor_read(reading, node, "from", "from_s", &during->from);
    good &= anchor_read(reading, node, "to", "to_s", &during->to);
    return good && span_applies(reading, node, during);
}

static bool evidence_read(struct reading *reading, const struct node *node,
                          const struct node *whole, struct standard *standard) {
    static const char *const keys[] = {"coverage", "confidence", "gap_s", NULL};
    const struct node *evidence = node_find(node, "evidence");
    if (standard->statistic == STATISTIC_DURATION) {
        if (evidence)
            node_problem(evidence, reading->problems, ERR_CONFLICT,
                         "a duration needs no evidence of sensors; remove it");
        return !evidence;
    }
    bool own = evidence != NULL;
    if (!own) evidence = node_find(whole, "evidence");
    if (!evidence) evidence = node_need(node, "evidence", reading->problems);
    if (!evidence || !node_map(evidence, keys, reading->problems)) return false;
    bool good = read_share(reading, node_need(evidence, "coverage", reading->problems),
                           &standard->least_coverage_millionths);
    int64_t percent, gap_ms;
    if (read_steps(reading, node_need(evidence, "confidence", reading->problems), 0.01, "", 0, 1,
                   &percent))
        standard->least_confidence = (uint8_t)percent;
    else
        good = false;

    const struct node *gap = node_find(evidence, "gap_s");
    if (standard->measure.kind == MEASURE_EVENTS) {
        if (gap && own)
            node_problem(gap, reading->problems, ERR_CONFLICT,
                         "an event holds for no time; remove gap_s");
        return good && !(gap && own);
    }
    if (!read_seconds(reading, node_need(evidence, "gap_s", reading->problems), 0.001, GAP_S_MOST,
                      &gap_ms))
        return false;
    standard->largest_gap_ms = (int32_t)gap_ms;
    return good;
}

static bool figure_read(struct reading *reading, const struct node *node, const struct node *whole,
                        struct standard *standard) {
    const struct node *during = said(node, whole, "during");
    if (!during) during = node_need(node, "during", reading->problems);
    bool good = during_read(reading, during, &standard->during);
    if (!figures_read(reading, node, standard) || !evidence_read(reading, node, whole, standard) ||
        !good)
        return false;
    bool blind = standard->statistic == STATISTIC_DURATION && during_senses(&standard->during);
    if (blind)
        node_problem(during, reading->problems, ERR_CONFLICT,
                     "a duration is told by the encounter's own times; to see how long an event "
                     "took, use first_after_start or last_before_end of its measure");
    return !blind;
}

/// One figure as the next part of the standard.
static bool part_read(struct reading *reading, const struct node *node, const struct node *whole,
                      struct standard *standard, struct check *check) {
    static const char *const keys[] = {"measure", "labels",   "during", "statistic",
                                       "percent", "band",     "unit",   "bound",
                                       "degree",  "evidence", NULL};
    if (!node_map(node, keys, reading->problems)) return false;
    if (standard->part_count == PARTS_MAX) {
        node_problem(node, reading->problems, ERR_FULL,
                     "a standard has room for %d figures; make two standards of it", PARTS_MAX);
        return false;
    }
    *check = (struct check){CHECK_FIGURE, 1, (uint8_t)standard->part_count};
    struct standard *part = &standard->parts[standard->part_count++];
    *part = (struct standard){.id = standard->id, .permitted = true};
    return figure_read(reading, node, whole, part);
}

static struct check *check_add(struct reading *reading, const struct node *node,
                               struct checks *checks) {
    if (checks->count < CHECKS_MAX) {
        checks->items[checks->count].size = 1;
        return &checks->items[checks->count++];
    }
    node_problem(node, reading->problems, ERR_FULL,
                 "there is room for %d checks in one tree; make two standards of it", CHECKS_MAX);
    return NULL;
}

static bool check_read(struct reading *reading, const struct node *node, const struct node *whole,
                       struct standard *standard, struct checks *checks);

/// The entries of `all` or `any`.
static bool joined_read(struct reading *reading, const struct node *list, enum check_kind kind,
                        const struct node *whole, struct standard *standard,
                        struct checks *checks) {
    struct check *check = check_add(reading, list, checks);
    if (!check || !node_list(list, 1, CHECKS_MAX, reading->problems)) return false;
    check->kind = (uint8_t)kind;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next)
        good &= check_read(reading, item, whole, standard, checks);
    check->size = (uint8_t)(&checks->items[checks->count] - check);
    return good;
}

/// `not` of one check, or `must_not` of several: not any of them.
static bool turned_read(struct reading *reading, const struct node *node, const struct node *whole,
                        struct standard *standard, struct checks *checks) {
    struct check *check = check_add(reading, node, checks);
    if (!check) return false;
    check->kind = CHECK_NOT;
    bool several = strcmp(node->key, "must_not") == 0;
    bool good = several ? joined_read(reading, node, CHECK_ANY, whole, standard, checks)
                        : check_read(reading, node, whole, standard, checks);
    check->size = (uint8_t)(&checks->items[checks->count] - check);
    return good;
}

/// The key that makes the node a join of checks; NULL: it is a figure.
static const struct node *join_of(const struct node *node) {
    static const char *const keys[] = {"all", "any", "not", "must_not", NULL};
    const struct node *found = NULL;
    for (size_t i = 0; keys[i] && !found; i++)
        found = node_find(node, keys[i]);
    return found;
}

static bool join_read(struct reading *reading, const struct node *join, const struct node *whole,
                      struct standard *standard, struct checks *checks) {
    if (strcmp(join->key, "all") == 0 || strcmp(join->key, "any") == 0)
        return joined_read(reading, join, strcmp(join->key, "any") == 0 ? CHECK_ANY : CHECK_ALL,
                           whole, standard, checks);
    return turned_read(reading, join, whole, standard, checks);
}

static bool check_read(struct reading *reading, const struct node *node, const struct node *whole,
                       struct standard *standard, struct checks *checks) {
    const struct node *join = join_of(node);
    if (join) {
        const char *const keys[] = {join->key, NULL};
        return node_map(node, keys, reading->problems) &&
               join_read(reading, join, whole, standard, checks);
    }
    struct check *check = check_add(reading, node, checks);
    return check && part_read(reading, node, whole, standard, check);
}

/// What belongs to one figure says nothing beside several.
static bool only_shared(struct reading *reading, const struct node *node, const struct node *join) {
    static const char *const keys[] = {"measure", "labels", "statistic", "percent",   "band",
                                       "unit",    "bound",  "degree",    "adaptable", NULL};
    static const char *const joins[] = {"all", "any", "not", "must_not", NULL};
    bool good = true;
    for (size_t i = 0; keys[i]; i++) {
        const struct node *found = node_find(node, keys[i]);
        if (!found) continue;
        node_problem(found, reading->problems, ERR_CONFLICT,
                     "%s belongs to one figure; write it inside %s", keys[i], join->key);
        good = false;
    }
    for (size_t i = 0; joins[i]; i++) {
        const struct node *found = node_find(node, joins[i]);
        if (!found || found == join) continue;
        node_problem(found, reading->problems, ERR_CONFLICT,
                     "a standard has one of all, any, not and must_not; write %s inside %s",
                     joins[i], join->key);
        good = false;
    }
    return good;
}

bool checks_read(struct reading *reading, const struct node *node, struct standard *standard) {
    const struct node *join = join_of(node);
    if (!join)
        return figure_read(reading, node, node, standard) && figures_judge(reading, node, standard);
    standard->permitted = true; // its parts decide
    standard->step = 1;
    standard->bound = (struct bounds){BOUND_OPEN_LEAST, BOUND_OPEN_MOST};
    return only_shared(reading, node, join) &&
           join_read(reading, join, node, standard, &standard->checks);
}

static bool excuse_read(struct reading *reading, const struct node *node, const struct node *whole,
                        struct standard *standard, struct words *text) {
    static const char *const keys[] = {"excuse", "text", "when", NULL};
    struct excuse *excuse = &standard->excuses[standard->excuse_count];
    if (!node_map(node, keys, reading->problems)) return false;
    const struct node *named = node_need(node, "excuse", reading->problems);
    bool good = node_name(named, &excuse->id, reading->problems);
    for (size_t i = 0; good && i < standard->excuse_count; i++)
        if (name_equal(&standard->excuses[i].id, &excuse->id)) {
            entry_twice(reading, named, "excuse", excuse->id.text);
            good = false;
        }
    good &= read_words(reading, node_need(node, "text", reading->problems), text);
    const struct node *when = node_need(node, "when", reading->problems);
    standard->excuse_count++;
    return when && check_read(reading, when, whole, standard, &excuse->when) && good;
}

bool excuses_read(struct reading *reading, const struct node *node, struct standard *standard,
                  struct words texts[EXCUSES_MAX]) {
    const struct node *list = node_find(node, "excuses");
    if (!list) return true;
    if (!node_list(list, 1, EXCUSES_MAX, reading->problems)) return false;
    bool good = true;
    for (const struct node *item = list->first; item; item = item->next)
        good &= excuse_read(reading, item, node, standard, &texts[standard->excuse_count]);
    return good;
}
