#include "sensors-gw/shell/probe.h"

#include "common/io/clock.h"
#include "common/settings/command.h"
#include "sensors-gw/shell/gateway_settings.h"
#include "sensors-gw/shell/probe_path.h"
#include "sensors-gw/shell/site.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUDGET = 1024,
    PAUSE_MS = 50,
    SECONDS_MOST = 3600,
    SERIES_MOST = 1024,
    EXIT_NOTHING = 1,
};

/// One measure at one counter, as far as it was seen.
struct seen {
    const struct measure *measure;
    struct id counter;
    uint64_t members, confidence; // confidence: the sum of percents
    int64_t first_ms, last_ms, watched_ms;
    int32_t least, most;
    struct name label; // the last
};

struct sensor {
    const struct driver *driver;
    const char *name;
    struct driver_context context;
    void *state;
    struct source *source;
    struct cursor cursor;
    bool open, ended;
    uint64_t wake_ms;
};

struct probe {
    struct batching *batching;
    size_t sensor_count;
    struct sensor sensors[DRIVERS_MAX];
    size_t seen_count;
    struct seen seen[SERIES_MOST];
    uint64_t encounters, ended, withdrawn, gaps, beyond; // beyond: series more than SERIES_MOST
    bool failed;
};

// ------------------------------------------------------------------ what is seen

static struct seen *seen_of(struct probe *p, const struct batch_series *series) {
    for (size_t i = 0; i < p->seen_count; i++)
        if (p->seen[i].measure == series->measure &&
            id_equal(&p->seen[i].counter, &series->counter))
            return &p->seen[i];
    if (p->seen_count == SERIES_MOST) return NULL;
    struct seen *seen = &p->seen[p->seen_count++];
    *seen = (struct seen){.measure = series->measure,
                          .counter = series->counter,
                          .first_ms = INT64_MAX,
                          .last_ms = INT64_MIN,
                          .least = INT32_MAX,
                          .most = INT32_MIN};
    return seen;
}

static void take_series(struct probe *p, const struct batch_series *series) {
    struct seen *seen = seen_of(p, series);
    if (!seen) {
        p->beyond++;
        return;
    }
    seen->watched_ms += series->watched.to_ms - series->watched.from_ms;
    for (size_t i = 0; i < series->columns.count; i++) {
        int64_t at_ms = series->base_ms + series->columns.t_ms[i];
        int32_t value = series->columns.value[i];
        seen->members++;
        seen->confidence += series->columns.confidence[i];
        if (at_ms < seen->first_ms) seen->first_ms = at_ms;
        if (at_ms > seen->last_ms) seen->last_ms = at_ms;
        if (value < seen->least) seen->least = value;
        if (value > seen->most) seen->most = value;
        if (series->label_count) seen->label = series->labels[value];
    }
}

static void take_batch(void *context, const struct batch *batch) {
    struct probe *p = context;
    for (size_t i = 0; i < batch->series_count; i++)
        take_series(p, &batch->series[i]);
    for (size_t i = 0; i < batch->fact_count; i++) {
        const struct fact *fact = &batch->facts[i];
        p->encounters += fact->kind == FACT_ENCOUNTER;
        p->ended += fact->kind == FACT_ENCOUNTER && fact->encounter.ended_ms != TIME_NONE;
        p->withdrawn += fact->kind == FACT_WITHDRAWN;
        p->gaps += fact->kind == FACT_GAP;
    }
}

static void print_seen(const struct seen *seen) {
    const struct measure *measure = seen->measure;
    printf("%-24s %-16s %8llu", measure->id.text, seen->counter.text,
           (unsigned long long)seen->members);
    if (seen->members) {
        double span_s = (double)(seen->last_ms - seen->first_ms) / 1000;
        if (measure->kind == MEASURE_SAMPLES)
            printf("  %g .. %g %s", measure_value(measure, seen->least),
                   measure_value(measure, seen->most), measure->unit);
        else
            printf("  last: %s", seen->label.text);
        if (span_s > 0) printf(", %.3g a second", (double)(seen->members - 1) / span_s);
        printf(", confidence %.0f %%", (double)seen->confidence / (double)seen->members);
    }
    printf(", watched %.1f s\n", (double)seen->watched_ms / 1000);
}

static int report(const struct probe *p) {
    const char *name;
    uint64_t count;
    if (p->seen_count) printf("%-24s %-16s %8s\n", "measure", "counter", "seen");
    for (size_t i = 0; i < p->seen_count; i++)
        print_seen(&p->seen[i]);
    if (p->beyond) printf("and %llu pieces of further series\n", (unsigned long long)p->beyond);
    if (p->encounters + p->withdrawn)
        printf("encounters: %llu messages, %llu of them of an end; %llu withdrawn\n",
               (unsigned long long)p->encounters, (unsigned long long)p->ended,
               (unsigned long long)p->withdrawn);
    if (p->gaps) printf("gaps: %llu\n", (unsigned long long)p->gaps);
    for (size_t i = 0; batching_oddity_at(p->batching, i, &name, &count); i++)
        printf("odd: %s, %llu times\n", name, (unsigned long long)count);
    bool nothing = !p->seen_count && !p->encounters;
    if (nothing) printf("nothing was seen\n");
    return nothing || p->failed ? EXIT_NOTHING : 0;
}

// ------------------------------------------------------------------ the drivers

static void fail(struct probe *p, struct sensor *sensor, const char *reason) {
    printf("driver %s: %s\n", sensor->name, reason);
    p->failed = true;
    sensor->ended = true;
}

static void read_sensor(struct probe *p, struct sensor *sensor, uint64_t now_ms) {
    struct problem problem = {0};
    struct driver_turn turn = {.source = sensor->source,
                               .now_ms = now_ms,
                               .utc_ms = clock_utc_ms(),
                               .budget = BUDGET,
                               .wake_ms = UINT64_MAX,
                               .cursor = sensor->cursor};
    enum err err = sensor->driver->read(sensor->state, &turn, &problem);
    sensor->cursor = turn.cursor;
    sensor->wake_ms = err == ERR_AGAIN ? turn.wake_ms : 0;
    if (turn.remark.text[0]) printf("driver %s: %s\n", sensor->name, turn.remark.text);
    if (err == ERR_END)
        sensor->ended = true;
    else if (err && err != ERR_AGAIN)
        fail(p, sensor, problem.text);
}

/// Until one has something, or a moment has passed. false: all have ended.
static bool wait_any(const struct probe *p, uint64_t now_ms) {
    struct pollfd polls[DRIVERS_MAX];
    nfds_t count = 0;
    bool any = false;
    int pause_ms = PAUSE_MS;
    for (size_t i = 0; i < p->sensor_count; i++) {
        const struct sensor *sensor = &p->sensors[i];
        if (sensor->ended) continue;
        any = true;
        if (sensor->wake_ms <= now_ms) pause_ms = 0;
        int fd = sensor->driver->wait_fd ? sensor->driver->wait_fd(sensor->state) : -1;
        if (fd >= 0) polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    if (any && pause_ms) (void)poll(polls, count, pause_ms);
    return any;
}

static void read_all(struct probe *p, uint64_t until_ms) {
    uint64_t now_ms;
    while ((now_ms = clock_monotonic_ms()) < until_ms && wait_any(p, now_ms)) {
        batching_now(p->batching, now_ms);
        for (size_t i = 0; i < p->sensor_count; i++)
            if (!p->sensors[i].ended) read_sensor(p, &p->sensors[i], now_ms);
    }
    batching_cut(p->batching);
}

static void open_all(struct probe *p, const struct driver_entries *entries,
                     const struct driver_context *context) {
    for (size_t i = 0; i < entries->count; i++) {
        const struct driver_entry *entry = &entries->items[i];
        struct sensor *sensor = &p->sensors[p->sensor_count++];
        struct problem problem = {0};
        *sensor = (struct sensor){.driver = entry->driver,
                                  .name = entry->name.text,
                                  .context = *context,
                                  .source = batching_source(p->batching, i)};
        sensor->context.settings = entry->settings;
        sensor->state = calloc(1, entry->driver->state_size ? entry->driver->state_size : 1);
        if (!sensor->state) {
            fail(p, sensor, "out of memory");
            continue;
        }
        sensor->open = true;
        if (sensor->driver->open(sensor->state, &sensor->context, &sensor->cursor, &problem))
            fail(p, sensor, problem.text);
    }
}

static void close_all(struct probe *p) {
    for (size_t i = 0; i < p->sensor_count; i++) {
        if (p->sensors[i].open) p->sensors[i].driver->close(p->sensors[i].state);
        free(p->sensors[i].state);
    }
}

static int look(const struct gateway_settings *settings, const struct driver_entries *entries,
                const struct site *site, uint64_t seconds) {
    static struct probe p;
    struct pseudonyms pseudonyms = {.period = (enum pseudonym_period)settings->pseudonym_period,
                                    .zone = &site->branch->zone};
    const struct batching_limits limits = {.observations_max =
                                               (uint32_t)settings->batch_observations,
                                           .body_max = (uint32_t)settings->batch_bytes,
                                           .linger_ms = (uint32_t)settings->batch_linger_ms,
                                           .clock_error_ms = (uint32_t)settings->clock_error_ms,
                                           .legal_most = (enum legal_class)settings->legal_most,
                                           .counters = site->counters,
                                           .counter_count = site->counter_count};
    const struct driver_context context = {.branch = &settings->branch,
                                           .gateway = &settings->gateway,
                                           .counters = site->counters,
                                           .counter_count = site->counter_count,
                                           .measures = &site->catalogue.measures,
                                           .zone = &site->branch->zone,
                                           .pseudonyms = &pseudonyms};
    random_fill(pseudonyms.key, sizeof pseudonyms.key); // nothing leaves: a key of the moment
    p.batching = batching_new(&limits, entries->count, TIME_NONE, take_batch, &p);
    if (!p.batching) {
        fprintf(stderr, "out of memory\n");
        return EXIT_NOTHING;
    }
    open_all(&p, entries, &context);
    read_all(&p, clock_monotonic_ms() + seconds * 1000);
    int status = report(&p);
    close_all(&p);
    batching_free(p.batching);
    explicit_bzero(&pseudonyms, sizeof pseudonyms);
    return status;
}

// ------------------------------------------------------------------ the command

static uint64_t seconds_of(const char *text, struct problems *problems) {
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);
    if (*end || end == text || seconds < 1 || seconds > SECONDS_MOST)
        problems_add(problems, ERR_RANGE, NULL, "--seconds %.20s: write 1 .. %d", text,
                     SECONDS_MOST);
    return seconds;
}

int probe(int argc, char **argv) {
    static struct command_line line;
    static struct gateway_settings settings;
    static struct driver_entries drivers;
    static struct site site;
    const char *seconds_text = "5";
    uint64_t seconds = 0;
    const struct command_option options[] = {
        {"--seconds", "N", &seconds_text, "Look for so long at most (default 5)."}, {0}};
    const struct command command = {
        .name = "tresen-gateway probe",
        .summary = "Lets the drivers of a gateway's file look for a few seconds and says what they "
                   "see, in units. Nothing is kept and nothing is sent. With a PATH instead: "
                   "what this file, pipe or port holds, and which driver reads it, by its form.",
        .rest = "[PATH]",
        .settings = gateway_settings,
        .options = options,
        .shorts = driver_shorts};
    enum command_step step = command_read(&command, argc, argv, &settings, &line);
    const char *path = step == COMMAND_GO && line.rest_count == 1 ? line.rest[0] : NULL;
    if (path) { // needs no gateway's file: what is missing of one is no problem
        line.problems = (struct problems){0};
        seconds = seconds_of(seconds_text, &line.problems);
        step = command_checked(&line);
    } else if (step == COMMAND_GO) {
        bool usable = !line.problems.count;
        seconds = seconds_of(seconds_text, &line.problems);
        (void)driver_entries_read(settings.drivers, &drivers, &line.problems);
        if (usable) (void)site_load(&settings, &site, &line.problems);
        step = command_checked(&line);
    }
    int status = 0;
    if (step == COMMAND_GO)
        status = path ? probe_path(path, settings.config_dir, seconds)
                      : look(&settings, &drivers, &site, seconds);
    driver_entries_free(&drivers);
    site_free(&site);
    int shared = command_exit(&line, step);
    return step == COMMAND_GO ? status : shared;
}
