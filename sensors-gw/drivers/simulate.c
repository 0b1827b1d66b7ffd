// The simulate driver: a branch that is made up from a seed, with employees, clients and one line
// of waiting, and what its sensors see of it (sensors-gw/simulate). Every gateway of a branch that
// has the same settings tells of the same people; `measures` and `encounters` say which part is its
// own.
//
//   facts      a client who is served: when the service begins and when it ends; one who is not:
//              at the end. Ids are SEED-DAY-NUMBER.
//   samples    while somebody is served, on whole seconds; sensors watch the whole day
//   watermark  the second that is told next, or the ticket of whoever still waits
//   cursor     day and second that are told next
//
// The truth is written beside (truth_file.h) when an encounter ends; after a restart some lines may
// come twice, with the same words. The people at a counter hang on how many counters a gateway has:
// gateways that share a day have the same.

#include "common/base/bytes.h"
#include "common/base/hash.h"
#include "sensors-gw/drivers/driver.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/truth_file.h"
#include "sensors-gw/simulate/senses.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AFTER_S = 60, SECONDS_A_TURN = 4096 };

struct simulate_settings {
    uint64_t seed, employees, days, opens_hour;
    double open_hours, clients_an_hour, noise, person_share, day_share, speed;
    char day[DAY_SETTING_SIZE];
    bool encounters;
    struct setting_texts measures;
    char truth[PATH_SIZE];
};

static const struct setting settings_rows[] = {
    SETTING_U64(struct simulate_settings, seed, 1, 0, INT64_MAX,
                "The same seed makes the same branch, in each branch another one."),
    SETTING_TEXT(struct simulate_settings, day, "2026-11-23", "The first day."),
    SETTING_U64(struct simulate_settings, days, 1, 0, 100000, "How many days; 0: they do not end."),
    SETTING_U64(struct simulate_settings, opens_hour, 9, 0, 23,
                "Hour at which the branch opens, by its clock."),
    SETTING_DOUBLE(struct simulate_settings, open_hours, 3, 0.25, 12,
                   "Hours that it is open; ten minutes before the end the last client comes."),
    SETTING_DOUBLE(struct simulate_settings, clients_an_hour, 40, 1, 1000,
                   "Clients that come in an hour; a counter serves about 15."),
    SETTING_U64(struct simulate_settings, employees, 0, 0, 10000,
                "Employees, who take turns; 0: two a counter."),
    SETTING_DOUBLE(struct simulate_settings, noise, 1, 0, 10,
                   "Error of the sensors: 0 none, 1 the uncertainty that measures.yaml states."),
    SETTING_DOUBLE(struct simulate_settings, person_share, 0.3, 0, 1,
                   "Share of the variance of behaviour that lies between persons."),
    SETTING_DOUBLE(struct simulate_settings, day_share, 0.2, 0, 1,
                   "Share that lies between the days of a person; encounters have the rest."),
    SETTING_DOUBLE(struct simulate_settings, speed, 0, 0, 1000000,
                   "Seconds told in one second: 1 is real time, 0 as fast as possible."),
    SETTING_BOOL(struct simulate_settings, encounters, true,
                 "Tell of the encounters: of one gateway in a branch at most."),
    SETTING_TEXTS(struct simulate_settings, measures, false,
                  "The measures that it tells; without: all that it knows."),
    SETTING_PATH(struct simulate_settings, truth, "",
                 "File for the truth, JSON lines; empty: it is not written."),
    SETTINGS_END};

struct simulate {
    const struct driver_context *context;
    const struct simulate_settings *settings;
    struct branch_form branch;
    struct senses senses;
    const struct measure *measures[QUANTITY_COUNT], *phrases; // NULL: not told
    int64_t first_day, day;                                   // days since 1970
    struct visit *visits;                                     // of `day`, once it is drawn
    uint32_t visit_count;
    const struct visit **serving; // at each counter: whose turn it is or will be next
    bool drawn;
    int64_t opened_ms;
    int32_t second, seconds; // told next; of the day
    FILE *truth;
    bool playing; // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

// ------------------------------------------------------------------ the day

/// Whose turn is it next at a counter, at or after a second?
static const struct visit *next_at(const struct simulate *s, const struct visit *after,
                                   uint32_t counter) {
    for (const struct visit *v = after ? after + 1 : s->visits; v < s->visits + s->visit_count; v++)
        if (v->counter == counter && v->started_s >= 0 && v->ended_s >= s->second) return v;
    return NULL;
}

static void day_begin(struct simulate *s) {
    struct day day = day_of_number(s->day);
    s->visit_count = day_draw(&s->branch, s->day, s->visits);
    s->seconds = s->branch.open_s;
    for (uint32_t i = 0; i < s->visit_count; i++)
        if (s->visits[i].ended_s >= s->seconds) s->seconds = s->visits[i].ended_s + 1;
    s->seconds += AFTER_S;
    s->opened_ms = zone_instant(s->context->zone, day.year, day.month, day.day,
                                (int64_t)s->settings->opens_hour * HOUR_MS);
    for (uint32_t i = 0; i < s->branch.counters; i++)
        s->serving[i] = next_at(s, NULL, i);
    s->drawn = true;
}

static int64_t instant(const struct simulate *s, int32_t second) {
    return second < 0 ? TIME_NONE : s->opened_ms + (int64_t)second * 1000;
}

// ------------------------------------------------------------------ what is true

static void id_of(const struct simulate *s, const struct visit *v, struct name *id) {
    struct day day = day_of_number(s->day);
    snprintf(id->text, sizeof id->text, "%" PRIu64 "-%04d-%02u-%02u-%u", s->settings->seed,
             (int)day.year, day.month, day.day, v->number);
}

static void truth_write(struct simulate *s, const struct visit *v) {
    struct name id;
    if (!s->truth) return;
    id_of(s, v, &id);
    truth_file_put(s->truth, &id, &s->context->counters[v->counter], s->day, s->opened_ms, v);
}

// ------------------------------------------------------------------ what is told

static void tell_encounter(struct simulate *s, struct source *source, const struct visit *v,
                           bool ended) {
    struct encounter encounter = {.counter = s->context->counters[v->counter],
                                  .outcome = ended ? v->outcome : OUTCOME_OPEN,
                                  .issued_ms = instant(s, v->issued_s),
                                  .called_ms = instant(s, v->called_s),
                                  .started_ms = instant(s, v->started_s),
                                  .ended_ms = ended ? instant(s, v->ended_s) : TIME_NONE};
    id_of(s, v, &encounter.id);
    id_set(&encounter.offering, v->offering->name, strlen(v->offering->name));
    snprintf(encounter.language, sizeof encounter.language, "%s", v->language);
    if (v->started_s >= 0) {
        char name[32];
        snprintf(name, sizeof name, "employee %u", v->employee);
        pseudonym_make(s->context->pseudonyms, name, strlen(name), encounter.started_ms,
                       encounter.employee);
    }
    batching_encounter(source, &encounter);
}

/// Who begins or ends in this second. Returns how many facts that gave; *waits_s becomes the ticket
/// of the first who has not been told of.
static uint32_t tell_facts(struct simulate *s, struct source *source, int32_t *waits_s) {
    uint32_t told = 0;
    for (uint32_t i = 0; i < s->visit_count && s->visits[i].issued_s <= s->second; i++) {
        const struct visit *v = &s->visits[i];
        int32_t known_s = v->started_s >= 0 ? v->started_s : v->ended_s;
        if (known_s > s->second && v->issued_s < *waits_s) *waits_s = v->issued_s;
        bool ends = v->ended_s == s->second;
        if (ends) truth_write(s, v);
        if (!s->settings->encounters || !(ends || known_s == s->second)) continue;
        tell_encounter(s, source, v, ends);
        told++;
    }
    return told;
}

static uint32_t tell_phrases(struct simulate *s, struct source *source, const struct visit *v) {
    struct heard heard[HEARD_MAX];
    int count = senses_hear(&s->senses, v, s->day, s->second - v->started_s, heard);
    for (int i = 0; i < count; i++)
        batching_event(source, s->phrases, &s->context->counters[v->counter],
                       instant(s, s->second) + heard[i].late_ms,
                       bytes_of_text(phrase_names[heard[i].phrase]), heard[i].confidence);
    return (uint32_t)count;
}

static uint32_t tell_counter(struct simulate *s, struct source *source, uint32_t counter) {
    const struct id *id = &s->context->counters[counter];
    int64_t at_ms = instant(s, s->second);
    const struct visit *v = s->serving[counter];
    if (v && v->ended_s <= s->second) v = s->serving[counter] = next_at(s, v, counter);
    bool served = v && v->started_s <= s->second;
    uint32_t told = 0;
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        const struct measure *measure = s->measures[q];
        if (!measure) continue;
        batching_watch(source, measure, id, at_ms, at_ms + 1000);
        if (!served || (s->second - v->started_s) % quantity_forms[q].every_s) continue;
        struct sensed sensed = senses_sample(&s->senses, (enum quantity)q, measure, v, s->day,
                                             s->second - v->started_s);
        batching_sample(source, measure, id, at_ms, sensed.value, sensed.confidence);
        told++;
    }
    if (!s->phrases) return told;
    batching_watch(source, s->phrases, id, at_ms, at_ms + 1000);
    return told + (served ? tell_phrases(s, source, v) : 0);
}

static uint32_t second_tell(struct simulate *s, struct source *source) {
    int32_t waits_s = s->second; // a phrase may still be told as of a second ago
    uint32_t told = tell_facts(s, source, &waits_s);
    for (uint32_t i = 0; i < s->branch.counters; i++)
        told += tell_counter(s, source, i);
    batching_watermark(source, instant(s, waits_s));
    s->second++;
    return told + 1;
}

// ------------------------------------------------------------------ reading

static bool is_due(struct simulate *s, struct driver_turn *turn) {
    if (!s->playing) {
        s->playing = true;
        s->play_mono_ms = turn->now_ms;
        s->play_ms = instant(s, s->second);
    }
    turn->wake_ms =
        replay_due_ms(s->settings->speed, s->play_mono_ms, s->play_ms, instant(s, s->second));
    return turn->wake_ms <= turn->now_ms;
}

static bool over(const struct simulate *s) {
    return s->settings->days && s->day - s->first_day >= (int64_t)s->settings->days;
}

static void mark(const struct simulate *s, struct driver_turn *turn) {
    uint64_t at[] = {(uint64_t)s->day, (uint64_t)s->second};
    memcpy(turn->cursor.bytes, at, sizeof at);
    turn->cursor.size = sizeof at;
    if (s->truth) fflush(s->truth);
}

static enum err simulate_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct simulate *s = state;
    (void)problem;
    uint32_t told = 0;
    enum err err = ERR_NONE;
    for (int i = 0; i < SECONDS_A_TURN && told < turn->budget && !over(s); i++) {
        if (!s->drawn) day_begin(s);
        if (!is_due(s, turn)) {
            err = ERR_AGAIN;
            break;
        }
        told += second_tell(s, turn->source);
        if (s->second < s->seconds) continue;
        batching_watermark(turn->source, instant(s, s->second));
        s->day++;
        s->second = 0;
        s->drawn = false;
    }
    mark(s, turn);
    return over(s) ? ERR_END : err;
}

// ------------------------------------------------------------------ open and close

static bool wanted(const struct simulate_settings *settings, const char *measure) {
    for (size_t i = 0; i < settings->measures.count; i++)
        if (strcmp(settings->measures.items[i], measure) == 0) return true;
    return settings->measures.count == 0;
}

static const struct measure *measure_of(const struct simulate *s, const char *name,
                                        enum measure_kind kind) {
    const struct measure *measure = measures_find(s->context->measures, name, strlen(name));
    return measure && measure->kind == kind && wanted(s->settings, name) ? measure : NULL;
}

static enum err measures_choose(struct simulate *s, struct problem *problem) {
    for (int q = 0; q < QUANTITY_COUNT; q++)
        s->measures[q] = measure_of(s, quantity_forms[q].measure, MEASURE_SAMPLES);
    s->phrases = measure_of(s, PHRASE_MEASURE, MEASURE_EVENTS);
    for (size_t i = 0; i < s->settings->measures.count; i++) {
        const char *name = s->settings->measures.items[i];
        bool found = s->phrases && strcmp(name, PHRASE_MEASURE) == 0;
        for (int q = 0; q < QUANTITY_COUNT && !found; q++)
            found = s->measures[q] && strcmp(name, quantity_forms[q].measure) == 0;
        if (!found)
            return problem_set(problem, ERR_MISSING,
                               "measures: %s is not simulated, or not in measures.yaml", name);
    }
    return ERR_NONE;
}

static enum err truth_open(struct simulate *s, bool first, struct problem *problem) {
    const char *path = s->settings->truth;
    if (!path[0]) return ERR_NONE;
    s->truth = fopen(path, first ? "we" : "ae");
    return s->truth ? ERR_NONE : problem_set(problem, ERR_IO, "%s: %s", path, strerror(errno));
}

static enum err place_read(struct simulate *s, const struct cursor *cursor,
                           struct problem *problem) {
    const struct simulate_settings *settings = s->settings;
    struct day first;
    if (!date_parse(settings->day, strlen(settings->day), &first))
        return problem_set(problem, ERR_FORMAT, "day: '%s' is no day; write such as 2026-11-23",
                           settings->day);
    s->day = s->first_day = day_number(first);
    uint64_t at[2];
    if (cursor->size == 0) return ERR_NONE;
    if (cursor->size != sizeof at)
        return problem_set(problem, ERR_CONFLICT,
                           "the spool holds the place of another driver; begin with a new one");
    memcpy(at, cursor->bytes, sizeof at);
    s->day = (int64_t)at[0];
    s->second = (int32_t)at[1];
    return ERR_NONE;
}

static enum err simulate_open(void *state, const struct driver_context *context,
                              const struct cursor *cursor, struct problem *problem) {
    struct simulate *s = state;
    const struct simulate_settings *settings = context->settings;
    s->context = context;
    s->settings = settings;
    if (settings->person_share + settings->day_share > 1)
        return problem_set(problem, ERR_RANGE, "person_share and day_share are more than 1");
    if (context->counter_count == 0 || context->counter_count > 256)
        return problem_set(problem, ERR_RANGE, "a branch of %zu counters cannot be simulated",
                           context->counter_count);
    uint64_t seed =
        settings->seed ^ hash_fnv64(context->branch->text, strlen(context->branch->text));
    uint32_t counters = (uint32_t)context->counter_count;
    s->branch = (struct branch_form){
        .seed = seed,
        .counters = counters,
        .employees = settings->employees ? (uint32_t)settings->employees : 2 * counters,
        .open_s = (int32_t)(settings->open_hours * 3600),
        .clients_an_hour = settings->clients_an_hour,
        .person_share = settings->person_share,
        .day_share = settings->day_share};
    s->senses = (struct senses){seed, settings->noise};
    s->visits = calloc(VISITS_MAX, sizeof *s->visits);
    s->serving = calloc(counters, sizeof *s->serving);
    if (!s->visits || !s->serving) return problem_set(problem, ERR_NOMEM, "out of memory");
    enum err err = place_read(s, cursor, problem);
    if (!err) err = measures_choose(s, problem);
    return err ? err : truth_open(s, cursor->size == 0, problem);
}

static size_t simulate_brings(const void *state, struct id *measures, size_t most) {
    const struct simulate *s = state;
    size_t count = 0;
    for (int q = 0; q < QUANTITY_COUNT && count < most; q++)
        if (s->measures[q]) measures[count++] = s->measures[q]->id;
    if (s->phrases && count < most) measures[count++] = s->phrases->id;
    return count;
}

static uint32_t simulate_progress(const void *state) {
    const struct simulate *s = state;
    if (!s->settings->days) return 0;
    double days = (double)(s->day - s->first_day) + (s->drawn ? (double)s->second / s->seconds : 0);
    return (uint32_t)(1000 * days / (double)s->settings->days);
}

static void simulate_close(void *state) {
    struct simulate *s = state;
    if (s->truth) fclose(s->truth);
    free(s->visits);
    free(s->serving);
    s->truth = NULL;
    s->visits = NULL;
    s->serving = NULL;
}

const struct driver driver_simulate = {
    .name = "simulate",
    .text = "a branch made up from a seed, with its truth beside: for trials, tests and figures",
    .state_size = sizeof(struct simulate),
    .settings_size = sizeof(struct simulate_settings),
    .settings = settings_rows,
    .open = simulate_open,
    .read = simulate_read,
    .brings = simulate_brings,
    .progress = simulate_progress,
    .close = simulate_close,
};
