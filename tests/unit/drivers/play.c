#include "tests/unit/drivers/play.h"

#include "common/settings/settings.h"
#include "sensors-gw/drivers/registry.h"

#include <stdlib.h>
#include <string.h>

enum { COUNTERS_MAX = 64, LINE_SIZE = 512 };

struct line_list {
    size_t count, capacity;
    char **items;
};

struct watch {
    char series[2 * ID_MAX + 4];
    int64_t from_ms, to_ms;
};

struct run {
    const struct play *play;
    struct played *played;
    const struct driver *driver;
    struct batching *batching;
    struct line_list facts, members;
    size_t watch_count, watch_capacity;
    struct watch *watches;
    int64_t watermark_ms;
    uint32_t in_turn;
    size_t id_count, id_capacity;
    struct name *ids; // encounters opened so far
    struct cursor cursor;
    struct problem remark;
};

static void must(bool held) {
    if (!held) abort();
}

static void *grown(void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    items = realloc(items, *capacity * size);
    must(items != NULL);
    return items;
}

static void add_line(struct line_list *list, const char *line) {
    list->items = grown(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count] = strdup(line);
    must(list->items[list->count++] != NULL);
}

static int by_text(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *joined(struct line_list *list) {
    size_t size = 1, at = 0;
    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->items[i]) + 1;
    char *text = malloc(size);
    must(text != NULL);
    for (size_t i = 0; i < list->count; i++) {
        at += (size_t)sprintf(text + at, "%s\n", list->items[i]);
        free(list->items[i]);
    }
    text[at] = '\0';
    free(list->items);
    *list = (struct line_list){0};
    return text;
}

// ------------------------------------------------------------------ batches

static const char *or_none(const char *text) {
    return text[0] != '\0' ? text : "-";
}

static const char *time_or_none(int64_t at_ms, char text[24]) {
    if (at_ms == TIME_NONE) return "-";
    sprintf(text, "%lld", (long long)at_ms);
    return text;
}

static bool opened_before(struct run *run, const struct name *id) {
    for (size_t i = run->id_count; i-- > 0;)
        if (strcmp(run->ids[i].text, id->text) == 0) return true;
    run->ids = grown(run->ids, run->id_count, &run->id_capacity, sizeof *run->ids);
    run->ids[run->id_count++] = *id;
    return false;
}

static void take_encounter(struct run *run, const struct encounter *e) {
    char line[LINE_SIZE], times[4][24];
    // The list is searched from its end and tests are small; the promise is checked there only.
    if (run->id_count < 4096 && !opened_before(run, &e->id) &&
        encounter_begin_ms(e) < run->watermark_ms)
        run->played->late_fact = true;
    snprintf(line, sizeof line, "F %s %s %s %s %s %s %s %s %s %s", e->id.text, e->counter.text,
             or_none(e->offering.text), or_none(e->language), or_none(e->employee),
             outcome_name(e->outcome), time_or_none(e->issued_ms, times[0]),
             time_or_none(e->called_ms, times[1]), time_or_none(e->started_ms, times[2]),
             time_or_none(e->ended_ms, times[3]));
    add_line(&run->facts, line);
}

static void take_fact(struct run *run, const struct fact *fact) {
    char line[LINE_SIZE];
    if (fact->kind == FACT_ENCOUNTER) {
        take_encounter(run, &fact->encounter);
    } else if (fact->kind == FACT_WITHDRAWN) {
        snprintf(line, sizeof line, "X %s %s", fact->encounter.id.text, fact->reason.text);
        add_line(&run->facts, line);
    } else if (fact->kind == FACT_DECISION) {
        const struct decision *decision = &fact->decision;
        snprintf(line, sizeof line, "D %s %s %s %s %lld %lld %s %s", decision->encounter.text,
                 decision->counter.text, decision->standard.text,
                 decision_kind_name(decision->kind), (long long)decision->began_ms,
                 (long long)decision->decided_ms, decision->by.text, decision->reason);
        add_line(&run->facts, line);
    } else if (fact->kind == FACT_GAP) {
        snprintf(line, sizeof line, "G %s %lld %lld %s", or_none(fact->counter.text),
                 (long long)fact->gap.from_ms, (long long)fact->gap.to_ms, fact->reason.text);
        add_line(&run->facts, line);
    }
}

static void take_series(struct run *run, const struct batch_series *series) {
    char line[LINE_SIZE];
    struct watch watch = {.from_ms = series->watched.from_ms, .to_ms = series->watched.to_ms};
    snprintf(watch.series, sizeof watch.series, "%s %s", series->measure->id.text,
             series->counter.text);
    run->watches =
        grown(run->watches, run->watch_count, &run->watch_capacity, sizeof *run->watches);
    run->watches[run->watch_count++] = watch;
    for (size_t i = 0; i < series->columns.count; i++) {
        long long t_ms = (long long)(series->base_ms + series->columns.t_ms[i]);
        if (series->measure->kind == MEASURE_EVENTS)
            snprintf(line, sizeof line, "E %s %lld %s %d", watch.series, t_ms,
                     series->labels[series->columns.value[i]].text, series->columns.confidence[i]);
        else
            snprintf(line, sizeof line, "S %s %lld %d %d", watch.series, t_ms,
                     (int)series->columns.value[i], series->columns.confidence[i]);
        add_line(&run->members, line);
    }
}

static void take(void *context, const struct batch *batch) {
    struct run *run = context;
    for (size_t i = 0; i < batch->fact_count; i++)
        take_fact(run, &batch->facts[i]);
    for (size_t i = 0; i < batch->series_count; i++) {
        take_series(run, &batch->series[i]);
        run->in_turn += (uint32_t)batch->series[i].columns.count;
    }
    run->in_turn += (uint32_t)batch->fact_count;
    run->watermark_ms = batch->watermark_ms;
}

static int by_watch(const void *left, const void *right) {
    const struct watch *a = left, *b = right;
    int order = strcmp(a->series, b->series);
    return order ? order : (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms);
}

static void add_watches(struct run *run) {
    char line[LINE_SIZE];
    if (run->watch_count > 0) qsort(run->watches, run->watch_count, sizeof *run->watches, by_watch);
    for (size_t i = 0; i < run->watch_count;) {
        struct watch whole = run->watches[i++];
        for (; i < run->watch_count && strcmp(run->watches[i].series, whole.series) == 0 &&
               run->watches[i].from_ms <= whole.to_ms;
             i++)
            if (run->watches[i].to_ms > whole.to_ms) whole.to_ms = run->watches[i].to_ms;
        snprintf(line, sizeof line, "W %s %lld %lld", whole.series, (long long)whole.from_ms,
                 (long long)whole.to_ms);
        add_line(&run->members, line);
    }
    free(run->watches);
}

// ------------------------------------------------------------------ one run of the driver

struct driver_row {
    char driver[ID_MAX + 1], name[ID_MAX + 1];
};

static const struct setting driver_rows[] = {
    SETTING_TEXT(struct driver_row, driver, NULL, "Which driver."),
    SETTING_TEXT(struct driver_row, name, "", "Its name in logs."), SETTINGS_END};

static enum err turns(struct run *run, void *state, struct problem *problem) {
    const struct play *play = run->play;
    uint64_t now_ms = play->now_ms;
    for (uint32_t count = 1;; count++) {
        struct driver_turn turn = {.source = batching_source(run->batching, 0),
                                   .now_ms = now_ms,
                                   .utc_ms = play->utc_ms,
                                   .budget = play->budget,
                                   .wake_ms = UINT64_MAX,
                                   .cursor = run->cursor};
        run->in_turn = 0;
        enum err err = run->driver->read(state, &turn, problem);
        batching_cut_watermark(run->batching);
        if (run->in_turn > run->played->most) run->played->most = run->in_turn;
        run->cursor = turn.cursor;
        run->played->turns++;
        if (turn.remark.text[0] != '\0' && run->remark.text[0] == '\0') run->remark = turn.remark;
        if (err == ERR_AGAIN && turn.wake_ms <= play->stop_at_ms) {
            now_ms = turn.wake_ms;
            continue;
        }
        if (err) return err;
        if (count == play->restart_every) return ERR_NONE;
    }
}

static enum err session(struct run *run, const struct driver_context *context,
                        const struct batching_limits *limits, struct problem *problem) {
    run->batching = batching_new(limits, 1, run->watermark_ms, take, run);
    void *state = calloc(1, run->driver->state_size);
    must(run->batching && state);
    enum err err = run->driver->open(state, context, &run->cursor, problem);
    if (!err) err = turns(run, state, problem);
    run->driver->close(state);
    free(state);
    return err;
}

static void add_notes(struct run *run) {
    struct line_list notes = {0};
    const char *name;
    uint64_t count;
    char line[LINE_SIZE + 64];
    snprintf(line, sizeof line, "M %lld", (long long)run->watermark_ms);
    add_line(&notes, line);
    for (size_t i = 0; batching_oddity_at(run->batching, i, &name, &count); i++) {
        snprintf(line, sizeof line, "O %s %llu", name, (unsigned long long)count);
        add_line(&notes, line);
    }
    qsort(notes.items, notes.count, sizeof *notes.items, by_text);
    snprintf(line, sizeof line, "R %s", run->remark.text);
    if (run->remark.text[0] != '\0') add_line(&notes, line);
    run->played->notes = joined(&notes);
}

/// The counters that the entry names anywhere, so that none is foreign.
static void find_counters(const struct node *node, struct id *counters, size_t *count) {
    struct id id;
    if (node->kind == NODE_SCALAR && *count < COUNTERS_MAX && id_set(&id, node->text, node->size))
        counters[(*count)++] = id;
    for (const struct node *child = node->first; child; child = child->next)
        find_counters(child, counters, count);
}

static size_t all_counters(const struct play *play, struct id counters[COUNTERS_MAX]) {
    size_t count = 0;
    for (int i = 1; i <= 4; i++) {
        char text[16];
        int size = sprintf(text, "desk-%d", i);
        must(id_set(&counters[count++], text, (size_t)size));
    }
    for (int unit = 1; unit <= 2; unit++)
        for (int number = 1; number <= 16; number++) {
            char text[16];
            int size = sprintf(text, "aa%02d%02d", unit, number);
            must(id_set(&counters[count++], text, (size_t)size));
        }
    find_counters(play->entry, counters, &count);
    return count;
}

void play_run(const struct play *play, struct played *played) {
    struct run run = {
        .play = play, .played = played, .watermark_ms = TIME_NONE, .cursor = play->cursor};
    struct problems problems = {0};
    struct driver_row row = {0};
    struct id counters[COUNTERS_MAX], branch = {"branch"}, gateway = {"gateway"};
    *played = (struct played){0};
    const struct node *name = node_find(play->entry, "driver");
    run.driver = name ? driver_find(name->text, name->size) : NULL;
    must(run.driver != NULL);
    void *settings = calloc(1, run.driver->settings_size);
    struct settings_table tables[] = {{driver_rows, &row}, {run.driver->settings, settings}};
    must(settings != NULL);
    size_t count = all_counters(play, counters);
    struct pseudonyms pseudonyms = {.key = {1, 2, 3}, .period = PSEUDONYM_YEAR, .zone = play->zone};
    struct driver_context context = {.branch = &branch,
                                     .gateway = &gateway,
                                     .counters = counters,
                                     .counter_count = count,
                                     .measures = play->measures,
                                     .zone = play->zone,
                                     .pseudonyms = &pseudonyms,
                                     .settings = settings};
    struct batching_limits limits = {.observations_max = BATCH_OBSERVATIONS_MAX,
                                     .body_max = BATCH_BODY_MAX,
                                     .linger_ms = 1000,
                                     .legal_most = LEGAL_P5,
                                     .counters = counters,
                                     .counter_count = count};
    played->err = ERR_NONE;
    if (!settings_read(play->entry, tables, 2, &problems))
        played->err = problems_first(&problems, &played->problem);
    while (played->err == ERR_NONE) {
        if (run.batching) played->restarts++;
        batching_free(run.batching);
        run.remark = (struct problem){0};
        played->err = session(&run, &context, &limits, &played->problem);
    }
    if (run.batching) add_notes(&run);
    if (run.members.count > 0)
        qsort(run.members.items, run.members.count, sizeof *run.members.items, by_text);
    add_watches(&run);
    played->facts = joined(&run.facts);
    played->series = joined(&run.members);
    if (!played->notes) played->notes = strdup("");
    batching_free(run.batching);
    free(run.ids);
    free(settings);
}

void played_free(struct played *played) {
    free(played->facts);
    free(played->series);
    free(played->notes);
}
