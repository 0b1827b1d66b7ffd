#include "worker/store/record.h"

#include <string.h>

// ENCOUNTER_FORMAT, where_pack and SUM_HEAD of functions.lua.

const char *record_state_name(enum record_state state) {
    static const char *const names[] = {"open", "ended", "settled", "final"};
    return state < RECORD_STATE_COUNT ? names[state] : "unknown";
}

static int64_t read_time(struct reader *reader) {
    int64_t at_ms = (int64_t)reader_u64(reader);
    return at_ms < 0 ? TIME_NONE : at_ms;
}

/// A short text into char[size]; an empty one is allowed.
static bool read_text(struct reader *reader, char *text, size_t size) {
    struct bytes bytes = reader_short(reader);
    if (reader->failed || bytes.size >= size) return false;
    if (bytes.size > 0) memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return true;
}

enum err record_read(struct bytes bytes, struct record *record) {
    struct reader reader = reader_of(bytes);
    struct encounter *encounter = &record->encounter;
    memset(record, 0, sizeof *record);
    uint8_t state = reader_u8(&reader);
    record->state = (enum record_state)state;
    record->withdrawn = reader_u8(&reader) != 0;
    reader_u8(&reader); // told by several gateways
    record->tries = reader_u8(&reader);
    reader_take(&reader, LEASE_SIZE);
    encounter->issued_ms = read_time(&reader);
    encounter->called_ms = read_time(&reader);
    encounter->started_ms = read_time(&reader);
    encounter->ended_ms = read_time(&reader);
    uint8_t outcome = reader_u8(&reader);
    encounter->outcome = (enum outcome)outcome;
    bool texts = read_text(&reader, encounter->counter.text, sizeof encounter->counter.text) &&
                 read_text(&reader, encounter->gateway.text, sizeof encounter->gateway.text) &&
                 read_text(&reader, encounter->offering.text, sizeof encounter->offering.text) &&
                 read_text(&reader, encounter->employee, sizeof encounter->employee) &&
                 read_text(&reader, encounter->language, sizeof encounter->language);
    bool whole = texts && !reader.failed && reader_left(&reader) == 0 &&
                 state < RECORD_STATE_COUNT && outcome < OUTCOME_COUNT;
    return whole ? ERR_NONE : ERR_FORMAT;
}

enum err record_cells_read(struct bytes bytes, struct record_cells *cells) {
    struct reader reader = reader_of(bytes);
    memset(cells, 0, sizeof *cells);
    bool texts = read_text(&reader, cells->counter.text, sizeof cells->counter.text) &&
                 read_text(&reader, cells->day, sizeof cells->day) &&
                 read_text(&reader, cells->hour, sizeof cells->hour) &&
                 read_text(&reader, cells->set.text, sizeof cells->set.text);
    return texts && !reader.failed && reader_left(&reader) == 0 ? ERR_NONE : ERR_FORMAT;
}

enum err contribution_read(struct bytes bytes, struct contribution *contribution, size_t capacity,
                           struct contribution_standard *standards) {
    if (bytes.size < CONTRIBUTION_HEAD_SIZE) return ERR_FORMAT;
    size_t rest = bytes.size - CONTRIBUTION_HEAD_SIZE;
    if (rest % CONTRIBUTION_STANDARD_SIZE != 0) return ERR_FORMAT;
    if (rest / CONTRIBUTION_STANDARD_SIZE > capacity) return ERR_FULL;
    struct reader reader = reader_of(bytes);
    contribution->outcome = reader_u8(&reader);
    contribution->provisional = reader_u8(&reader) != 0;
    for (int i = 0; i < SCORES; i++)
        contribution->scores[i] = (int32_t)reader_u32(&reader);
    contribution->count = rest / CONTRIBUTION_STANDARD_SIZE;
    contribution->standards = standards;
    for (size_t i = 0; i < contribution->count; i++) {
        standards[i].verdict = reader_u8(&reader);
        standards[i].degree = (int32_t)reader_u32(&reader);
        standards[i].coverage = (int32_t)reader_u32(&reader);
        if (standards[i].verdict > CONTRIBUTION_UNCONFIRMED) return ERR_FORMAT;
    }
    return contribution->outcome >= 1 && contribution->outcome <= OUTCOMES ? ERR_NONE : ERR_FORMAT;
}

enum err dead_letter_read(struct bytes bytes, struct dead_letter *letter) {
    struct reader reader = reader_of(bytes);
    *letter = (struct dead_letter){.at_ms = (int64_t)reader_u64(&reader)};
    struct bytes tag = reader_take(&reader, sizeof letter->tag.bytes);
    letter->reason = reader_short(&reader);
    letter->body = reader_take(&reader, reader_u32(&reader));
    if (reader.failed || reader_left(&reader) > 0) return ERR_FORMAT;
    memcpy(letter->tag.bytes, tag.data, tag.size);
    return ERR_NONE;
}
