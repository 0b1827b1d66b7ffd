// The jsonl driver: JSON lines from a file, a pipe or a child process, so that a sensor in any
// language can be plugged in. The forms of a line stand in jsonl_line.h.
//
// Watermark: the latest time seen less lateness_ms, never behind a ticket that has not been
// reported yet; with own_watermarks only what {"watermark": T} lines say.
// Cursor (files only): the number of the next line. After a restart the lines before it are read
// again without handing anything over: that brings back tickets, shift and watermark.

#include "common/settings/settings.h"
#include "sensors-gw/drivers/lines.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/tickets.h"

#include <string.h>
#include <sys/stat.h>

enum { LINE_MAX_BYTES = 65536, LINES_A_TURN = 4096, COMMAND_SIZE = 1024, EXIT_POLL_MS = 100 };

struct jsonl_settings {
    char path[PATH_SIZE], command[COMMAND_SIZE];
    bool standard_input;
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    uint64_t lateness_ms, ticket_hold_ms;
    bool own_watermarks;
    struct setting_texts measures;
    char counter[ID_MAX + 1], desk_prefix[ID_MAX + 1];
    double confidence;
};

static const struct setting rows[] = {
    SETTING_PATH(struct jsonl_settings, path, "",
                 "A file of JSON lines, plain or gzip, or a fifo."),
    SETTING_TEXT(struct jsonl_settings, command, "",
                 "A shell command whose output is read instead of a path; ended with the gateway."),
    SETTING_BOOL(struct jsonl_settings, standard_input, false,
                 "Read the gateway's own standard input instead of a path."),
    REPLAY_SETTINGS(struct jsonl_settings),
    SETTING_U64(struct jsonl_settings, lateness_ms, 2000, 0, 86400000,
                "Milliseconds of event time by which lines may be out of order: lower finishes "
                "encounters earlier, higher loses fewer late lines. Where nobody says {\"watch\": "
                "...}, at least the time between two samples of the slowest measure."),
    SETTING_BOOL(struct jsonl_settings, own_watermarks, false,
                 "Believe only the {\"watermark\": ...} lines, not lateness_ms."),
    SETTING_U64(struct jsonl_settings, ticket_hold_ms, 14400000, 60000, 172800000,
                "Milliseconds after which a ticket that never ended is forgotten; until then it "
                "holds back the watermark if it was not called."),
    SETTING_TEXTS(struct jsonl_settings, measures, false,
                  "The measures that this sensor brings, told once when the gateway begins; lines "
                  "of any measure in measures.yaml are taken."),
    SETTING_TEXT(struct jsonl_settings, counter, "",
                 "Counter of lines that name none; empty: they must."),
    SETTING_TEXT(struct jsonl_settings, desk_prefix, "",
                 "Put before a ticket's desk to name its counter: desk- makes desk-3 of 3."),
    SETTING_DOUBLE(struct jsonl_settings, confidence, 1, 0, 1,
                   "Confidence 0..1 of lines that state none."),
    SETTINGS_END};

struct jsonl {
    const struct jsonl_settings *settings;
    const struct driver_context *context;
    struct jsonl_defaults defaults;
    const char *name; // of the input, for sentences
    struct lines *lines;
    bool is_file;
    uint64_t skip_to;   // lines before this one were handed over before the restart
    uint64_t next_line; // the first that has not been handed over
    bool moved;         // shift_ms is known
    int64_t shift_ms;
    int64_t latest_ms, said_ms; // latest time; highest {"watermark"}; TIME_NONE: none yet
    struct tickets tickets;
    bool waiting; // item has been read and is not due yet
    struct jsonl_item item;
    bool playing; // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

// ------------------------------------------------------------------ one item

static void odd(struct source *source, const char *name) {
    if (source) batching_oddity(source, name);
}

static void move(int64_t *at_ms, int64_t by_ms) {
    if (*at_ms != TIME_NONE) *at_ms += by_ms;
}

/// Into event time. The shift is that of the first time seen, the same for all.
static enum err move_item(struct jsonl *jsonl, struct jsonl_item *item, struct problem *problem) {
    const struct zone *zone = jsonl->context->zone;
    if (item->t_ms == TIME_NONE) return ERR_NONE;
    if (!jsonl->moved) {
        int64_t days;
        enum err err = replay_shift(jsonl->settings->day, jsonl->settings->shift_days,
                                    day_local(zone, item->t_ms), &days, problem);
        if (err) return err;
        jsonl->shift_ms = replay_move(zone, item->t_ms, days) - item->t_ms;
        jsonl->moved = true;
    }
    move(&item->t_ms, jsonl->shift_ms);
    if (item->kind == JSONL_WATCH || item->kind == JSONL_GAP) item->from_ms += jsonl->shift_ms;
    move(&item->encounter.issued_ms, jsonl->shift_ms);
    move(&item->encounter.called_ms, jsonl->shift_ms);
    move(&item->encounter.started_ms, jsonl->shift_ms);
    move(&item->encounter.ended_ms, jsonl->shift_ms);
    return ERR_NONE;
}

static void take_ticket(struct jsonl *jsonl, const struct jsonl_item *item, struct source *source) {
    char desk[2 * ID_MAX + 1];
    struct id counter = jsonl->defaults.counter;
    struct encounter encounter;
    const char *oddity;
    if (item->desk[0] != '\0') {
        int size = snprintf(desk, sizeof desk, "%s%s", jsonl->settings->desk_prefix, item->desk);
        if (!id_set(&counter, desk, (size_t)size)) {
            odd(source, "bad_counter");
            return;
        }
    }
    while (tickets_expire(&jsonl->tickets, item->t_ms - (int64_t)jsonl->settings->ticket_hold_ms))
        odd(source, "ticket_never_ended");
    bool report =
        tickets_step(&jsonl->tickets, item, &counter, jsonl->context->zone, &encounter, &oddity);
    if (oddity) odd(source, oddity);
    if (report && source) batching_encounter(source, &encounter);
}

static void append_encounter(struct jsonl *jsonl, struct jsonl_item *item, struct source *source) {
    struct encounter *encounter = &item->encounter;
    if (item->employee_name[0] != '\0') {
        int64_t at_ms = encounter->started_ms != TIME_NONE ? encounter->started_ms : item->t_ms;
        pseudonym_make(jsonl->context->pseudonyms, item->employee_name, strlen(item->employee_name),
                       at_ms, encounter->employee);
    }
    batching_encounter(source, encounter);
}

static void append_gap(const struct jsonl_item *item, struct source *source) {
    const struct id *counter = item->counter.text[0] != '\0' ? &item->counter : NULL;
    batching_gap(source, counter, (struct span){item->from_ms, item->t_ms}, item->label.text);
}

/// A series that was handed over before the restart goes on.
static void pass(const struct jsonl_item *item, struct source *source) {
    if (item->kind == JSONL_SAMPLE)
        batching_sample_passed(source, item->measure, &item->counter, item->t_ms, item->value);
    else if (item->kind == JSONL_WATCH)
        batching_watch_passed(source, item->measure, &item->counter);
}

/// Take an item in; source NULL: it was handed over before the restart.
static void take(struct jsonl *jsonl, struct jsonl_item *item, struct source *source) {
    if (item->kind == JSONL_WATERMARK) {
        if (item->t_ms > jsonl->said_ms) jsonl->said_ms = item->t_ms;
        return;
    }
    if (item->t_ms > jsonl->latest_ms) jsonl->latest_ms = item->t_ms;
    if (item->kind == JSONL_TICKET) take_ticket(jsonl, item, source);
    if (!source) return;
    switch (item->kind) {
    case JSONL_SAMPLE:
        batching_sample(source, item->measure, &item->counter, item->t_ms, item->value,
                        item->confidence);
        break;
    case JSONL_EVENT:
        batching_event(source, item->measure, &item->counter, item->t_ms,
                       bytes_of_text(item->label.text), item->confidence);
        break;
    case JSONL_WATCH:
        batching_watch(source, item->measure, &item->counter, item->from_ms, item->t_ms);
        break;
    case JSONL_ENCOUNTER:
        append_encounter(jsonl, item, source);
        break;
    case JSONL_WITHDRAWN:
        batching_withdrawn(source, &item->encounter.id, item->label.text);
        break;
    case JSONL_GAP:
        append_gap(item, source);
        break;
    case JSONL_WATERMARK:
    case JSONL_TICKET:
        break;
    }
}

// ------------------------------------------------------------------ lines

static void unusable(const struct jsonl *jsonl, struct driver_turn *turn, uint64_t number,
                     const char *oddity, const char *what) {
    if (number < jsonl->skip_to) return;
    batching_oddity(turn->source, oddity);
    if (turn->remark.text[0] == '\0')
        problem_set(&turn->remark, ERR_FORMAT, "%s:%llu: %.300s; left out", jsonl->name,
                    (unsigned long long)number, what);
}

/// The next usable item into jsonl->item. ERR_AGAIN with *lines_left 0: enough for this turn.
static enum err next_item(struct jsonl *jsonl, struct driver_turn *turn, uint32_t *lines_left,
                          struct problem *problem) {
    struct problem what;
    struct line line;
    const char *oddity;
    for (; *lines_left > 0; (*lines_left)--) {
        enum err err = lines_next(jsonl->lines, &line, problem);
        if (err && err != ERR_RANGE) return err;
        jsonl->next_line = line.number;
        if (err == ERR_RANGE) {
            unusable(jsonl, turn, line.number, "long_line", "longer than 64 KiB");
            continue;
        }
        if (line.size == 0 || line.text[0] == '#') continue;
        struct bytes text = {(const uint8_t *)line.text, line.size};
        if (jsonl_line_read(text, &jsonl->defaults, &jsonl->item, &oddity, &what)) {
            unusable(jsonl, turn, line.number, oddity, what.text);
            continue;
        }
        err = move_item(jsonl, &jsonl->item, problem);
        if (err || line.number >= jsonl->skip_to) return err;
        take(jsonl, &jsonl->item, NULL);
        pass(&jsonl->item, turn->source);
    }
    return ERR_AGAIN;
}

static bool is_due(struct jsonl *jsonl, struct driver_turn *turn) {
    int64_t t_ms = jsonl->item.t_ms;
    if (!jsonl->is_file || t_ms == TIME_NONE) return true;
    if (!jsonl->playing) {
        jsonl->playing = true;
        jsonl->play_ms = t_ms;
        jsonl->play_mono_ms = turn->now_ms;
    }
    uint64_t due_ms =
        replay_due_ms(jsonl->settings->speed, jsonl->play_mono_ms, jsonl->play_ms, t_ms);
    if (due_ms <= turn->now_ms) return true;
    turn->wake_ms = due_ms;
    return false;
}

static void announce(struct jsonl *jsonl, struct driver_turn *turn, bool ended) {
    int64_t watermark_ms = jsonl->said_ms, oldest_ms = tickets_oldest_ms(&jsonl->tickets);
    int64_t lateness_ms = ended ? -1 : (int64_t)jsonl->settings->lateness_ms;
    if ((!jsonl->settings->own_watermarks || ended) && jsonl->latest_ms != TIME_NONE &&
        jsonl->latest_ms - lateness_ms > watermark_ms)
        watermark_ms = jsonl->latest_ms - lateness_ms;
    if (oldest_ms < watermark_ms && !ended) watermark_ms = oldest_ms;
    if (watermark_ms != TIME_NONE) batching_watermark(turn->source, watermark_ms);
    if (!jsonl->is_file) return;
    uint64_t line = jsonl->next_line + !jsonl->waiting;
    if (line < jsonl->skip_to) line = jsonl->skip_to;
    turn->cursor.size = 8;
    for (size_t i = 0; i < 8; i++)
        turn->cursor.bytes[i] = (uint8_t)(line >> (i * 8));
}

/// The input is over. A command that failed is broken, not over.
static enum err finish(struct jsonl *jsonl, struct driver_turn *turn, struct problem *problem) {
    int status = 0;
    enum err err = lines_exit_status(jsonl->lines, &status);
    if (err == ERR_AGAIN) {
        turn->wake_ms = turn->now_ms + EXIT_POLL_MS;
        return err;
    }
    if (status != 0)
        return problem_set(problem, ERR_IO, "command \"%.200s\" ended with status %d", jsonl->name,
                           status);
    announce(jsonl, turn, true);
    return ERR_END;
}

static enum err jsonl_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct jsonl *jsonl = state;
    uint32_t lines_left = LINES_A_TURN;
    enum err err = ERR_NONE;
    for (uint32_t used = 0; used < turn->budget; used++) {
        if (!jsonl->waiting) err = next_item(jsonl, turn, &lines_left, problem);
        if (err) break;
        jsonl->waiting = !is_due(jsonl, turn);
        if (jsonl->waiting) {
            err = ERR_AGAIN;
            break;
        }
        take(jsonl, &jsonl->item, turn->source);
    }
    if (err == ERR_END) return finish(jsonl, turn, problem);
    if (!err || err == ERR_AGAIN) announce(jsonl, turn, false);
    return err == ERR_AGAIN && lines_left == 0 ? ERR_NONE : err;
}

// ------------------------------------------------------------------ open and close

static enum err open_input(struct jsonl *jsonl, struct problem *problem) {
    const struct jsonl_settings *settings = jsonl->settings;
    struct stat status;
    int ways =
        (settings->path[0] != '\0') + (settings->command[0] != '\0') + settings->standard_input;
    if (ways != 1)
        return problem_set(problem, ERR_CONFLICT,
                           "give exactly one of path, command and standard_input");
    if (settings->command[0] != '\0') {
        jsonl->name = settings->command;
        return lines_open_command(settings->command, LINE_MAX_BYTES, &jsonl->lines, problem);
    }
    jsonl->name = settings->standard_input ? "-" : settings->path;
    if (settings->standard_input ||
        (stat(settings->path, &status) == 0 && !S_ISREG(status.st_mode)))
        return lines_open_pipe(jsonl->name, LINE_MAX_BYTES, &jsonl->lines, problem);
    jsonl->is_file = true;
    return lines_open_file(settings->path, LINE_MAX_BYTES, &jsonl->lines, problem);
}

static enum err check_measures(const struct jsonl *jsonl, struct problem *problem) {
    const struct setting_texts *named = &jsonl->settings->measures;
    for (size_t i = 0; i < named->count; i++)
        if (!measures_find(jsonl->context->measures, named->items[i], strlen(named->items[i])))
            return problem_set(problem, ERR_MISSING,
                               "measures: measures.yaml does not declare \"%s\"", named->items[i]);
    return ERR_NONE;
}

static enum err jsonl_open(void *state, const struct driver_context *context,
                           const struct cursor *cursor, struct problem *problem) {
    struct jsonl *jsonl = state;
    const struct jsonl_settings *settings = context->settings;
    jsonl->settings = settings;
    jsonl->context = context;
    jsonl->latest_ms = jsonl->said_ms = TIME_NONE;
    jsonl->defaults.measures = context->measures;
    jsonl->defaults.confidence = settings->confidence;
    if (settings->counter[0] != '\0' &&
        !id_set(&jsonl->defaults.counter, settings->counter, strlen(settings->counter)))
        return problem_set(problem, ERR_FORMAT, "counter: \"%s\" is not an id", settings->counter);
    enum err err = check_measures(jsonl, problem);
    if (!err) err = open_input(jsonl, problem);
    if (err || !jsonl->is_file || cursor->size == 0) return err;
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    jsonl->skip_to = reader_u64(&reader);
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           jsonl->name);
    return ERR_NONE;
}

static int jsonl_wait_fd(const void *state) {
    const struct jsonl *jsonl = state;
    return jsonl->lines ? lines_fd(jsonl->lines) : -1;
}

static size_t jsonl_brings(const void *state, struct id *measures, size_t most) {
    const struct jsonl *jsonl = state;
    const struct setting_texts *named = &jsonl->settings->measures;
    size_t count = 0;
    for (; count < named->count && count < most; count++)
        measures[count] = measures_find(jsonl->context->measures, named->items[count],
                                        strlen(named->items[count]))
                              ->id;
    return count;
}

static uint32_t jsonl_progress(const void *state) {
    const struct jsonl *jsonl = state;
    return jsonl->lines ? lines_permille(jsonl->lines) : 0;
}

static void jsonl_close(void *state) {
    struct jsonl *jsonl = state;
    lines_close(jsonl->lines);
    jsonl->lines = NULL;
}

const struct driver driver_jsonl = {
    .name = "jsonl",
    .text = "JSON lines from a file, a pipe or a command: a sensor in any language",
    .state_size = sizeof(struct jsonl),
    .settings_size = sizeof(struct jsonl_settings),
    .settings = rows,
    .open = jsonl_open,
    .wait_fd = jsonl_wait_fd,
    .read = jsonl_read,
    .brings = jsonl_brings,
    .progress = jsonl_progress,
    .close = jsonl_close,
};
