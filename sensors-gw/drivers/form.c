// The form driver: sheets that a supervisor or a mystery shopper filled in, a row a visit. What the
// observer saw holds from the beginning to the end of the visit: a sample every every_s seconds,
// and the measure counts as watched for so long. How far two observers differ is the measure's
// uncertainty (measures.yaml); how sure this one was is the row's confidence.
//
//   row     date, beginning, end, counter and an answer a column. An answer that is empty was not
//           looked at: no sample, not watched. One that is neither listed in `values` nor a number
//           is counted `bad_answer`, a row that cannot be placed `bad_row`; both are left out.
//   order   by beginning; equal ones as they stand.
//   follow  the file is looked at again and again: rows that were added are handed over as they
//           come, in the order of the file, and the watermark follows the clock late_ms behind.
//           Whoever writes the file replaces it (rename) or appends whole lines.
//   time    local times of the branch, moved as `day` and shift_days say from the first row's date.
//
// Cursor: how many rows, in that order (with follow: of the file), have been handed over.

#include "sensors-gw/drivers/driver.h"
#include "sensors-gw/drivers/lines.h"
#include "sensors-gw/drivers/replay.h"
#include "sensors-gw/drivers/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    LINE_MAX_BYTES = 8192,
    COLUMN_SIZE = 64,
    VISITS_MAX = 4096,
    ANSWERS_MAX = 32,
    CHOICES_MAX = 16,
    SECOND_MS = 1000,
    LOOK_MS = 1000,
};

struct form_settings {
    char path[PATH_SIZE];
    double speed;
    int64_t shift_days;
    char day[DAY_SETTING_SIZE];
    char date[COLUMN_SIZE], from[COLUMN_SIZE], to[COLUMN_SIZE], counter[COLUMN_SIZE];
    char counter_prefix[ID_MAX + 1], sure[COLUMN_SIZE];
    double confidence;
    uint64_t every_s, late_ms;
    bool follow;
    const struct node *answers;
};

static const struct setting settings_rows[] = {
    SETTING_PATH(struct form_settings, path, NULL,
                 "The filled-in sheets: one header line, a row a visit, plain or gzip."),
    REPLAY_SETTINGS(struct form_settings),
    SETTING_TEXT(struct form_settings, date, "date", "Column of the day, like 2026-11-23."),
    SETTING_TEXT(struct form_settings, from, "from", "Column of the time the visit began, 9:30."),
    SETTING_TEXT(struct form_settings, to, "to", "Column of the time it ended."),
    SETTING_TEXT(struct form_settings, counter, "counter", "Column of the counter."),
    SETTING_TEXT(struct form_settings, counter_prefix, "",
                 "Put before what that column says: desk- makes desk-3 of 3."),
    SETTING_TEXT(struct form_settings, sure, "",
                 "Column that says how sure the observer was, 0..1; empty: see confidence."),
    SETTING_DOUBLE(struct form_settings, confidence, 0.9, 0, 1,
                   "Confidence 0..1 of every answer, when no column states it."),
    SETTING_U64(struct form_settings, every_s, 30, 1, 3600,
                "Seconds between the samples of an answer: at most the `gap_s` of the standards "
                "that use it, or coverage is lost."),
    SETTING_BOOL(struct form_settings, follow, false,
                 "Wait for more sheets instead of ending with the last: for a file that grows."),
    SETTING_U64(struct form_settings, late_ms, 14400000, 1000, 604800000,
                "With follow: milliseconds from the beginning of a visit to its sheet at most. "
                "Lower finishes encounters earlier, higher loses fewer late sheets."),
    SETTING_TREE(struct form_settings, answers, true,
                 "List of {column, measure, values: {yes: 1, no: 0}}; without values the answer is "
                 "a number in the measure's unit."),
    SETTINGS_END};

/// A column of answers.
struct question {
    const struct measure *measure;
    const char *name;
    int column;
    size_t choice_count;
    struct {
        const char *text;
        double value;
    } choices[CHOICES_MAX];
};

/// What was seen during one visit, in the order of the questions; NAN: not looked at.
struct visit {
    int64_t from_ms, to_ms;
    uint64_t line;
    struct id counter;
    uint8_t confidence;
    double answers[ANSWERS_MAX];
};

struct form {
    const struct form_settings *settings;
    const struct driver_context *context;
    size_t question_count;
    struct question questions[ANSWERS_MAX];
    int date, from, to, counter, sure; // columns; -1: none
    size_t column_count;
    char separator;
    bool moved; // shift_days is known
    int64_t shift_days;
    struct visit *visits; // by beginning
    size_t visit_count, next;
    uint64_t bad_rows, bad_answers, told_rows, told_answers;
    struct timespec changed; // the file, when it was read last
    off_t size;
    struct problem remark;
    bool playing; // play_* are set
    uint64_t play_mono_ms;
    int64_t play_ms;
};

// ------------------------------------------------------------------ settings

static void read_choices(const struct node *map, struct question *question,
                         struct problems *problems) {
    if (!node_any_map(map, problems)) return;
    if (map->count > CHOICES_MAX) {
        node_problem(map, problems, ERR_RANGE, "at most %d values", CHOICES_MAX);
        return;
    }
    for (const struct node *entry = map->first; entry; entry = entry->next) {
        question->choices[question->choice_count].text = entry->key;
        if (node_number(entry, -1e9, 1e9, question->measure->unit,
                        &question->choices[question->choice_count].value, problems))
            question->choice_count++;
    }
}

static void read_question(const struct node *entry, const struct driver_context *context,
                          struct question *question, struct problems *problems) {
    static const char *const keys[] = {"column", "measure", "values", NULL};
    struct id id;
    if (!node_map(entry, keys, problems)) return;
    (void)node_text(node_need(entry, "column", problems), 1, COLUMN_SIZE - 1, &question->name,
                    problems);
    const struct node *named = node_need(entry, "measure", problems);
    if (!node_measure_id(named, &id, problems)) return;
    question->measure = measures_find(context->measures, id.text, strlen(id.text));
    if (!question->measure || question->measure->kind != MEASURE_SAMPLES) {
        node_problem(named, problems, ERR_MISSING,
                     "measures.yaml has no measure \"%s\" of kind samples", id.text);
        return;
    }
    const struct node *values = node_find(entry, "values");
    if (values) read_choices(values, question, problems);
}

static enum err read_questions(struct form *form, struct problem *problem) {
    struct problems problems = {0};
    const struct node *list = form->settings->answers;
    if (node_list(list, 1, ANSWERS_MAX, &problems))
        for (const struct node *entry = list->first; entry; entry = entry->next)
            read_question(entry, form->context, &form->questions[form->question_count++],
                          &problems);
    return problems.count > 0 ? problems_first(&problems, problem) : ERR_NONE;
}

// ------------------------------------------------------------------ rows

static int find_column(const struct row *header, const char *name, struct problems *problems) {
    int column = row_find(header, name);
    if (column < 0) problems_add(problems, ERR_MISSING, NULL, "no column \"%s\"", name);
    return column;
}

static enum err read_header(struct form *form, struct line *line, struct problem *problem) {
    const struct form_settings *s = form->settings;
    struct problems problems = {0};
    struct problem first;
    struct row row;
    form->separator = row_separator((struct bytes){(const uint8_t *)line->text, line->size});
    enum err err = row_cut(line->text, line->size, form->separator, &row);
    if (err) return problem_set(problem, err, "%s: the header cannot be read", s->path);
    form->column_count = row.count;
    form->date = find_column(&row, s->date, &problems);
    form->from = find_column(&row, s->from, &problems);
    form->to = find_column(&row, s->to, &problems);
    form->counter = find_column(&row, s->counter, &problems);
    form->sure = s->sure[0] != '\0' ? find_column(&row, s->sure, &problems) : -1;
    for (size_t i = 0; i < form->question_count; i++)
        form->questions[i].column = find_column(&row, form->questions[i].name, &problems);
    if (problems.count == 0) return ERR_NONE;
    err = problems_first(&problems, &first);
    return problem_set(problem, err, "%s:%llu: the header has %.300s", s->path,
                       (unsigned long long)line->number, first.text);
}

static bool read_times(struct form *form, const struct row *row, struct visit *visit) {
    struct bytes date = row->fields[form->date];
    struct day day;
    int64_t from_ms, to_ms;
    if (!date_parse((const char *)date.data, date.size, &day) ||
        !text_clock(row->fields[form->from], &from_ms) ||
        !text_clock(row->fields[form->to], &to_ms) || from_ms >= to_ms)
        return false;
    if (!form->moved) {
        if (replay_shift(form->settings->day, form->settings->shift_days, day, &form->shift_days,
                         NULL))
            return false;
        form->moved = true;
    }
    const struct zone *zone = form->context->zone;
    day = day_of_number(day_number(day) + form->shift_days);
    visit->from_ms = zone_instant(zone, day.year, day.month, day.day, from_ms);
    visit->to_ms = zone_instant(zone, day.year, day.month, day.day, to_ms);
    return time_plausible(visit->from_ms) && visit->from_ms < visit->to_ms;
}

static bool read_counter(const struct form *form, const struct row *row, struct visit *visit) {
    struct bytes field = row->fields[form->counter];
    char text[2 * ID_MAX + 1];
    if (field.size == 0 || field.size > ID_MAX) return false;
    int size = snprintf(text, sizeof text, "%s%.*s", form->settings->counter_prefix,
                        (int)field.size, (const char *)field.data);
    return id_set(&visit->counter, text, (size_t)size);
}

static double read_answer(struct form *form, const struct question *question, struct bytes text) {
    double value;
    if (text.size == 0) return NAN;
    for (size_t i = 0; i < question->choice_count; i++)
        if (text_equal(text, question->choices[i].text)) return question->choices[i].value;
    if (question->choice_count == 0 && text_number(text, &value)) return value;
    form->bad_answers++;
    return NAN;
}

static bool read_visit(struct form *form, struct line *line, struct visit *visit) {
    struct row row;
    double sure = form->settings->confidence;
    *visit = (struct visit){.line = line->number};
    if (row_cut(line->text, line->size, form->separator, &row) != ERR_NONE ||
        row.count != form->column_count || !read_times(form, &row, visit) ||
        !read_counter(form, &row, visit) ||
        (form->sure >= 0 && !text_number(row.fields[form->sure], &sure)) || sure < 0 || sure > 1)
        return false;
    visit->confidence = (uint8_t)lround(sure * 100);
    for (size_t i = 0; i < form->question_count; i++) {
        const struct question *question = &form->questions[i];
        visit->answers[i] = read_answer(form, question, row.fields[question->column]);
    }
    return true;
}

static void bad_row(struct form *form, uint64_t number) {
    form->bad_rows++;
    if (form->remark.text[0] == '\0')
        problem_set(&form->remark, ERR_FORMAT,
                    "%s:%llu: the visit's day, times, counter or number of columns; left out",
                    form->settings->path, (unsigned long long)number);
}

static enum err read_row(struct form *form, struct line *line, enum err err,
                         struct problem *problem) {
    if (!err && (line->size == 0 || line->text[0] == '#')) return ERR_NONE;
    if (form->column_count == 0) {
        if (!err) return read_header(form, line, problem);
        return problem_set(problem, err, "%s: the header is too long", form->settings->path);
    }
    if (form->visit_count == VISITS_MAX)
        return problem_set(problem, ERR_FULL, "%s: more than %d visits; split the file",
                           form->settings->path, VISITS_MAX);
    if (!err && read_visit(form, line, &form->visits[form->visit_count]))
        form->visit_count++;
    else
        bad_row(form, line->number);
    return ERR_NONE;
}

static int by_beginning(const void *left, const void *right) {
    const struct visit *a = left, *b = right;
    if (a->from_ms != b->from_ms) return a->from_ms < b->from_ms ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

static enum err read_rows(struct form *form, struct problem *problem) {
    struct lines *lines = NULL;
    struct line line;
    enum err err = lines_open_file(form->settings->path, LINE_MAX_BYTES, &lines, problem);
    while (!err) {
        err = lines_next(lines, &line, problem);
        if (!err || err == ERR_RANGE) err = read_row(form, &line, err, problem);
    }
    lines_close(lines);
    return err == ERR_END ? ERR_NONE : err;
}

/// The whole file, anew.
static enum err read_file(struct form *form, struct problem *problem) {
    const char *path = form->settings->path;
    struct stat status;
    form->visit_count = form->column_count = 0;
    form->bad_rows = form->bad_answers = 0;
    if (stat(path, &status) == 0) {
        form->changed = status.st_mtim;
        form->size = status.st_size;
    }
    enum err err = read_rows(form, problem);
    if (err) return err;
    if (form->column_count == 0)
        return problem_set(problem, ERR_FORMAT, "%s: a header line is needed", path);
    if (!form->settings->follow)
        qsort(form->visits, form->visit_count, sizeof *form->visits, by_beginning);
    if (form->next > form->visit_count)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: fewer visits than have been handed over; the spool holds the place "
                           "of another file, begin with a new one",
                           path);
    return ERR_NONE;
}

static bool has_changed(const struct form *form) {
    struct stat status;
    return stat(form->settings->path, &status) == 0 &&
           (status.st_size != form->size || status.st_mtim.tv_sec != form->changed.tv_sec ||
            status.st_mtim.tv_nsec != form->changed.tv_nsec);
}

// ------------------------------------------------------------------ visits

/// A sheet is handed in when the visit is over.
static bool is_due(struct form *form, const struct visit *visit, struct driver_turn *turn) {
    if (!form->playing) {
        form->playing = true;
        form->play_ms = visit->from_ms;
        form->play_mono_ms = turn->now_ms;
    }
    turn->wake_ms =
        replay_due_ms(form->settings->speed, form->play_mono_ms, form->play_ms, visit->to_ms);
    return turn->wake_ms <= turn->now_ms;
}

static uint32_t visit_append(const struct form *form, struct source *source,
                             const struct visit *visit) {
    int64_t step_ms = (int64_t)form->settings->every_s * SECOND_MS;
    uint32_t count = 1;
    for (size_t i = 0; i < form->question_count; i++) {
        const struct measure *measure = form->questions[i].measure;
        if (isnan(visit->answers[i])) continue;
        batching_watch(source, measure, &visit->counter, visit->from_ms, visit->to_ms);
        for (int64_t at_ms = visit->from_ms; at_ms < visit->to_ms; at_ms += step_ms, count++)
            batching_sample(source, measure, &visit->counter, at_ms, visit->answers[i],
                            visit->confidence);
    }
    return count;
}

/// What is new of them: a file that is followed is read again.
static void tell_oddities(struct form *form, struct driver_turn *turn) {
    for (; form->told_rows < form->bad_rows; form->told_rows++)
        batching_oddity(turn->source, "bad_row");
    for (; form->told_answers < form->bad_answers; form->told_answers++)
        batching_oddity(turn->source, "bad_answer");
    turn->remark = form->remark;
    form->remark = (struct problem){0};
}

static void mark(const struct form *form, struct driver_turn *turn, int64_t watermark_ms) {
    batching_watermark(turn->source, watermark_ms);
    turn->cursor.size = 8;
    for (size_t i = 0; i < 8; i++)
        turn->cursor.bytes[i] = (uint8_t)((uint64_t)form->next >> (i * 8));
}

static int64_t last_ms(const struct form *form) {
    int64_t latest_ms = TIME_NONE;
    for (size_t i = 0; i < form->visit_count; i++)
        if (form->visits[i].to_ms > latest_ms) latest_ms = form->visits[i].to_ms;
    return latest_ms;
}

static enum err play(struct form *form, struct driver_turn *turn) {
    for (uint32_t used = 0; form->next < form->visit_count; form->next++) {
        const struct visit *visit = &form->visits[form->next];
        bool due = is_due(form, visit, turn);
        if (!due || used >= turn->budget) {
            mark(form, turn, visit->from_ms);
            return due ? ERR_NONE : ERR_AGAIN;
        }
        used += visit_append(form, turn->source, visit);
    }
    if (form->visit_count > 0) mark(form, turn, last_ms(form));
    return ERR_END;
}

static enum err follow(struct form *form, struct driver_turn *turn, struct problem *problem) {
    enum err err = has_changed(form) ? read_file(form, problem) : ERR_NONE;
    if (err) return err;
    tell_oddities(form, turn);
    for (uint32_t used = 0; form->next < form->visit_count && used < turn->budget; form->next++)
        used += visit_append(form, turn->source, &form->visits[form->next]);
    bool more = form->next < form->visit_count;
    // What is there already may be older than what the clock will promise.
    mark(form, turn, more ? 0 : turn->utc_ms - (int64_t)form->settings->late_ms);
    turn->wake_ms = turn->now_ms + LOOK_MS;
    return more ? ERR_NONE : ERR_AGAIN;
}

static enum err form_read(void *state, struct driver_turn *turn, struct problem *problem) {
    struct form *form = state;
    if (form->settings->follow) return follow(form, turn, problem);
    tell_oddities(form, turn);
    return play(form, turn);
}

// ------------------------------------------------------------------ open and close

static enum err form_open(void *state, const struct driver_context *context,
                          const struct cursor *cursor, struct problem *problem) {
    struct form *form = state;
    form->settings = context->settings;
    form->context = context;
    enum err err = read_questions(form, problem);
    struct day any = {2026, 1, 1};
    if (!err) // day and shift_days are checked here, once
        err = replay_shift(form->settings->day, form->settings->shift_days, any, &form->shift_days,
                           problem);
    if (err) return err;
    form->visits = calloc(VISITS_MAX, sizeof *form->visits);
    if (!form->visits) return problem_set(problem, ERR_NOMEM, "out of memory");
    struct reader reader = reader_of((struct bytes){cursor->bytes, cursor->size});
    if (cursor->size > 0) form->next = (size_t)reader_u64(&reader);
    if (reader.failed)
        return problem_set(problem, ERR_CONFLICT,
                           "%s: the spool holds the place of another driver; begin with a new one",
                           form->settings->path);
    return read_file(form, problem);
}

static size_t form_brings(const void *state, struct id *measures, size_t most) {
    const struct form *form = state;
    size_t count = 0;
    for (; count < form->question_count && count < most; count++)
        measures[count] = form->questions[count].measure->id;
    return count;
}

static uint32_t form_progress(const void *state) {
    const struct form *form = state;
    return form->visit_count ? (uint32_t)(form->next * 1000 / form->visit_count) : 1000;
}

static void form_close(void *state) {
    struct form *form = state;
    free(form->visits);
    form->visits = NULL;
}

const struct driver driver_form = {
    .name = "form",
    .text = "sheets of a supervisor or mystery shopper (CSV): badge, clothes, tidiness",
    .state_size = sizeof(struct form),
    .settings_size = sizeof(struct form_settings),
    .settings = settings_rows,
    .open = form_open,
    .read = form_read,
    .brings = form_brings,
    .progress = form_progress,
    .close = form_close,
};
