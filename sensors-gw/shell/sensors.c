#include "sensors-gw/shell/sensors.h"

#include "common/io/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_FIRST_MS = 1000, RETRY_MOST_MS = 60000 };

/// The poll of one descriptor; lives until libuv has closed it.
struct watch {
    uv_poll_t poll;
    int fd;
    bool active, readable;
};

struct sensor {
    const struct driver *driver;
    const char *name;
    struct driver_context context;
    void *state;
    bool open, ended, again; // again: the last read said ERR_AGAIN
    uint64_t wake_ms;        // when again, or when to open again
    uint32_t failures;       // in a row
    struct cursor cursor;
    bool moved; // the cursor, since it was kept
    struct source *source;
    struct watch *watch; // NULL: no descriptor
};

struct sensors {
    struct loop *loop;
    size_t count;
    struct sensor items[];
};

// ------------------------------------------------------------------ descriptors

static void watch_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void watch_stop(struct sensor *sensor) {
    if (!sensor->watch) return;
    uv_close((uv_handle_t *)&sensor->watch->poll, watch_closed);
    sensor->watch = NULL;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events; // an error shows itself when read
    struct watch *watch = poll->data;
    watch->readable = true;
    watch->active = false;
    uv_poll_stop(poll); // level-triggered: quiet until it has been read
}

/// Before a read, in which the driver may close the descriptor and open another that gets the same
/// number: what polls the closed one would never wake.
static void watch_rest(struct watch *watch) {
    if (watch->active) uv_poll_stop(&watch->poll);
    watch->readable = watch->active = false;
}

/// A driver may have opened another descriptor since.
static void watch_follow(struct sensors *sensors, struct sensor *sensor) {
    int fd = sensor->open && !sensor->ended && sensor->driver->wait_fd
                 ? sensor->driver->wait_fd(sensor->state)
                 : -1;
    if (sensor->watch && sensor->watch->fd == fd) return;
    watch_stop(sensor);
    if (fd < 0) return;
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch || uv_poll_init(loop_uv(sensors->loop), &watch->poll, fd) < 0) {
        free(watch);
        log_warning("driver_not_polled", "driver=%s fd=%d", sensor->name, fd);
        return;
    }
    watch->fd = fd;
    watch->poll.data = watch;
    sensor->watch = watch;
}

void sensors_wait(struct sensors *sensors, bool wanted) {
    for (size_t i = 0; i < sensors->count; i++) {
        struct watch *watch = sensors->items[i].watch;
        bool on = wanted && watch && sensors->items[i].again && !watch->readable;
        if (!watch || watch->active == on) continue;
        watch->active = on;
        if (on)
            uv_poll_start(&watch->poll, UV_READABLE | UV_DISCONNECT, on_readable);
        else
            uv_poll_stop(&watch->poll);
    }
}

// ------------------------------------------------------------------ opening, closing

static enum err sensor_open(struct sensor *sensor, struct problem *problem) {
    memset(sensor->state, 0, sensor->driver->state_size);
    enum err err = sensor->driver->open(sensor->state, &sensor->context, &sensor->cursor, problem);
    if (err) {
        sensor->driver->close(sensor->state);
        return err;
    }
    sensor->open = true;
    sensor->again = false;
    return ERR_NONE;
}

static void sensor_close(struct sensor *sensor) {
    watch_stop(sensor);
    if (sensor->open) sensor->driver->close(sensor->state);
    sensor->open = false;
}

/// Broken: closed, and opened again after a pause that doubles.
static void sensor_failed(struct sensor *sensor, uint64_t now_ms, const char *text) {
    log_error("driver_failed", "driver=%s reason=%s", sensor->name, text);
    sensor_close(sensor);
    uint32_t shift = sensor->failures < 6 ? sensor->failures : 6;
    uint64_t pause_ms = (uint64_t)RETRY_FIRST_MS << shift;
    sensor->failures++;
    sensor->wake_ms = now_ms + (pause_ms < RETRY_MOST_MS ? pause_ms : RETRY_MOST_MS);
}

static enum err sensor_init(struct sensor *sensor, const struct driver_entry *entry,
                            const struct driver_context *context, struct spool *spool,
                            struct source *source, struct problem *problem) {
    *sensor = (struct sensor){.driver = entry->driver,
                              .name = entry->name.text,
                              .context = *context,
                              .source = source,
                              .wake_ms = DEADLINE_NEVER};
    sensor->context.settings = entry->settings;
    sensor->state = calloc(1, entry->driver->state_size ? entry->driver->state_size : 1);
    if (!sensor->state) return problem_set(problem, ERR_NOMEM, "out of memory");
    enum err err = spool_cursor(spool, sensor->name, &sensor->cursor, problem);
    return err ? err : sensor_open(sensor, problem);
}

enum err sensors_new(const struct driver_entries *entries, const struct driver_context *context,
                     struct spool *spool, struct batching *batching, struct loop *loop,
                     struct sensors **sensors_out, struct problem *problem) {
    struct sensors *sensors =
        calloc(1, sizeof *sensors + entries->count * sizeof sensors->items[0]);
    if (!sensors) return problem_set(problem, ERR_NOMEM, "out of memory");
    sensors->loop = loop;
    for (size_t i = 0; i < entries->count; i++) {
        sensors->count = i + 1;
        struct problem reason = {0};
        enum err err = sensor_init(&sensors->items[i], &entries->items[i], context, spool,
                                   batching_source(batching, i), &reason);
        if (err) {
            sensors_free(sensors);
            return problem_set(problem, err, "driver %s: %s", entries->items[i].name.text,
                               reason.text);
        }
        watch_follow(sensors, &sensors->items[i]);
    }
    *sensors_out = sensors;
    return ERR_NONE;
}

void sensors_free(struct sensors *sensors) {
    if (!sensors) return;
    for (size_t i = 0; i < sensors->count; i++) {
        sensor_close(&sensors->items[i]);
        free(sensors->items[i].state);
    }
    free(sensors);
}

// ------------------------------------------------------------------ reading

static bool due(const struct sensor *sensor, uint64_t now_ms) {
    if (sensor->ended) return false;
    bool readable = sensor->watch && sensor->watch->readable;
    return (sensor->open && (!sensor->again || readable)) || now_ms >= sensor->wake_ms;
}

static void ended(struct sensor *sensor) {
    sensor->ended = true;
    sensor->wake_ms = DEADLINE_NEVER;
    batching_end(sensor->source);
    log_info("driver_ended", "driver=%s", sensor->name);
}

static void sensor_read(struct sensor *sensor, uint64_t now_ms, int64_t utc_ms, uint32_t budget) {
    struct problem problem = {0};
    if (!sensor->open && sensor_open(sensor, &problem)) {
        sensor_failed(sensor, now_ms, problem.text);
        return;
    }
    if (sensor->watch) watch_rest(sensor->watch);
    struct driver_turn turn = {.source = sensor->source,
                               .now_ms = now_ms,
                               .utc_ms = utc_ms,
                               .budget = budget,
                               .wake_ms = DEADLINE_NEVER,
                               .cursor = sensor->cursor};
    enum err err = sensor->driver->read(sensor->state, &turn, &problem);
    if (turn.remark.text[0])
        log_warning("driver_remark", "driver=%s remark=%s", sensor->name, turn.remark.text);
    if (turn.cursor.size != sensor->cursor.size ||
        memcmp(turn.cursor.bytes, sensor->cursor.bytes, turn.cursor.size) != 0) {
        sensor->cursor = turn.cursor;
        sensor->moved = true;
    }
    sensor->again = err == ERR_AGAIN;
    sensor->wake_ms = err == ERR_AGAIN ? turn.wake_ms : DEADLINE_NEVER;
    if (err == ERR_END)
        ended(sensor);
    else if (err && err != ERR_AGAIN)
        sensor_failed(sensor, now_ms, problem.text);
    else
        sensor->failures = 0;
}

bool sensors_read(struct sensors *sensors, uint64_t now_ms, int64_t utc_ms, uint32_t budget) {
    bool more = false;
    for (size_t i = 0; i < sensors->count; i++) {
        struct sensor *sensor = &sensors->items[i];
        if (!due(sensor, now_ms)) continue;
        sensor_read(sensor, now_ms, utc_ms, budget);
        watch_follow(sensors, sensor);
        more = more || due(sensor, now_ms);
    }
    return more;
}

uint64_t sensors_deadline_ms(const struct sensors *sensors) {
    uint64_t least = DEADLINE_NEVER;
    for (size_t i = 0; i < sensors->count; i++)
        if (!sensors->items[i].ended && sensors->items[i].wake_ms < least)
            least = sensors->items[i].wake_ms;
    return least;
}

// ------------------------------------------------------------------ what the gateway asks

enum err sensors_keep_cursors(struct sensors *sensors, struct spool *spool,
                              struct problem *problem) {
    for (size_t i = 0; i < sensors->count; i++) {
        struct sensor *sensor = &sensors->items[i];
        if (!sensor->moved) continue;
        enum err err = spool_keep_cursor(spool, sensor->name, &sensor->cursor, problem);
        if (err) return err;
        sensor->moved = false;
    }
    return ERR_NONE;
}

bool sensors_moved(const struct sensors *sensors) {
    for (size_t i = 0; i < sensors->count; i++)
        if (sensors->items[i].moved) return true;
    return false;
}

bool sensors_ended(const struct sensors *sensors) {
    for (size_t i = 0; i < sensors->count; i++)
        if (!sensors->items[i].ended) return false;
    return true;
}

uint32_t sensors_permille(const struct sensors *sensors) {
    uint32_t least = 1000;
    bool recorded = false;
    for (size_t i = 0; i < sensors->count; i++) {
        const struct sensor *sensor = &sensors->items[i];
        if (!sensor->driver->progress) continue;
        recorded = true;
        uint32_t permille = sensor->ended  ? 1000
                            : sensor->open ? sensor->driver->progress(sensor->state)
                                           : 0;
        if (permille < least) least = permille;
    }
    return recorded ? least : 0;
}

static int by_text(const void *a, const void *b) {
    return strcmp(((const struct id *)a)->text, ((const struct id *)b)->text);
}

size_t sensors_brings(const struct sensors *sensors, struct id *measures, size_t most) {
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < sensors->count; i++) {
        const struct sensor *sensor = &sensors->items[i];
        if (sensor->open && sensor->driver->brings)
            count += sensor->driver->brings(sensor->state, measures + count, most - count);
    }
    assert(count <= most);
    qsort(measures, count, sizeof *measures, by_text);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_text(&measures[kept - 1], &measures[i]) != 0)
            measures[kept++] = measures[i];
    return kept;
}
