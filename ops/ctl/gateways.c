// tresenctl gateways [BRANCH]: the registry says who should be there; the broker, who is; the
// store, what each said it brings, what of that came, and what was wrong with it.

#include "common/registry/measures.h"
#include "common/settings/file.h"
#include "ops/ctl/broker_link.h"
#include "ops/ctl/card.h"
#include "ops/ctl/gateway_gaps.h"
#include "ops/ctl/gateway_series.h"
#include "worker/store/state.h"

#include <stdlib.h>
#include <string.h>

enum { TROUBLE_SIZE = 240 };

/// What everything is looked up in.
struct survey {
    struct ctl *ctl;
    struct store_link *link;
    struct measure_catalogue measures;
    struct branches branches;
    json_t *status; // the brokers'
    bool closely;   // one branch alone: its series, too
};

/// What the store has of one branch.
struct stored {
    struct store_state state;
    bool known; // state is set
    redisReply *births, *counters, *gaps;
    struct gateway_series_list *series; // NULL: not asked for
};

// ------------------------------------------------------------------ what the store has

static void stored_free(struct stored *stored) {
    if (stored->known) store_state_free(&stored->state);
    if (stored->births) freeReplyObject(stored->births);
    if (stored->counters) freeReplyObject(stored->counters);
    if (stored->gaps) freeReplyObject(stored->gaps);
    free(stored->series);
}

static bool state_read(struct store_link *link, const char *branch, struct stored *stored) {
    redisReply *registry = store_key_ask(link, "GET", branch, "registry");
    redisReply *state = registry ? store_key_ask(link, "GET", branch, "state") : NULL;
    bool answered = registry && state;
    if (answered && reply_bytes(state).size > 0)
        stored->known =
            store_state_read(reply_bytes(registry), reply_bytes(state), &stored->state) == ERR_NONE;
    if (registry) freeReplyObject(registry);
    if (state) freeReplyObject(state);
    return answered;
}

static bool stored_read(const struct survey *survey, const struct branch *branch,
                        struct stored *stored) {
    const char *name = branch->id.text;
    *stored = (struct stored){0};
    if (!state_read(survey->link, name, stored) ||
        !(stored->births = store_key_ask(survey->link, "HGETALL", name, "births")) ||
        !(stored->counters = store_key_ask(survey->link, "HGETALL", name, "counters")) ||
        !(stored->gaps = store_key_ask(survey->link, "LRANGE % 0 -1", name, "gaps")))
        return false;
    if (!survey->closely) return true;
    stored->series = malloc(sizeof *stored->series);
    if (!stored->series) return ctl_fail("out of memory") == CTL_OK;
    return gateway_series_read(survey->link, branch, &survey->measures.measures, stored->series);
}

static const struct store_gateway *stored_gateway(const struct stored *stored,
                                                  const struct id *gateway) {
    for (size_t i = 0; stored->known && i < stored->state.gateway_count; i++)
        if (id_equal(&stored->state.gateways[i].id, gateway)) return &stored->state.gateways[i];
    return NULL;
}

/// Value of a field of a hash that was asked for whole.
static struct bytes field_of(const redisReply *hash, const char *field) {
    for (size_t i = 0; i + 1 < hash->elements; i += 2)
        if (strcmp(hash->element[i]->str, field) == 0) return reply_bytes(hash->element[i + 1]);
    return (struct bytes){0};
}

static long long counted(const struct stored *stored, const struct id *gateway, const char *what) {
    char field[ID_MAX + 32];
    snprintf(field, sizeof field, "%s:%s", gateway->text, what);
    struct bytes value = field_of(stored->counters, field);
    return value.size ? strtoll((const char *)value.data, NULL, 10) : 0;
}

// ------------------------------------------------------------------ one gateway

static void put_time(json_t *object, const char *key, int64_t at_ms) {
    char text[TIME_TEXT_SIZE];
    if (time_plausible(at_ms)) time_text(at_ms, text);
    json_object_set_new(object, key, time_plausible(at_ms) ? json_string(text) : json_null());
}

/// When it was born last, and what it said that it brings.
static void put_birth(json_t *object, const struct stored *stored, const struct id *gateway) {
    struct reader birth = reader_of(field_of(stored->births, gateway->text));
    bool born = reader_left(&birth) >= sizeof(uint64_t);
    json_t *measures = json_array();
    put_time(object, "born", born ? (int64_t)reader_u64(&birth) : TIME_NONE);
    for (const uint8_t *at = birth.at; born && at < birth.end;) {
        const uint8_t *blank = memchr(at, ' ', (size_t)(birth.end - at));
        const uint8_t *end = blank ? blank : birth.end;
        json_array_append_new(measures, json_stringn((const char *)at, (size_t)(end - at)));
        at = blank ? blank + 1 : birth.end;
    }
    json_object_set_new(object, "births", json_integer(counted(stored, gateway, "births")));
    json_object_set_new(object, "brings", measures);
}

static const char *const left_out[] = {"out_of_range", "future", "undeclared", "bad_fact",
                                       "no_room"};

static void put_figures(json_t *object, const struct stored *stored, const struct id *gateway) {
    const struct store_gateway *known = stored_gateway(stored, gateway);
    json_object_set_new(object, "departed", json_boolean(known && known->departed));
    put_time(object, "watermark", known ? known->watermark_ms : TIME_NONE);
    json_object_set_new(object, "clock_error_ms", json_integer(known ? known->clock_error_ms : 0));
    json_object_set_new(object, "dead", json_integer(known ? (json_int_t)known->dead : 0));
    json_object_set_new(object, "lost", json_integer(known ? (json_int_t)known->lost : 0));
    json_t *gaps = gateway_gaps_json(stored->gaps, gateway);
    json_object_set_new(object, "gaps", json_integer((json_int_t)json_array_size(gaps)));
    if (stored->series) json_object_set(object, "gap_list", gaps); // one branch alone
    json_decref(gaps);
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        json_object_set_new(object, left_out[i],
                            json_integer(counted(stored, gateway, left_out[i])));
}

static void put_series(json_t *object, const struct stored *stored, const struct branch *branch,
                       const struct branch_gateway *gateway) {
    json_t *array = json_array();
    for (size_t i = 0; stored->series && i < stored->series->count; i++) {
        const struct gateway_series *series = &stored->series->items[i];
        if (series->gateway_key != gateway->key) continue;
        json_t *item = json_pack("{s:s, s:s, s:I, s:b, s:s}", "measure", series->measure->id.text,
                                 "counter", branch->counters[series->counter].text, "members",
                                 (json_int_t)series->members, "flat",
                                 (int)gateway_series_flat(series), "unit", series->measure->unit);
        put_time(item, "newest", series->newest_ms);
        bool valued = series->members > 0 && series->measure->kind == MEASURE_SAMPLES;
        json_object_set_new(item, "value",
                            valued ? json_real(measure_value(series->measure, series->value))
                                   : json_null());
        json_array_append_new(array, item);
    }
    if (stored->series)
        json_object_set_new(object, "series", array);
    else
        json_decref(array);
}

// ------------------------------------------------------------------ what is wrong with it

static void trouble(json_t *troubles, const char *format, ...) PRINTF_LIKE(2, 3);
static void trouble(json_t *troubles, const char *format, ...) {
    char text[TROUBLE_SIZE];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    json_array_append_new(troubles, json_string(text));
}

static long long number(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

static bool is(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

static bool brought(const json_t *series, const char *measure) {
    const json_t *item;
    size_t i;
    json_array_foreach(series, i, item) {
        if (strcmp(standard_text(item, "measure"), measure) == 0) return true;
    }
    return false;
}

/// Of what it said it brings nothing is in the newest minutes, not even that it watched; or what
/// it brings stands still.
static void series_troubles(const json_t *object, json_t *troubles) {
    const json_t *series = json_object_get(object, "series"), *item;
    size_t i;
    json_array_foreach(json_object_get(object, "brings"), i, item) {
        if (series && !brought(series, json_string_value(item)))
            trouble(troubles, "stale %s", json_string_value(item));
    }
    json_array_foreach(series, i, item) {
        if (is(item, "flat"))
            trouble(troubles, "flat %s at %s", standard_text(item, "measure"),
                    standard_text(item, "counter"));
    }
}

/// known: no broker that does not answer could have it.
static json_t *troubles_of(const json_t *object, bool known) {
    static const char *const counts[] = {"out_of_range", "future", "undeclared", "bad_fact",
                                         "no_room",      "dead",   "lost"};
    json_t *troubles = json_array();
    const char *last_words = json_string_value(json_object_get(object, "trouble"));
    const json_t *report = json_object_get(object, "report");
    bool ended = is(object, "departed") || is(report, "ended");
    if (last_words)
        trouble(troubles, "failed: %s", last_words);
    else if (!known)
        trouble(troubles, "unknown while a broker does not answer");
    else if (number(object, "epoch") == 0 && json_is_null(json_object_get(object, "heard_ms")))
        trouble(troubles, "missing");
    else if (!is(object, "connected") && !ended)
        trouble(troubles, "silent");
    else if (!ended)
        series_troubles(object, troubles);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (number(object, counts[i]))
            trouble(troubles, "%s %lld", counts[i], number(object, counts[i]));
    if (number(report, "dropped")) trouble(troubles, "dropped %lld", number(report, "dropped"));
    return troubles;
}

// ------------------------------------------------------------------ all of them

/// What the broker says of it: a new object; of one it does not tell of, the names alone.
static json_t *heard_of(const struct survey *survey, const struct id *branch,
                        const struct id *gateway) {
    const json_t *item = brokers_gateway(survey->status, branch->text, gateway->text);
    if (item) return json_copy((json_t *)item);
    return json_pack("{s:s, s:s, s:n, s:n}", "branch", branch->text, "gateway", gateway->text,
                     "connected", "heard_ms");
}

static bool add_branch(const struct survey *survey, const struct branch *branch, json_t *all) {
    struct stored stored;
    bool read = stored_read(survey, branch, &stored);
    for (size_t i = 0; read && i < branch->gateway_count; i++) {
        const struct branch_gateway *gateway = &branch->gateways[i];
        const struct store_gateway *known = stored_gateway(&stored, &gateway->id);
        json_t *object = heard_of(survey, &branch->id, &gateway->id);
        if (known) { // the store knows better than a broker that has just begun
            json_object_set_new(object, "epoch", json_integer((json_int_t)known->position.epoch));
            json_object_set_new(object, "position",
                                json_integer((json_int_t)known->position.number));
        }
        put_birth(object, &stored, &gateway->id);
        put_figures(object, &stored, &gateway->id);
        put_series(object, &stored, branch, gateway);
        json_object_set_new(object, "troubles",
                            troubles_of(object, brokers_know(survey->status, object)));
        json_array_append_new(all, object);
    }
    stored_free(&stored);
    return read;
}

static void print_series(const json_t *gateway) {
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(gateway, "series"), i, item) {
        const json_t *value = json_object_get(item, "value");
        printf("    %-22s %-16s %6lld", standard_text(item, "measure"),
               standard_text(item, "counter"), number(item, "members"));
        if (json_is_string(json_object_get(item, "newest")))
            printf("  newest %s", standard_text(item, "newest"));
        if (json_is_real(value))
            printf("  %.4g %s", json_real_value(value), standard_text(item, "unit"));
        putchar('\n');
    }
}

static void print_gateway(const json_t *gateway) {
    const json_t *heard = json_object_get(gateway, "heard_ms"), *item;
    const json_t *report = json_object_get(gateway, "report");
    char name[80], ago[32] = "never";
    size_t i;
    snprintf(name, sizeof name, "%s/%s", standard_text(gateway, "branch"),
             standard_text(gateway, "gateway"));
    if (json_is_integer(heard))
        snprintf(ago, sizeof ago, "%.1f s ago", (double)json_integer_value(heard) / 1000);
    printf("%-32s %-10s %-13s %6lld %10lld %8lld %8lld %6lld  ", name,
           is(gateway, "connected") ? "yes" : "no", ago, number(gateway, "births"),
           number(gateway, "position"), number(report, "held"), number(gateway, "repeated"),
           number(gateway, "gaps"));
    json_array_foreach(json_object_get(gateway, "troubles"), i, item)
        printf("%s%s", i ? ", " : "", json_string_value(item));
    putchar('\n');
    print_series(gateway);
    gateway_gaps_print(json_object_get(gateway, "gap_list"));
}

static int print(struct ctl *ctl, json_t *all) {
    const json_t *item;
    size_t i;
    if (ctl->json) return ctl_print_json(all);
    printf("%-32s %-10s %-13s %6s %10s %8s %8s %6s  %s\n", "gateway", "connected", "heard",
           "births", "position", "held", "repeated", "gaps", "trouble");
    json_array_foreach(all, i, item) print_gateway(item);
    json_decref(all);
    return CTL_OK;
}

static bool registry_load(struct survey *survey) {
    static struct problems problems;
    const char *folder = survey->ctl->settings.config_dir;
    char measures[PATH_SIZE], branches[PATH_SIZE];
    bool loaded = path_join(folder, "measures.yaml", measures, sizeof measures, &problems) &&
                  path_join(folder, "branches", branches, sizeof branches, &problems) &&
                  measures_load(measures, &survey->measures, &problems) &&
                  branches_load(branches, &survey->branches, &problems);
    if (!loaded) problems_print(&problems, stderr);
    return loaded;
}

static int survey_print(struct survey *survey, const char *only) {
    json_t *all = json_array();
    bool read = true;
    for (size_t i = 0; read && i < survey->branches.count; i++) {
        const struct branch *branch = &survey->branches.items[i];
        if (!only || strcmp(only, branch->id.text) == 0) read = add_branch(survey, branch, all);
    }
    if (read && (!only || json_array_size(all) > 0)) return print(survey->ctl, all);
    json_decref(all);
    return read ? ctl_fail("there is no branch %s with gateways in the configuration", only)
                : CTL_FAILED;
}

int ctl_gateways(struct ctl *ctl) {
    const char *only = ctl->count ? ctl->arguments[0] : NULL;
    struct survey survey = {.ctl = ctl, .closely = only != NULL};
    int status = CTL_FAILED;
    if (registry_load(&survey) && (survey.status = brokers_status(ctl)) &&
        (survey.link = store_link_open(ctl)))
        status = survey_print(&survey, only);
    if (survey.status && !brokers_tell(survey.status)) status = CTL_FAILED;
    store_link_close(survey.link);
    json_decref(survey.status);
    branches_free(&survey.branches);
    measures_free(&survey.measures);
    return status;
}
