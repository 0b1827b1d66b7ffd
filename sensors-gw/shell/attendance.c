#include "sensors-gw/shell/attendance.h"

#include "sensors-gw/core/presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_NAME_SIZE = sizeof "presence " + ID_MAX };

struct place {
    struct presence presence;
    bool moved; // since it was kept
};

struct attendance {
    const struct site *site;
    const struct measure *measure;
    struct presence_rules rules;
    struct id offering;
    struct source *source;
    bool ended;
    struct place places[]; // one a counter
};

// ------------------------------------------------------------------ encounters

static void tell(struct attendance *a, size_t counter, const struct presence_change *change,
                 enum outcome outcome) {
    char start[TIME_TEXT_SIZE];
    struct encounter encounter = {.counter = a->site->counters[counter],
                                  .offering = a->offering,
                                  .outcome = outcome,
                                  .issued_ms = TIME_NONE,
                                  .called_ms = TIME_NONE,
                                  .started_ms = change->started_ms,
                                  .ended_ms = change->ended_ms};
    time_text(change->started_ms, start);
    snprintf(encounter.id.text, sizeof encounter.id.text, "%s-%s", encounter.counter.text, start);
    batching_encounter(a->source, &encounter);
}

static void tell_all(struct attendance *a, size_t counter, const struct presence_change *changes,
                     int count) {
    for (int i = 0; i < count; i++)
        tell(a, counter, &changes[i],
             changes[i].ended_ms == TIME_NONE ? OUTCOME_OPEN : OUTCOME_NORMAL);
}

static void on_sample(void *context, const struct taken_sample *sample) {
    struct attendance *a = context;
    if (sample->measure != a->measure) return;
    struct place *place = &a->places[sample->counter];
    if (sample->t_ms < place->presence.now_ms) {
        batching_oddity(a->source, "presence_out_of_order");
        return;
    }
    struct presence_change changes[PRESENCE_CHANGES_MAX];
    int count =
        presence_sample(&place->presence, &a->rules, sample->t_ms,
                        measure_value(a->measure, sample->stored), sample->confidence, changes);
    place->moved = true;
    tell_all(a, sample->counter, changes, count);
}

// ------------------------------------------------------------------ time

void attendance_pass(struct attendance *a) {
    int64_t watermark_ms = batching_others_ms(a->source);
    if (a->ended || watermark_ms == TIME_NONE) return;
    int64_t least_ms = watermark_ms;
    for (size_t i = 0; i < a->site->counter_count; i++) {
        struct place *place = &a->places[i];
        struct presence_change changes[PRESENCE_CHANGES_MAX];
        if (place->presence.state != PRESENCE_NOBODY) {
            int count = presence_pass(&place->presence, &a->rules, watermark_ms, changes);
            place->moved = true;
            tell_all(a, i, changes, count);
        }
        int64_t pending_ms = presence_pending_ms(&place->presence);
        if (pending_ms != TIME_NONE && pending_ms < least_ms) least_ms = pending_ms;
    }
    batching_watermark(a->source, least_ms);
}

void attendance_end(struct attendance *a) {
    if (a->ended) return;
    for (size_t i = 0; i < a->site->counter_count; i++) {
        struct place *place = &a->places[i];
        const struct presence_change change = {place->presence.since_ms, place->presence.last_ms};
        if (place->presence.state == PRESENCE_HERE) tell(a, i, &change, OUTCOME_TIMEOUT);
        place->presence.state = PRESENCE_NOBODY;
        place->moved = true;
    }
    a->ended = true;
    batching_end(a->source);
}

// ------------------------------------------------------------------ what the spool keeps

static void place_name(const struct attendance *a, size_t counter, char name[PLACE_NAME_SIZE]) {
    snprintf(name, PLACE_NAME_SIZE, "presence %s", a->site->counters[counter].text);
}

enum err attendance_keep(struct attendance *a, struct spool *spool, struct problem *problem) {
    for (size_t i = 0; i < a->site->counter_count; i++) {
        char name[PLACE_NAME_SIZE];
        struct cursor cursor = {.size = PRESENCE_PACKED};
        if (!a->places[i].moved) continue;
        place_name(a, i, name);
        presence_pack(&a->places[i].presence, cursor.bytes);
        enum err err = spool_keep_cursor(spool, name, &cursor, problem);
        if (err) return err;
        a->places[i].moved = false;
    }
    return ERR_NONE;
}

static enum err places_load(struct attendance *a, const struct gateway_settings *s,
                            struct spool *spool, struct problem *problem) {
    for (size_t i = 0; i < a->site->counter_count; i++) {
        char name[PLACE_NAME_SIZE];
        struct cursor cursor;
        place_name(a, i, name);
        enum err err = spool_cursor(spool, name, &cursor, problem);
        if (err) return err;
        if (cursor.size == 0) continue;
        if (cursor.size != PRESENCE_PACKED ||
            !presence_unpack(cursor.bytes, &a->places[i].presence))
            return problem_set(problem, ERR_FORMAT,
                               "spool %s: cursor '%s' is not of this program's form; start the "
                               "program that wrote it, or leave presence_measure empty",
                               s->spool, name);
    }
    return ERR_NONE;
}

static enum err rules_read(const struct gateway_settings *s, const struct site *site,
                           struct attendance *a, struct problem *problem) {
    const char *name = s->presence_measure;
    a->measure = measures_find(&site->catalogue.measures, name, strlen(name));
    if (!a->measure || a->measure->kind != MEASURE_SAMPLES || strcmp(a->measure->unit, "m") != 0)
        return problem_set(problem, ERR_MISSING,
                           "presence_measure: measures.yaml has no distance in m called '%s'",
                           name);
    const char *offering = s->presence_offering;
    if (offering[0] && !id_set(&a->offering, offering, strlen(offering)))
        return problem_set(problem, ERR_FORMAT, "presence_offering: '%s' is not [a-z0-9-]{1,32}",
                           offering);
    if (s->presence_leave_m < s->presence_enter_m)
        return problem_set(problem, ERR_RANGE, "presence_leave_m is below presence_enter_m");
    a->rules =
        (struct presence_rules){.enter_m = s->presence_enter_m,
                                .leave_m = s->presence_leave_m,
                                .enter_ms = (int64_t)s->presence_enter_ms,
                                .leave_ms = (int64_t)s->presence_leave_ms,
                                .least_confidence = (uint8_t)(s->presence_confidence * 100 + 0.5)};
    return ERR_NONE;
}

bool attendance_check(const struct gateway_settings *settings, const struct site *site,
                      struct problems *problems) {
    struct attendance none;
    struct problem problem;
    enum err err =
        settings->presence_measure[0] ? rules_read(settings, site, &none, &problem) : ERR_NONE;
    if (err) problems_add(problems, err, NULL, "%s", problem.text);
    return !err;
}

enum err attendance_new(const struct gateway_settings *settings, const struct site *site,
                        struct spool *spool, struct batching *batching, struct source *source,
                        struct attendance **attendance_out, struct problem *problem) {
    struct attendance *a = calloc(1, sizeof *a + site->counter_count * sizeof a->places[0]);
    if (!a) return problem_set(problem, ERR_NOMEM, "out of memory");
    a->site = site;
    a->source = source;
    enum err err = rules_read(settings, site, a, problem);
    if (!err) err = places_load(a, settings, spool, problem);
    if (err) {
        attendance_free(a);
        return err;
    }
    batching_observe(batching, on_sample, a);
    *attendance_out = a;
    return ERR_NONE;
}

void attendance_free(struct attendance *a) {
    free(a);
}
