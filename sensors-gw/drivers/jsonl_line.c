#include "sensors-gw/drivers/jsonl_line.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/// A line while it is being read: the first thing wrong stays.
struct reading {
    const struct jsonl_defaults *defaults;
    struct jsonl_item *item;
    const char **oddity;
    struct problem *problem;
    enum err err;
};

static void refuse(struct reading *reading, enum err err, const char *oddity, const char *key,
                   const char *what) {
    if (reading->err) return;
    reading->err = problem_set(reading->problem, err, "\"%.64s\" %s", key, what);
    *reading->oddity = oddity;
}

static void bad_field(struct reading *reading, const char *key, const char *what) {
    refuse(reading, ERR_FORMAT, "bad_field", key, what);
}

// ------------------------------------------------------------------ fields

/// Must or may be there; size 0 when it is not.
static struct bytes read_text(struct reading *reading, const json_t *map, const char *key,
                              bool must) {
    const json_t *value = json_object_get(map, key);
    if (json_is_string(value))
        return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
    if (must)
        bad_field(reading, key, "must be a text");
    else if (value && !json_is_null(value))
        bad_field(reading, key, "is not a text");
    return (struct bytes){0};
}

/// TIME_NONE when it may be absent and is. Moves the item's t_ms to the latest time.
static int64_t read_time(struct reading *reading, const json_t *map, const char *key, bool must) {
    const json_t *value = json_object_get(map, key);
    int64_t at_ms = TIME_NONE;
    if ((!value || json_is_null(value)) && !must) return TIME_NONE;
    if (json_is_integer(value))
        at_ms = json_integer_value(value);
    else if (!json_is_string(value) ||
             time_parse(json_string_value(value), json_string_length(value), &at_ms) != ERR_NONE)
        at_ms = TIME_NONE;
    if (at_ms == TIME_NONE || !time_plausible(at_ms)) {
        bad_field(reading, key, "must be a time: ISO 8601 with offset, or milliseconds");
        return TIME_NONE;
    }
    if (reading->item->t_ms == TIME_NONE || at_ms > reading->item->t_ms)
        reading->item->t_ms = at_ms;
    return at_ms;
}

static void read_counter(struct reading *reading, const json_t *map, bool must) {
    struct bytes text = read_text(reading, map, "counter", false);
    reading->item->counter = reading->defaults->counter;
    if (text.size > 0 && !id_set(&reading->item->counter, (const char *)text.data, text.size))
        bad_field(reading, "counter", "is not an id: a-z, 0-9 and -, at most 32");
    else if (must && reading->item->counter.text[0] == '\0')
        bad_field(reading, "counter", "is needed: in the line or in the settings");
}

static void read_measure(struct reading *reading, const json_t *map, const struct measure **out) {
    struct bytes text = read_text(reading, map, "measure", true);
    if (reading->err) return;
    *out = measures_find(reading->defaults->measures, (const char *)text.data, text.size);
    if (!*out)
        refuse(reading, ERR_MISSING, "undeclared_measure", (const char *)text.data,
               "is a measure that measures.yaml does not declare");
}

static void read_confidence(struct reading *reading, const json_t *map) {
    const json_t *value = json_object_get(map, "confidence");
    double confidence = reading->defaults->confidence;
    if (json_is_number(value))
        confidence = json_number_value(value);
    else if (value)
        confidence = -1;
    if (confidence >= 0 && confidence <= 1)
        reading->item->confidence = (uint8_t)lround(confidence * 100);
    else
        bad_field(reading, "confidence", "must be a number 0..1");
}

static void read_name(struct reading *reading, const json_t *map, const char *key, bool must,
                      struct name *out) {
    struct bytes text = read_text(reading, map, key, must);
    if (text.size == 0 && !must) return;
    if (!name_set(out, (const char *)text.data, text.size))
        bad_field(reading, key, "must be A-Z, a-z, 0-9 and _.:-, at most 64");
}

// ------------------------------------------------------------------ forms

static void read_observation(struct reading *reading, const json_t *map) {
    struct jsonl_item *item = reading->item;
    const json_t *value = json_object_get(map, "value");
    read_time(reading, map, "t", true);
    read_measure(reading, map, &item->measure);
    read_counter(reading, map, true);
    read_confidence(reading, map);
    if (reading->err) return;
    item->kind = item->measure->kind == MEASURE_EVENTS ? JSONL_EVENT : JSONL_SAMPLE;
    if (item->kind == JSONL_EVENT)
        read_name(reading, map, "label", true, &item->label);
    else if (json_is_number(value))
        item->value = json_number_value(value);
    else
        bad_field(reading, "value", "must be a number");
}

static void read_span(struct reading *reading, const json_t *map) {
    reading->item->from_ms = read_time(reading, map, "from", true);
    reading->item->t_ms = read_time(reading, map, "to", true);
    if (!reading->err && reading->item->t_ms < reading->item->from_ms)
        bad_field(reading, "to", "lies before \"from\"");
}

static void read_watch(struct reading *reading, const json_t *map) {
    reading->item->kind = JSONL_WATCH;
    if (!json_is_object(map)) {
        bad_field(reading, "watch", "must be {measure, counter, from, to}");
        return;
    }
    read_measure(reading, map, &reading->item->measure);
    read_counter(reading, map, true);
    read_span(reading, map);
}

static void read_encounter(struct reading *reading, const json_t *map) {
    struct jsonl_item *item = reading->item;
    struct encounter *encounter = &item->encounter;
    item->kind = JSONL_ENCOUNTER;
    read_name(reading, map, "id", true, &encounter->id);
    read_counter(reading, map, true);
    encounter->counter = item->counter;
    encounter->issued_ms = read_time(reading, map, "issued", false);
    encounter->called_ms = read_time(reading, map, "called", false);
    encounter->started_ms = read_time(reading, map, "started", false);
    encounter->ended_ms = read_time(reading, map, "ended", false);
    struct bytes text = read_text(reading, map, "offering", false);
    if (text.size > 0 && !id_set(&encounter->offering, (const char *)text.data, text.size))
        bad_field(reading, "offering", "is not an id: a-z, 0-9 and -, at most 32");
    text = read_text(reading, map, "language", false);
    if (text.size > 0 && !language_valid((const char *)text.data, text.size))
        bad_field(reading, "language", "must be two or three letters, such as de");
    else if (text.size > 0)
        memcpy(encounter->language, text.data, text.size);
    text = read_text(reading, map, "outcome", false);
    if (text.size > 0 && !outcome_parse((const char *)text.data, text.size, &encounter->outcome))
        bad_field(reading, "outcome", "is not one of the outcomes");
    text = read_text(reading, map, "employee", false);
    if (text.size >= EMPLOYEE_NAME_SIZE)
        bad_field(reading, "employee", "is longer than 127 bytes");
    else if (text.size > 0)
        memcpy(item->employee_name, text.data, text.size);
    if (!reading->err && item->t_ms == TIME_NONE)
        bad_field(reading, "issued", "or another time is needed");
}

static void read_fact(struct reading *reading, const json_t *map) {
    struct jsonl_item *item = reading->item;
    struct bytes fact = read_text(reading, map, "fact", true);
    const char *name = fact.size > 0 ? (const char *)fact.data : "";
    if (strcmp(name, "encounter") == 0) {
        read_encounter(reading, map);
    } else if (strcmp(name, "withdrawn") == 0) {
        item->kind = JSONL_WITHDRAWN;
        read_name(reading, map, "id", true, &item->encounter.id);
        read_name(reading, map, "reason", true, &item->label);
    } else if (strcmp(name, "gap") == 0) {
        item->kind = JSONL_GAP;
        read_counter(reading, map, false);
        read_name(reading, map, "reason", true, &item->label);
        read_span(reading, map);
    } else {
        bad_field(reading, "fact", "must be encounter, withdrawn or gap");
    }
}

static void read_ticket(struct reading *reading, const json_t *map) {
    static const char *const events[] = {
        [TICKET_ISSUED] = "issued", [TICKET_CALLED] = "called",   [TICKET_STARTED] = "started",
        [TICKET_ENDED] = "ended",   [TICKET_NO_SHOW] = "no_show", [TICKET_ABANDONED] = "abandoned"};
    struct jsonl_item *item = reading->item;
    item->kind = JSONL_TICKET;
    read_time(reading, map, "t", true);
    read_name(reading, map, "ticket", true, &item->ticket);
    struct bytes text = read_text(reading, map, "ev", true);
    item->event = TICKET_OTHER;
    for (size_t i = 0; i < TICKET_OTHER; i++)
        if (text.size > 0 && strcmp(events[i], (const char *)text.data) == 0)
            item->event = (enum ticket_event)i;
    text = read_text(reading, map, "queue", false);
    if (text.size > 0 && !id_set(&item->offering, (const char *)text.data, text.size))
        bad_field(reading, "queue", "is not an id: a-z, 0-9 and -, at most 32");
    text = read_text(reading, map, "desk", false);
    if (text.size > ID_MAX)
        bad_field(reading, "desk", "is longer than 32");
    else if (text.size > 0)
        memcpy(item->desk, text.data, text.size);
}

static void read_form(struct reading *reading, const json_t *map) {
    const json_t *version = json_object_get(map, "v");
    if (version && !(json_is_integer(version) && json_integer_value(version) == 1))
        refuse(reading, ERR_VERSION, "unknown_version", "v", "is not 1");
    else if (json_object_get(map, "fact"))
        read_fact(reading, map);
    else if (json_object_get(map, "ticket"))
        read_ticket(reading, map);
    else if (json_object_get(map, "watch"))
        read_watch(reading, json_object_get(map, "watch"));
    else if (json_object_get(map, "watermark"))
        reading->item->kind = JSONL_WATERMARK, read_time(reading, map, "watermark", true);
    else
        read_observation(reading, map);
}

enum err jsonl_line_read(struct bytes line, const struct jsonl_defaults *defaults,
                         struct jsonl_item *item, const char **oddity, struct problem *problem) {
    struct reading reading = {defaults, item, oddity, problem, ERR_NONE};
    json_error_t error;
    *item = (struct jsonl_item){.t_ms = TIME_NONE,
                                .encounter = {.issued_ms = TIME_NONE,
                                              .called_ms = TIME_NONE,
                                              .started_ms = TIME_NONE,
                                              .ended_ms = TIME_NONE}};
    json_t *map = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(map)) {
        *oddity = "torn_line";
        json_decref(map);
        return problem_set(problem, ERR_FORMAT, "not a JSON object: %.100s",
                           map ? "another kind of value" : error.text);
    }
    read_form(&reading, map);
    json_decref(map);
    return reading.err;
}
