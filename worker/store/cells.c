// Contributions and cells: what one encounter adds, and the sums of what many have added.

#include "worker/engine/verdict.h"
#include "worker/store/calls.h"

#include <assert.h>

enum { CELL_HEAD_SIZE = 112, CELL_STANDARD_SIZE = 56 };

void contribution_write(const struct contribution *contribution, struct buffer *out) {
    assert(contribution->outcome >= OUTCOME_NORMAL && contribution->outcome < OUTCOME_COUNT);
    buffer_put_u8(out, contribution->outcome);
    buffer_put_u8(out, contribution->provisional);
    for (size_t i = 0; i < SCORES; i++)
        buffer_put_u32(out, (uint32_t)contribution->scores[i]);
    for (size_t i = 0; i < contribution->count; i++) {
        const struct contribution_standard *standard = &contribution->standards[i];
        assert(standard->verdict <= CONTRIBUTION_UNCONFIRMED);
        buffer_put_u8(out, standard->verdict);
        buffer_put_u32(out, (uint32_t)standard->degree);
        buffer_put_u32(out, (uint32_t)standard->coverage);
    }
}

/// Those not confirmed stand in no column of verdicts, but have a degree like all with an outcome.
static void find_unconfirmed(struct cell_standard *standard) {
    uint32_t *verdicts = standard->verdicts;
    uint32_t outcomes =
        verdicts[VERDICT_MET] + verdicts[VERDICT_PARTLY_MET] + verdicts[VERDICT_NOT_MET];
    standard->unconfirmed =
        standard->degree_count > outcomes ? standard->degree_count - outcomes : 0;
    verdicts[VERDICT_NOT_MET] += standard->unconfirmed;
}

enum err cell_read(struct bytes bytes, struct cell *cell, size_t capacity,
                   struct cell_standard *standards) {
    if (bytes.size < CELL_HEAD_SIZE || (bytes.size - CELL_HEAD_SIZE) % CELL_STANDARD_SIZE)
        return ERR_FORMAT;
    size_t count = (bytes.size - CELL_HEAD_SIZE) / CELL_STANDARD_SIZE;
    if (count > capacity) return ERR_FULL;
    struct reader reader = reader_of(bytes);
    cell->count = count;
    cell->encounters = reader_u32(&reader);
    cell->provisional = reader_u32(&reader);
    for (size_t i = 0; i < OUTCOMES; i++)
        cell->outcomes[i] = reader_u32(&reader);
    for (size_t i = 0; i < SCORES; i++) {
        cell->score_count[i] = reader_u32(&reader);
        cell->score_sum[i] = (int64_t)reader_u64(&reader);
    }
    for (size_t i = 0; i < count; i++) {
        struct cell_standard *standard = &standards[i];
        for (size_t verdict = 0; verdict < VERDICTS; verdict++)
            standard->verdicts[verdict] = reader_u32(&reader);
        standard->degree_count = reader_u32(&reader);
        standard->coverage_count = reader_u32(&reader);
        standard->degree_sum = (int64_t)reader_u64(&reader);
        standard->coverage_sum = (int64_t)reader_u64(&reader);
        find_unconfirmed(standard);
    }
    return reader.failed ? ERR_FORMAT : ERR_NONE;
}
