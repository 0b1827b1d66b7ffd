#include "worker/store/decisions.h"

#include <string.h>

void decision_write(const struct decision *decision, struct buffer *out) {
    buffer_put_short(out, bytes_of_text(decision->standard.text));
    buffer_put_u8(out, (uint8_t)decision->kind);
    buffer_put_u64(out, (uint64_t)decision->decided_ms);
    buffer_put_short(out, bytes_of_text(decision->by.text));
    buffer_put_short(out, bytes_of_text(decision->reason));
}

static bool read_one(struct reader *reader, struct decision *decision) {
    *decision = (struct decision){0};
    struct bytes standard = reader_short(reader);
    uint8_t kind = reader_u8(reader);
    decision->kind = (enum decision_kind)kind;
    decision->decided_ms = (int64_t)reader_u64(reader);
    struct bytes by = reader_short(reader), reason = reader_short(reader);
    if (reader->failed || kind >= DECISION_KIND_COUNT ||
        !name_set(&decision->standard, (const char *)standard.data, standard.size) ||
        !name_set(&decision->by, (const char *)by.data, by.size) ||
        !decision_reason_valid((const char *)reason.data, reason.size))
        return false;
    memcpy(decision->reason, reason.data, reason.size);
    return true;
}

enum err decisions_read(struct bytes bytes, struct decision decisions[DECISIONS_MAX],
                        size_t *count) {
    struct reader reader = reader_of(bytes);
    for (*count = 0; reader_left(&reader) > 0; ++*count)
        if (*count == DECISIONS_MAX || !read_one(&reader, &decisions[*count])) return ERR_FORMAT;
    return ERR_NONE;
}
