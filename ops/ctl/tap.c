// tresenctl tap BRANCH[/COUNTER] [MEASURE]
//
// Reads what has been appended to the newest minute logs of each counter since it last looked, with
// plain commands, at most so much at a time: nothing in the way of the data knows of it, and nobody
// who does not watch pays for it. What comes too fast is left out; a series that moved shows its
// newest value.

#include "ops/ctl/chunks.h"
#include "ops/ctl/print.h"
#include "ops/ctl/sets.h"
#include "ops/ctl/store_link.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 500,
    COUNTER_MS = 4,          // more counters than fit into LOOK_MS are looked at less often
    LOOK_BYTES = 256 * 1024, // of one log and look; the rest of a longer piece is left out
    MINUTES_MOST = 2,        // a counter: the newest, and the one before
    SERIES_MOST = 4096,
    EVENTS_MOST = 16, // told of one series and look
};

/// How far a minute's log has been looked at.
struct place {
    int64_t minute;
    uint64_t offset;
};

/// One series, as it came since the last look.
struct seen {
    const struct measure *measure;
    size_t counter;
    uint16_t gateway_key;
    uint64_t members;
    int64_t newest_ms;
    int32_t value;
    uint8_t confidence;
};

struct tap {
    struct ctl *ctl;
    struct store_link *link;
    struct catalogue catalogue;
    const struct branch *branch;
    const char *counter;                  // only this one, or NULL
    const struct measure *measure;        // only this one, or NULL
    unsigned permitted;                   // bits of enum legal_class
    bool begun;                           // the first look only notes where everything ends
    struct place (*places)[MINUTES_MOST]; // of each counter
    size_t seen_count;
    struct seen seen[SERIES_MOST];
};

// ------------------------------------------------------------------ telling

static const char *gateway_name(const struct branch *branch, uint16_t key) {
    for (size_t i = 0; i < branch->gateway_count; i++)
        if (branch->gateways[i].key == key) return branch->gateways[i].id.text;
    return "?";
}

static int digits_of(const struct measure *measure) {
    return measure->resolution >= 1 ? 0 : (int)ceil(-log10(measure->resolution) - 1e-9);
}

static void tell_json(const struct tap *tap, const struct seen *seen, const char *at,
                      const struct bytes *label) {
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "t", at, "branch", tap->branch->id.text, "counter",
                  tap->branch->counters[seen->counter].text, "measure", seen->measure->id.text,
                  "gateway", gateway_name(tap->branch, seen->gateway_key));
    if (label)
        json_object_set_new(line, "label", json_stringn((const char *)label->data, label->size));
    else
        json_object_set_new(line, "value", json_real(measure_value(seen->measure, seen->value)));
    json_object_set_new(line, "unit", json_string(seen->measure->unit));
    json_object_set_new(line, "confidence", json_real(seen->confidence / 100.0));
    json_object_set_new(line, "members", json_integer((json_int_t)seen->members));
    (void)json_print(stdout, line, false);
    putchar('\n');
    json_decref(line);
}

static void tell(const struct tap *tap, const struct seen *seen, const struct bytes *label) {
    char at[TIME_TEXT_SIZE];
    time_text(seen->newest_ms, at);
    if (tap->ctl->json) {
        tell_json(tap, seen, at, label);
        return;
    }
    printf("%s  %-12s %-20s ", at, tap->branch->counters[seen->counter].text,
           seen->measure->id.text);
    if (label)
        printf("%.*s", (int)label->size, (const char *)label->data);
    else
        printf("%.*f %s", digits_of(seen->measure), measure_value(seen->measure, seen->value),
               seen->measure->unit);
    printf("  (confidence %d %%, %s", seen->confidence,
           gateway_name(tap->branch, seen->gateway_key));
    if (seen->members > 1) printf(", newest of %llu", (unsigned long long)seen->members);
    printf(")\n");
}

// ------------------------------------------------------------------ what has come

static bool shown(const struct tap *tap, const struct measure *measure) {
    return tap->permitted >> measure->legal & 1 && (!tap->measure || tap->measure == measure);
}

static struct seen *seen_of(struct tap *tap, size_t counter, const struct chunk *chunk) {
    for (size_t i = 0; i < tap->seen_count; i++) {
        struct seen *seen = &tap->seen[i];
        if (seen->measure == chunk->measure && seen->counter == counter &&
            seen->gateway_key == chunk->gateway_key)
            return seen;
    }
    if (tap->seen_count == SERIES_MOST) return NULL;
    struct seen *seen = &tap->seen[tap->seen_count++];
    *seen = (struct seen){.measure = chunk->measure,
                          .counter = counter,
                          .gateway_key = chunk->gateway_key,
                          .newest_ms = TIME_NONE};
    return seen;
}

static void take_chunk(struct tap *tap, size_t counter, const struct chunk *chunk) {
    if (!shown(tap, chunk->measure) || chunk->columns.count == 0) return;
    struct seen *seen = seen_of(tap, counter, chunk);
    if (!seen) return;
    bool events = chunk->measure->kind == MEASURE_EVENTS;
    for (size_t i = 0; i < chunk->columns.count; i++) {
        int64_t at_ms = chunk->minute_ms + chunk->columns.t_ms[i];
        seen->members++;
        if (at_ms < seen->newest_ms) continue;
        seen->newest_ms = at_ms;
        seen->value = chunk->columns.value[i];
        seen->confidence = chunk->columns.confidence[i];
        if (!events || seen->members > EVENTS_MOST) continue;
        struct seen event = *seen; // events are told one by one
        event.members = 1;
        tell(tap, &event, &chunk->labels[seen->value]);
    }
}

static void tell_all(struct tap *tap) {
    for (size_t i = 0; i < tap->seen_count; i++)
        if (tap->seen[i].measure->kind == MEASURE_SAMPLES) tell(tap, &tap->seen[i], NULL);
    tap->seen_count = 0;
    fflush(stdout);
}

// ------------------------------------------------------------------ looking

/// Where a minute was left; a minute that is new takes the place of the oldest.
static struct place *place_of(struct tap *tap, size_t counter, int64_t minute) {
    struct place *places = tap->places[counter], *oldest = &places[0];
    for (int i = 0; i < MINUTES_MOST; i++) {
        if (places[i].minute == minute) return &places[i];
        if (places[i].minute < oldest->minute) oldest = &places[i];
    }
    if (minute < oldest->minute) return NULL;
    *oldest = (struct place){.minute = minute};
    return oldest;
}

static bool look_at_minute(struct tap *tap, size_t counter, int64_t minute) {
    static struct chunk chunk;
    const char *branch = tap->branch->id.text, *name = tap->branch->counters[counter].text;
    struct place *place = place_of(tap, counter, minute);
    if (!place) return true;
    redisReply *length =
        store_key_ask(tap->link, "STRLEN", branch, "m:%s:%lld", name, (long long)minute);
    if (!length) return false;
    uint64_t end = (uint64_t)length->integer;
    freeReplyObject(length);
    if (!tap->begun || end < place->offset || end - place->offset > LOOK_BYTES)
        place->offset = end; // chunks are appended whole: the end is between two
    if (end == place->offset) return true;
    char command[64];
    snprintf(command, sizeof command, "GETRANGE %% %llu %llu", (unsigned long long)place->offset,
             (unsigned long long)end - 1);
    redisReply *piece =
        store_key_ask(tap->link, command, branch, "m:%s:%lld", name, (long long)minute);
    if (!piece) return false;
    struct reader log = reader_of(reply_bytes(piece));
    while (!chunks_next(&log, &tap->catalogue.measures.measures, minute, &chunk))
        take_chunk(tap, counter, &chunk);
    place->offset = end;
    freeReplyObject(piece);
    return true;
}

static bool look_at_counter(struct tap *tap, size_t counter) {
    redisReply *minutes = store_key_ask(tap->link, "ZRANGE % -2 -1", tap->branch->id.text, "mi:%s",
                                        tap->branch->counters[counter].text);
    if (!minutes) return false;
    bool looked = true;
    for (size_t i = 0; looked && i < minutes->elements; i++)
        looked = look_at_minute(tap, counter, strtoll(minutes->element[i]->str, NULL, 10));
    freeReplyObject(minutes);
    return looked;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int watch(struct tap *tap, double end_s) {
    size_t count = tap->branch->counter_count;
    useconds_t pause_us = (useconds_t)(LOOK_MS + COUNTER_MS * count) * 1000;
    do {
        for (size_t i = 0; i < count; i++) {
            bool asked = !tap->counter || !strcmp(tap->counter, tap->branch->counters[i].text);
            if (asked && !look_at_counter(tap, i)) return CTL_FAILED;
        }
        tap->begun = true;
        tell_all(tap);
        usleep(pause_us);
    } while (now_s() < end_s);
    return CTL_OK;
}

// ------------------------------------------------------------------ what is asked for

static int find_measure(struct tap *tap, const char *name) {
    tap->measure = measures_find(&tap->catalogue.measures.measures, name, strlen(name));
    if (!tap->measure) return ctl_fail("measures.yaml has no measure %s", name);
    if (shown(tap, tap->measure)) return CTL_OK;
    return ctl_fail("%s is of class P%d, which may not be shown in branch %s: no agreement permits "
                    "it, or a layer forbids it",
                    name, (int)tap->measure->legal, tap->branch->id.text);
}

/// BRANCH or BRANCH/COUNTER, and what may be shown there today.
static int find_place(struct tap *tap, char *text) {
    char *slash = strchr(text, '/');
    size_t place;
    if (slash) *slash = '\0';
    if (!sets_branch(&tap->catalogue, text, &place)) return CTL_FAILED;
    const struct branch *branch = tap->branch = &tap->catalogue.branches.items[place];
    struct standards_place where = {
        .branch = branch->id.text, .region = branch->region.text, .country = branch->country};
    if (!sets_day(tap->ctl, branch, &where.day)) return CTL_FAILED;
    tap->permitted = standards_permitted(tap->catalogue.standards, &where);
    if (!slash) return CTL_OK;
    tap->counter = slash + 1;
    for (size_t i = 0; i < branch->counter_count; i++)
        if (strcmp(branch->counters[i].text, tap->counter) == 0) return CTL_OK;
    return ctl_fail("branch %s has no counter %s", branch->id.text, tap->counter);
}

int ctl_tap(struct ctl *ctl) {
    static struct tap tap;
    double seconds;
    tap.ctl = ctl;
    if (!ctl_seconds(ctl, &seconds)) return CTL_FAILED;
    int status = sets_load(ctl->settings.config_dir, &tap.catalogue) ? CTL_OK : CTL_FAILED;
    if (!status) status = find_place(&tap, ctl->arguments[0]);
    if (!status && ctl->count > 1) status = find_measure(&tap, ctl->arguments[1]);
    if (!status) tap.places = calloc(tap.branch->counter_count, sizeof *tap.places);
    if (!status && !tap.places) status = ctl_fail("out of memory");
    if (!status) tap.link = store_link_open(ctl);
    if (!status) status = tap.link ? watch(&tap, now_s() + seconds) : CTL_FAILED;
    store_link_close(tap.link);
    free(tap.places);
    catalogue_free(&tap.catalogue);
    return status;
}
