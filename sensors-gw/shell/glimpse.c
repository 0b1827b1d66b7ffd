#include "sensors-gw/shell/glimpse.h"

#include "sensors-gw/drivers/jsonl_line.h"
#include "sensors-gw/drivers/ld2450_frame.h"
#include "sensors-gw/drivers/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_MOST = 64, COLUMNS_MOST = 12, LINE_MOST = 16384 };

struct range {
    uint64_t count;
    double least, most;
};

static void range_take(struct range *range, double value) {
    if (!range->count || value < range->least) range->least = value;
    if (!range->count || value > range->most) range->most = value;
    range->count++;
}

/// The next whole line; false: none is left.
static bool next_line(struct bytes *rest, struct bytes *line) {
    const uint8_t *end = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
    if (!end) return false;
    *line = (struct bytes){rest->data, (size_t)(end - rest->data)};
    *rest = (struct bytes){end + 1, rest->size - line->size - 1};
    return true;
}

// ------------------------------------------------------------------ a radar

static void print_radar(struct bytes start, FILE *out) {
    struct ld2450_parser parser = {0};
    struct ld2450_frame frame;
    struct range away = {0}, speed = {0}, targets = {0};
    for (size_t i = 0; i < start.size; i++) {
        if (!ld2450_push(&parser, start.data[i], &frame)) continue;
        int present = 0;
        for (int k = 0; k < LD2450_TARGETS; k++) {
            const struct ld2450_target *target = &frame.targets[k];
            if (!target->present) continue;
            present++;
            range_take(&away, hypot(target->x_mm, target->y_mm) / 1000);
            range_take(&speed, abs(target->speed_cms) / 100.0);
        }
        range_take(&targets, present);
    }
    fprintf(out, "  %llu frames, %.0f .. %.0f persons at once", (unsigned long long)targets.count,
            targets.least, targets.most);
    if (away.count)
        fprintf(out, ", %.2f .. %.2f m away, at most %.2f m/s", away.least, away.most, speed.most);
    fputc('\n', out);
}

// ------------------------------------------------------------------ JSON lines

struct line_series {
    const struct measure *measure;
    struct id counter;
    struct range values;
    struct name label; // the last
};

struct line_counts {
    size_t series_count;
    struct line_series series[SERIES_MOST];
    uint64_t encounters, tickets, gaps, others, unread;
    struct problem first; // of what was not read
};

static void take_observation(struct line_counts *counts, const struct jsonl_item *item) {
    size_t i = 0;
    while (i < counts->series_count && (counts->series[i].measure != item->measure ||
                                        !id_equal(&counts->series[i].counter, &item->counter)))
        i++;
    if (i == SERIES_MOST) return;
    struct line_series *series = &counts->series[i];
    if (i == counts->series_count) {
        counts->series_count++;
        *series = (struct line_series){.measure = item->measure, .counter = item->counter};
    }
    range_take(&series->values, item->value);
    series->label = item->label;
}

static void take_line(struct line_counts *counts, const struct jsonl_defaults *defaults,
                      struct bytes line) {
    struct jsonl_item item = {0};
    struct problem problem = {0};
    const char *oddity;
    if (jsonl_line_read(line, defaults, &item, &oddity, &problem)) {
        if (!counts->unread++) counts->first = problem;
        return;
    }
    if (item.kind == JSONL_SAMPLE || item.kind == JSONL_EVENT)
        take_observation(counts, &item);
    else if (item.kind == JSONL_ENCOUNTER || item.kind == JSONL_WITHDRAWN)
        counts->encounters++;
    else if (item.kind == JSONL_TICKET)
        counts->tickets++;
    else if (item.kind == JSONL_GAP)
        counts->gaps++;
    else
        counts->others++;
}

static void print_jsonl(struct bytes rest, const struct measures *measures, FILE *out) {
    static struct line_counts counts;
    const struct jsonl_defaults defaults = {.measures = measures, .confidence = 1};
    struct bytes line;
    counts = (struct line_counts){0};
    while (next_line(&rest, &line))
        if (line.size && line.data[0] != '#') take_line(&counts, &defaults, line);
    for (size_t i = 0; i < counts.series_count; i++) {
        const struct line_series *series = &counts.series[i];
        fprintf(out, "  %-22s %-12s %6llu  ", series->measure->id.text, series->counter.text,
                (unsigned long long)series->values.count);
        if (series->measure->kind == MEASURE_EVENTS)
            fprintf(out, "last: %s\n", series->label.text);
        else
            fprintf(out, "%.4g .. %.4g %s\n", series->values.least, series->values.most,
                    series->measure->unit);
    }
    if (counts.encounters || counts.tickets || counts.gaps)
        fprintf(out, "  %llu lines of encounters, %llu of tickets, %llu gaps\n",
                (unsigned long long)counts.encounters, (unsigned long long)counts.tickets,
                (unsigned long long)counts.gaps);
    if (counts.unread)
        fprintf(out, "  %llu lines not understood, the first: %s\n",
                (unsigned long long)counts.unread, counts.first.text);
}

// ------------------------------------------------------------------ sound, tables

static void print_wave(struct bytes start, FILE *out) {
    enum { CHANNELS_AT = 22, RATE_AT = 24, BITS_AT = 34, HEAD_SIZE = 36 };
    if (start.size < HEAD_SIZE) return;
    struct reader head = reader_of(start);
    reader_take(&head, CHANNELS_AT);
    unsigned channels = reader_u16(&head), rate_hz = reader_u32(&head);
    reader_take(&head, BITS_AT - RATE_AT - sizeof(uint32_t));
    fprintf(out, "  %u Hz, %u channels, %u bits\n", rate_hz, channels, reader_u16(&head));
}

/// Names carry the units in such tables: x_m, t_s. All rows but the header and comments.
static void print_table(struct bytes rest, FILE *out) {
    static char header_text[LINE_MOST + 1], text[LINE_MOST + 1];
    static struct row header, row;
    static struct range ranges[TABLE_COLUMNS_MAX];
    struct bytes line;
    uint64_t rows = 0;
    char separator = 0;
    memset(ranges, 0, sizeof ranges);
    while (next_line(&rest, &line)) {
        if (line.size == 0 || line.data[0] == '#' || line.size > LINE_MOST) continue;
        char *copy = separator ? text : header_text;
        memcpy(copy, line.data, line.size);
        copy[line.size] = '\0';
        if (!separator) {
            separator = row_separator(line);
            if (row_cut(copy, line.size, separator, &header)) return;
            continue;
        }
        if (row_cut(copy, line.size, separator, &row) || row.count != header.count) continue;
        rows++;
        for (size_t i = 0; i < row.count; i++) {
            double value;
            if (text_number(row.fields[i], &value)) range_take(&ranges[i], value);
        }
    }
    fprintf(out, "  %zu columns, %llu rows\n", separator ? header.count : 0,
            (unsigned long long)rows);
    for (size_t i = 0, told = 0; separator && i < header.count && told < COLUMNS_MOST; i++) {
        if (!ranges[i].count) continue;
        fprintf(out, "  %-22.*s %6llu  %.4g .. %.4g\n", (int)header.fields[i].size,
                (const char *)header.fields[i].data, (unsigned long long)ranges[i].count,
                ranges[i].least, ranges[i].most);
        told++;
    }
}

void glimpse_print(struct bytes start, const struct recognised *is, const struct measures *measures,
                   FILE *out) {
    const char *driver = is->driver ? is->driver : "";
    if (strcmp(driver, "ld2450") == 0)
        print_radar(start, out);
    else if (strcmp(driver, "jsonl") == 0)
        print_jsonl(start, measures, out);
    else if (strcmp(driver, "audio") == 0)
        print_wave(start, out);
    else if (is->table)
        print_table(start, out);
}
