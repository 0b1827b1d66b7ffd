#include "sensors-gw/drivers/queue_log.h"

#include <string.h>

const char *const queue_oddity_names[QUEUE_ODDITIES] = {
    [QUEUE_TORN_LINE] = "torn_line",
    [QUEUE_LONG_LINE] = "long_line",
    [QUEUE_BAD_OUTCOME] = "bad_outcome",
    [QUEUE_IGNORED] = "ignored",
    [QUEUE_BAD_KEY] = "bad_key",
    [QUEUE_REPEATED_KEY] = "repeated_key",
    [QUEUE_BAD_COUNTER] = "bad_counter",
    [QUEUE_BAD_OFFERING] = "bad_offering",
    [QUEUE_BAD_LANGUAGE] = "bad_language",
    [QUEUE_BAD_DATE] = "bad_date",
    [QUEUE_BAD_TIME] = "bad_time",
    [QUEUE_OVER_MIDNIGHT] = "over_midnight",
    [QUEUE_BEFORE_DATE_OF] = "before_date_of",
    [QUEUE_NO_SERVICE_TIME] = "no_service_time",
    [QUEUE_NEVER_QUEUED] = "never_queued",
    [QUEUE_NEGATIVE_TIME] = "negative_time",
    [QUEUE_CALLED_AFTER_START] = "called_after_start",
    [QUEUE_ISSUED_AFTER_START] = "issued_after_start",
    [QUEUE_ZERO_LENGTH] = "zero_length",
    [QUEUE_SERVICE_OF_UNSERVED] = "service_of_unserved",
    [QUEUE_NO_EMPLOYEE] = "no_employee",
};

// ------------------------------------------------------------------ the settings and the header

static int find(const struct row *header, const char *name, struct problems *problems) {
    int column = row_find(header, name);
    if (column < 0) problems_add(problems, ERR_MISSING, NULL, "column \"%s\"", name);
    return column;
}

static int find_optional(const struct row *header, const char *name, struct problems *problems) {
    return name[0] == '\0' ? -1 : find(header, name, problems);
}

static void find_all(const struct row *header, const struct setting_texts *names,
                     struct queue_columns *columns, struct problems *problems) {
    columns->count = names->count;
    for (size_t i = 0; i < names->count; i++)
        columns->items[i] = find(header, names->items[i], problems);
}

static void find_word(const struct row *header, const struct node *node, struct queue_word *word,
                      struct problems *problems) {
    static const char *const keys[] = {"column", "map", "default", NULL};
    const char *column;
    *word = (struct queue_word){.column = -1};
    if (!node || !node_map(node, keys, problems)) return;
    if (node_find(node, "column") &&
        node_text(node_find(node, "column"), 1, COLUMN_NAME_SIZE - 1, &column, problems))
        word->column = find(header, column, problems);
    if (node_find(node, "map") && node_any_map(node_find(node, "map"), problems))
        word->map = node_find(node, "map");
    const struct node *entry = word->map ? word->map->first : NULL;
    for (const char *ignored; entry; entry = entry->next)
        (void)node_text(entry, 1, NAME_SIZE_MAX, &ignored, problems);
    if (node_find(node, "default"))
        (void)node_text(node_find(node, "default"), 1, NAME_SIZE_MAX, &word->fallback, problems);
}

static void find_unless(const struct row *header, const struct node *node, int *unless,
                        struct problems *problems) {
    const char *proof;
    for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
        unless[i] = -1;
    if (!node || !node_any_map(node, problems)) return;
    for (const struct node *entry = node->first; entry; entry = entry->next) {
        int time = find(header, entry->key, problems);
        if (!node_text(entry, 1, COLUMN_NAME_SIZE - 1, &proof, problems)) continue;
        int column = find(header, proof, problems);
        if (time >= 0) unless[time] = column;
    }
}

static void check_outcomes(const struct queue_word *outcome, const struct node *where,
                           struct problems *problems) {
    const struct node *entry = outcome->map ? outcome->map->first : NULL;
    enum outcome parsed;
    for (; entry; entry = entry->next)
        if (entry->text && strcmp(entry->text, "ignore") != 0 &&
            !outcome_parse(entry->text, entry->size, &parsed))
            node_problem(entry, problems, ERR_RANGE,
                         "\"%s\" is no outcome; normal, no_show, transferred, abandoned, timeout "
                         "or ignore",
                         entry->text);
    if (outcome->column < 0 && !outcome->fallback)
        node_problem(where, problems, ERR_MISSING, "outcome needs a column or a default");
}

enum err queue_log_begin(struct queue_log *log, const struct queue_settings *settings,
                         const struct driver_context *context, char *header, size_t size,
                         struct problem *problem) {
    struct problems problems = {0};
    struct row row;
    *log = (struct queue_log){.settings = settings, .context = context};
    log->separator = row_separator((struct bytes){(const uint8_t *)header, size});
    enum err err = row_cut(header, size, log->separator, &row);
    if (err) return problem_set(problem, err, "%s: the header cannot be read", settings->path);
    log->column_count = row.count;
    find_all(&row, &settings->key, &log->key, &problems);
    find_all(&row, &settings->issued, &log->times[QUEUE_ISSUED], &problems);
    find_all(&row, &settings->called, &log->times[QUEUE_CALLED], &problems);
    find_all(&row, &settings->started, &log->times[QUEUE_STARTED], &problems);
    find_all(&row, &settings->ended, &log->times[QUEUE_ENDED], &problems);
    find_all(&row, &settings->left, &log->times[QUEUE_LEFT], &problems);
    log->date = find_optional(&row, settings->date, &problems);
    log->date_of = find_optional(&row, settings->date_of, &problems);
    log->employee = find_optional(&row, settings->employee, &problems);
    find_word(&row, settings->outcome, &log->outcome, &problems);
    find_word(&row, settings->counter, &log->counter, &problems);
    find_word(&row, settings->offering, &log->offering, &problems);
    find_word(&row, settings->language, &log->language, &problems);
    find_unless(&row, settings->absent_unless, log->unless, &problems);
    check_outcomes(&log->outcome, settings->outcome, &problems);
    if (problems.count == 0) return ERR_NONE;
    struct problem first;
    err = problems_first(&problems, &first);
    return problem_set(problem, err, "%s: the settings and the header do not fit: %.300s",
                       settings->path, first.text);
}

// ------------------------------------------------------------------ fields

static bool listed(const struct setting_texts *texts, struct bytes field) {
    for (size_t i = 0; i < texts->count; i++)
        if (text_equal(field, texts->items[i])) return true;
    return false;
}

/// The word that a field stands for; size 0: none. `lower` has NAME_SIZE_MAX + 1 bytes.
static struct bytes translate(const struct queue_word *word, const struct row *row, char *lower) {
    struct bytes fallback = {0};
    if (word->fallback) fallback = bytes_of_text(word->fallback);
    if (word->column < 0) return fallback;
    struct bytes field = row->fields[word->column];
    if (field.size > NAME_SIZE_MAX) return fallback;
    for (size_t i = 0; i < field.size; i++)
        lower[i] = (char)(field.data[i] >= 'A' && field.data[i] <= 'Z' ? field.data[i] + 32
                                                                       : field.data[i]);
    lower[field.size] = '\0';
    const struct node *entry = word->map ? word->map->first : NULL;
    for (; entry; entry = entry->next)
        if (strcasecmp(entry->key, lower) == 0)
            return (struct bytes){(const uint8_t *)entry->text, entry->size};
    if (word->fallback || field.size == 0) return fallback;
    return (struct bytes){(const uint8_t *)lower, field.size};
}

static bool read_outcome(const struct queue_log *log, const struct row *row, enum outcome *outcome,
                         uint64_t *counted) {
    char lower[NAME_SIZE_MAX + 1];
    struct bytes word = translate(&log->outcome, row, lower);
    if (text_equal(word, "ignore")) {
        counted[QUEUE_IGNORED]++;
        return false;
    }
    if (outcome_parse((const char *)word.data, word.size, outcome) && *outcome != OUTCOME_OPEN)
        return true;
    counted[QUEUE_BAD_OUTCOME]++;
    return false;
}

static void read_words(const struct queue_log *log, const struct row *row,
                       struct encounter *encounter, uint64_t *counted) {
    char lower[NAME_SIZE_MAX + 1];
    struct bytes word = translate(&log->offering, row, lower);
    if (word.size > 0 && !id_set(&encounter->offering, (const char *)word.data, word.size))
        counted[QUEUE_BAD_OFFERING]++;
    word = translate(&log->language, row, lower);
    if (word.size > 0 && language_valid((const char *)word.data, word.size))
        memcpy(encounter->language, word.data, word.size);
    else if (word.size > 0)
        counted[QUEUE_BAD_LANGUAGE]++;
}

// ------------------------------------------------------------------ days and the id

static bool number_of(struct bytes text, size_t from, size_t count, int32_t *value) {
    *value = 0;
    for (size_t i = from; i < from + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        *value = *value * 10 + (text.data[i] - '0');
    }
    return true;
}

bool queue_log_day(const struct queue_log *log, const struct row *row, int64_t *day_out) {
    int32_t year, month, of_month;
    struct day day;
    if (log->date < 0) return false;
    struct bytes text = row->fields[log->date];
    if (log->settings->date_form == DATE_ISO) {
        if (!date_parse((const char *)text.data, text.size, &day)) return false;
        *day_out = day_number(day);
        return true;
    }
    size_t of_year = log->settings->date_form == DATE_YYMMDD ? 2 : 4;
    if (text.size != of_year + 4 || !number_of(text, 0, of_year, &year) ||
        !number_of(text, of_year, 2, &month) || !number_of(text, of_year + 2, 2, &of_month))
        return false;
    if (of_year == 2) year += year < 70 ? 2000 : 1900;
    day = (struct day){year, (uint8_t)month, (uint8_t)of_month};
    if (!day_valid(day)) return false;
    *day_out = day_number(day);
    return true;
}

static bool put(struct name *id, size_t *size, struct bytes text) {
    if (text.size > NAME_SIZE_MAX - *size) return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        id->text[(*size)++] = name_valid(&c, 1) ? c : '_';
    }
    return true;
}

static bool read_id(const struct queue_log *log, const struct row *row, int64_t day,
                    struct name *id) {
    size_t size = 0;
    *id = (struct name){0};
    for (size_t i = 0; i < log->key.count; i++) {
        char text[DAY_TEXT_SIZE + 8];
        struct bytes part = row->fields[log->key.items[i]];
        if (log->key.items[i] == log->date) {
            struct day plays = day_of_number(day + log->shift_days);
            int length = snprintf(text, sizeof text, "%04d-%02d-%02d", (int)plays.year, plays.month,
                                  plays.day);
            part = (struct bytes){(const uint8_t *)text, (size_t)length};
        }
        if (part.size == 0 || (i > 0 && !put(id, &size, bytes_of_text("-"))) ||
            !put(id, &size, part))
            return false;
    }
    return size > 0;
}

// ------------------------------------------------------------------ times

/// The times of one row while they are being read.
struct clock {
    const struct queue_log *log;
    const struct row *row;
    int64_t day;       // of the row
    int64_t anchor_ms; // clock time that the day belongs to; -1: not known yet
    bool over_midnight, before;
};

static bool has_time(const struct clock *clock, int column) {
    const struct queue_log *log = clock->log;
    struct bytes field = clock->row->fields[column];
    double proof;
    if (field.size == 0) return false;
    if (!listed(&log->settings->absent, field)) return true;
    return log->unless[column] >= 0 &&
           text_number(clock->row->fields[log->unless[column]], &proof) && proof > 0;
}

static int64_t local_instant(const struct clock *clock, int64_t day, int64_t ms_of_day) {
    struct day moved = day_of_number(day + clock->log->shift_days);
    return zone_instant(clock->log->context->zone, moved.year, moved.month, moved.day, ms_of_day);
}

static bool read_clock_time(struct clock *clock, struct bytes field, int64_t *at_ms) {
    int64_t ms_of_day;
    if (!text_clock(field, &ms_of_day)) return false;
    if (clock->anchor_ms < 0) clock->anchor_ms = ms_of_day;
    bool next_day = ms_of_day < clock->anchor_ms - DAY_MS / 2;
    clock->over_midnight |= next_day;
    clock->before |= !next_day && ms_of_day < clock->anchor_ms;
    *at_ms = local_instant(clock, clock->day + next_day, ms_of_day);
    return time_plausible(*at_ms);
}

static bool read_instant(const struct clock *clock, struct bytes field, int64_t *at_ms) {
    const struct driver_context *context = clock->log->context;
    const char *text = (const char *)field.data;
    struct day day;
    int64_t ms_of_day;
    if (time_parse(text, field.size, at_ms) == ERR_NONE) {
        *at_ms = replay_move(context->zone, *at_ms, clock->log->shift_days);
        return time_plausible(*at_ms);
    }
    if (field.size < 12 || (text[10] != 'T' && text[10] != ' ') || !date_parse(text, 10, &day) ||
        !text_clock((struct bytes){field.data + 11, field.size - 11}, &ms_of_day))
        return false;
    *at_ms = local_instant(clock, day_number(day), ms_of_day);
    return time_plausible(*at_ms);
}

/// The first of the columns that has a time; TIME_NONE: none has. false: it cannot be read.
static bool read_time(struct clock *clock, const struct queue_columns *columns, int64_t *at_ms) {
    *at_ms = TIME_NONE;
    for (size_t i = 0; i < columns->count; i++) {
        if (!has_time(clock, columns->items[i])) continue;
        struct bytes field = clock->row->fields[columns->items[i]];
        return clock->log->date >= 0 ? read_clock_time(clock, field, at_ms)
                                     : read_instant(clock, field, at_ms);
    }
    return true;
}

static bool read_times(const struct queue_log *log, const struct row *row, int64_t day,
                       int64_t times[QUEUE_TIMES], uint64_t *counted) {
    struct clock clock = {log, row, day, -1, false, false};
    if (log->date_of >= 0 && !text_clock(row->fields[log->date_of], &clock.anchor_ms)) goto bad;
    for (size_t i = 0; i < QUEUE_TIMES; i++)
        if (!read_time(&clock, &log->times[i], &times[i])) goto bad;
    counted[QUEUE_OVER_MIDNIGHT] += clock.over_midnight;
    counted[QUEUE_BEFORE_DATE_OF] += clock.before && log->date_of >= 0;
    return true;
bad:
    counted[QUEUE_BAD_TIME]++;
    return false;
}

/// `earlier` may not lie after `later`.
static void pull(int64_t *earlier, int64_t later, uint64_t *count) {
    if (*earlier == TIME_NONE || *earlier <= later) return;
    *earlier = later;
    (*count)++;
}

static bool served(const int64_t times[QUEUE_TIMES], struct encounter *encounter,
                   uint64_t *counted) {
    encounter->issued_ms = times[QUEUE_ISSUED];
    encounter->called_ms = times[QUEUE_CALLED];
    encounter->started_ms = times[QUEUE_STARTED];
    encounter->ended_ms = times[QUEUE_ENDED];
    if (encounter->started_ms == TIME_NONE || encounter->ended_ms == TIME_NONE) {
        counted[QUEUE_NO_SERVICE_TIME]++;
        return false;
    }
    if (encounter->ended_ms < encounter->started_ms) {
        counted[QUEUE_NEGATIVE_TIME]++;
        return false;
    }
    pull(&encounter->called_ms, encounter->started_ms, &counted[QUEUE_CALLED_AFTER_START]);
    int64_t next = encounter->called_ms != TIME_NONE ? encounter->called_ms : encounter->started_ms;
    pull(&encounter->issued_ms, next, &counted[QUEUE_ISSUED_AFTER_START]);
    counted[QUEUE_ZERO_LENGTH] += encounter->ended_ms == encounter->started_ms;
    return true;
}

static bool unserved(const int64_t times[QUEUE_TIMES], struct encounter *encounter,
                     uint64_t *counted) {
    encounter->issued_ms = times[QUEUE_ISSUED];
    encounter->called_ms = times[QUEUE_CALLED];
    encounter->ended_ms = times[QUEUE_LEFT];
    if (encounter->issued_ms == TIME_NONE || encounter->ended_ms == TIME_NONE) {
        counted[QUEUE_NEVER_QUEUED]++;
        return false;
    }
    if (encounter->ended_ms < encounter->issued_ms) {
        counted[QUEUE_NEGATIVE_TIME]++;
        return false;
    }
    pull(&encounter->called_ms, encounter->ended_ms, &counted[QUEUE_CALLED_AFTER_START]);
    if (encounter->called_ms != TIME_NONE && encounter->called_ms < encounter->issued_ms)
        encounter->called_ms = encounter->issued_ms;
    counted[QUEUE_SERVICE_OF_UNSERVED] += times[QUEUE_STARTED] != TIME_NONE;
    counted[QUEUE_ZERO_LENGTH] += encounter->ended_ms == encounter->issued_ms;
    return true;
}

static void read_employee(const struct queue_log *log, const struct row *row,
                          struct encounter *encounter, uint64_t *counted) {
    struct bytes field = {0};
    if (log->employee >= 0) field = row->fields[log->employee];
    if (field.size == 0 || listed(&log->settings->nobody, field))
        counted[QUEUE_NO_EMPLOYEE]++;
    else
        pseudonym_make(log->context->pseudonyms, (const char *)field.data, field.size,
                       encounter->started_ms, encounter->employee);
}

bool queue_log_read(const struct queue_log *log, const struct row *row, struct encounter *encounter,
                    uint64_t counted[QUEUE_ODDITIES]) {
    char lower[NAME_SIZE_MAX + 1];
    int64_t times[QUEUE_TIMES], day = 0;
    enum outcome outcome;
    *encounter = (struct encounter){.gateway = *log->context->gateway,
                                    .issued_ms = TIME_NONE,
                                    .called_ms = TIME_NONE,
                                    .started_ms = TIME_NONE,
                                    .ended_ms = TIME_NONE};
    if (!read_outcome(log, row, &outcome, counted)) return false;
    if (log->date >= 0 && !queue_log_day(log, row, &day)) {
        counted[QUEUE_BAD_DATE]++;
        return false;
    }
    if (!read_id(log, row, day, &encounter->id)) {
        counted[QUEUE_BAD_KEY]++;
        return false;
    }
    struct bytes counter = translate(&log->counter, row, lower);
    if (!id_set(&encounter->counter, (const char *)counter.data, counter.size)) {
        counted[QUEUE_BAD_COUNTER]++;
        return false;
    }
    read_words(log, row, encounter, counted);
    if (!read_times(log, row, day, times, counted)) return false;
    bool was_served = outcome != OUTCOME_ABANDONED && outcome != OUTCOME_NO_SHOW;
    if (!(was_served ? served : unserved)(times, encounter, counted)) return false;
    encounter->outcome = outcome;
    if (was_served) read_employee(log, row, encounter, counted);
    return true;
}
