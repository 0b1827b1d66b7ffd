#include "worker/standards/checks.h"

#include "worker/standards/figures.h"

#include <string.h>

enum { GAP_S_MOST = 3600, OFFSET_S_MOST = 24 * 3600 };

/// A figure takes from the standard what it does not say itself.
static const struct node *said(const struct node *own, const struct node *whole, const char *key) {
    const struct node *found = node_find(own, key);
    return found ? found : node_find(whole, key);
}

static bool anchor_read(struct reading *reading, const struct node *node, const char *key,
                        const char *offset_key, enum anchor *anchor, int32_t *offset_ms) {
    int place;
    int64_t ms = 0;
    const struct node *offset = node_find(node, offset_key);
    bool good = node_choice(node_need(node, key, reading->problems), anchor_names, &place,
                            reading->problems);
    if (good) *anchor = (enum anchor)place;
    if (offset) good &= read_seconds(reading, offset, -OFFSET_S_MOST, OFFSET_S_MOST, &ms);
    *offset_ms = (int32_t)ms;
    return good;
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
    good &= anchor_read(reading, node, "from", "from_s", &during->from, &during->from_offset_ms);
    good &= anchor_read(reading, node, "to", "to_s", &during->to, &during->to_offset_ms);
    if (good && (during->from > during->to ||
                 (during->from == during->to && during->from_offset_ms >= during->to_offset_ms))) {
        node_problem(node, reading->problems, ERR_CONFLICT,
                     "this span ends before it begins; exchange from and to");
        return false;
    }
    return good;
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
    return figures_read(reading, node, standard) && evidence_read(reading, node, whole, standard) &&
           good;
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
    if (!join) return figure_read(reading, node, node, standard);
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
    bool good =
        node_name(node_need(node, "excuse", reading->problems), &excuse->id, reading->problems);
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
