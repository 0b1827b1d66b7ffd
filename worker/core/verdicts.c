// The verdicts of one encounter as they are kept for explaining: a MessagePack map
//
//   v: 1, set: hash, scores: [overall, six dimensions, coverage], standards: [map, ...]
//   a standard: id, verdict, reason (their numbers), coverage, degree; and where there are any
//   found: [verdict, reason, degree] before a person decided, measured, limit, worst: [from, to],
//   points: [time, value, confidence, ...]; a point's time is told from the one before it, the
//   first from 1970.

#include "common/wire/pack.h"
#include "worker/core/settle.h"

#include <math.h>
#include <string.h>

enum { VERDICTS_VERSION = 1, SCORE_COUNT = 2 + DIMENSION_COUNT, DEPTH = 5 };

enum { HEAD_VERSION, HEAD_SET, HEAD_SCORES, HEAD_STANDARDS, HEAD_COUNT };
static const struct pack_key head_keys[HEAD_COUNT] = {
    [HEAD_VERSION] = PACK_KEY("v"),
    [HEAD_SET] = PACK_KEY("set"),
    [HEAD_SCORES] = PACK_KEY("scores"),
    [HEAD_STANDARDS] = PACK_KEY("standards"),
};

enum {
    ENTRY_ID,
    ENTRY_VERDICT,
    ENTRY_REASON,
    ENTRY_COVERAGE,
    ENTRY_DEGREE,
    ENTRY_FOUND,
    ENTRY_MEASURED,
    ENTRY_LIMIT,
    ENTRY_WORST,
    ENTRY_POINTS,
    ENTRY_COUNT
};
static const struct pack_key entry_keys[ENTRY_COUNT] = {
    [ENTRY_ID] = PACK_KEY("id"),         [ENTRY_VERDICT] = PACK_KEY("verdict"),
    [ENTRY_REASON] = PACK_KEY("reason"), [ENTRY_COVERAGE] = PACK_KEY("coverage"),
    [ENTRY_DEGREE] = PACK_KEY("degree"), [ENTRY_MEASURED] = PACK_KEY("measured"),
    [ENTRY_LIMIT] = PACK_KEY("limit"),   [ENTRY_WORST] = PACK_KEY("worst"),
    [ENTRY_POINTS] = PACK_KEY("points"), [ENTRY_FOUND] = PACK_KEY("found"),
};

static void write_text(msgpack_packer *packer, const char *text) {
    size_t size = strlen(text);
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, text, size);
}

static void write_scores(msgpack_packer *packer, const struct scores *scores) {
    msgpack_pack_array(packer, SCORE_COUNT);
    msgpack_pack_int32(packer, scores->overall);
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        msgpack_pack_int32(packer, scores->dimensions[i]);
    msgpack_pack_int32(packer, scores->coverage_millionths);
}

static void write_points(msgpack_packer *packer, const struct judgement *judgement) {
    msgpack_pack_array(packer, 3 * judgement->point_count);
    int64_t before_ms = 0;
    for (size_t i = 0; i < judgement->point_count; i++) {
        const struct point *point = &judgement->points[i];
        msgpack_pack_int64(packer, point->at_ms - before_ms);
        pack_write_number(packer, point->value);
        msgpack_pack_uint8(packer, point->confidence);
        before_ms = point->at_ms;
    }
}

static void write_number(msgpack_packer *packer, size_t key, int64_t value) {
    pack_write_key(packer, entry_keys[key]);
    msgpack_pack_int64(packer, value);
}

static void write_entry(msgpack_packer *packer, const char *standard,
                        const struct judgement *judgement) {
    bool measured = !isnan(judgement->measured), limit = !isnan(judgement->limit);
    bool worst = judgement->worst.from_ms != TIME_NONE, points = judgement->point_count > 0;
    msgpack_pack_map(packer, (size_t)5 + judgement->decided + measured + limit + worst + points);
    pack_write_key(packer, entry_keys[ENTRY_ID]);
    write_text(packer, standard);
    write_number(packer, ENTRY_VERDICT, judgement->verdict);
    write_number(packer, ENTRY_REASON, judgement->reason);
    write_number(packer, ENTRY_COVERAGE, judgement->coverage_millionths);
    write_number(packer, ENTRY_DEGREE, judgement->degree_millionths);
    if (judgement->decided) {
        pack_write_key(packer, entry_keys[ENTRY_FOUND]);
        msgpack_pack_array(packer, 3);
        msgpack_pack_int(packer, (int)judgement->found.verdict);
        msgpack_pack_int(packer, (int)judgement->found.reason);
        msgpack_pack_int32(packer, judgement->found.degree_millionths);
    }
    if (measured) {
        pack_write_key(packer, entry_keys[ENTRY_MEASURED]);
        pack_write_number(packer, judgement->measured);
    }
    if (limit) {
        pack_write_key(packer, entry_keys[ENTRY_LIMIT]);
        pack_write_number(packer, judgement->limit);
    }
    if (worst) {
        pack_write_key(packer, entry_keys[ENTRY_WORST]);
        msgpack_pack_array(packer, 2);
        msgpack_pack_int64(packer, judgement->worst.from_ms);
        msgpack_pack_int64(packer, judgement->worst.to_ms);
    }
    if (points) {
        pack_write_key(packer, entry_keys[ENTRY_POINTS]);
        write_points(packer, judgement);
    }
}

void verdicts_write(const struct standard_set *set, const struct judgement *judgements,
                    const struct scores *scores, struct buffer *out) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, pack_write);
    msgpack_pack_map(&packer, HEAD_COUNT);
    pack_write_key(&packer, head_keys[HEAD_VERSION]);
    msgpack_pack_int(&packer, VERDICTS_VERSION);
    pack_write_key(&packer, head_keys[HEAD_SET]);
    write_text(&packer, set->hash_text);
    pack_write_key(&packer, head_keys[HEAD_SCORES]);
    write_scores(&packer, scores);
    pack_write_key(&packer, head_keys[HEAD_STANDARDS]);
    msgpack_pack_array(&packer, set->count);
    for (size_t i = 0; i < set->count; i++)
        write_entry(&packer, set->items[i].id.text, &judgements[i]);
}

static bool read_i32(struct reader *reader, int32_t *value) {
    int64_t number;
    if (!pack_read_integer(reader, &number) || number < INT32_MIN || number > INT32_MAX)
        return false;
    *value = (int32_t)number;
    return true;
}

static bool read_scores(struct reader *reader, struct scores *scores) {
    size_t count;
    bool read = pack_read_array(reader, &count) && count == SCORE_COUNT &&
                read_i32(reader, &scores->overall);
    for (size_t i = 0; read && i < DIMENSION_COUNT; i++)
        read = read_i32(reader, &scores->dimensions[i]);
    return read && read_i32(reader, &scores->coverage_millionths);
}

enum err verdicts_read(struct reader *reader, struct verdicts_head *head) {
    struct reader values[HEAD_COUNT];
    struct bytes set;
    int64_t version;
    *head = (struct verdicts_head){0};
    if (!pack_index(reader, DEPTH, head_keys, sizeof *head_keys, HEAD_COUNT, values))
        return ERR_FORMAT;
    for (size_t i = 0; i < HEAD_COUNT; i++)
        if (!values[i].at) return ERR_FORMAT;
    if (!pack_read_integer(&values[HEAD_VERSION], &version)) return ERR_FORMAT;
    if (version != VERDICTS_VERSION) return ERR_VERSION;
    if (!pack_read_text(&values[HEAD_SET], &set) || set.size >= sizeof head->set ||
        !read_scores(&values[HEAD_SCORES], &head->scores) ||
        !pack_read_array(&values[HEAD_STANDARDS], &head->count))
        return ERR_FORMAT;
    memcpy(head->set, set.data, set.size);
    *reader = values[HEAD_STANDARDS];
    return ERR_NONE;
}

static bool read_points(struct reader *reader, struct judgement *judgement) {
    size_t count;
    if (!pack_read_array(reader, &count) || count % 3 || count > 3 * POINTS_MAX) return false;
    judgement->point_count = count / 3;
    int64_t at_ms = 0;
    for (size_t i = 0; i < judgement->point_count; i++) {
        int64_t step_ms, confidence;
        if (!pack_read_integer(reader, &step_ms) || step_ms < -TIME_LAST || step_ms > TIME_LAST ||
            !pack_read_number(reader, &judgement->points[i].value) ||
            !pack_read_integer(reader, &confidence) || confidence < 0 || confidence > 100)
            return false;
        at_ms += step_ms;
        judgement->points[i].at_ms = at_ms;
        judgement->points[i].confidence = (uint8_t)confidence;
    }
    return true;
}

static bool read_worst(struct reader *reader, struct span *worst) {
    size_t count;
    return pack_read_array(reader, &count) && count == 2 &&
           pack_read_integer(reader, &worst->from_ms) && pack_read_integer(reader, &worst->to_ms);
}

static bool read_verdict(struct reader *verdict_at, struct reader *reason_at,
                         struct ruling *ruling) {
    int64_t verdict, reason;
    if (!pack_read_integer(verdict_at, &verdict) || verdict < 0 || verdict >= VERDICT_COUNT ||
        !pack_read_integer(reason_at, &reason) || reason < 0 || reason >= REASON_COUNT)
        return false;
    ruling->verdict = (enum verdict)verdict;
    ruling->reason = (enum reason)reason;
    return true;
}

static bool read_found(struct reader *reader, struct ruling *found) {
    size_t count;
    return pack_read_array(reader, &count) && count == 3 && read_verdict(reader, reader, found) &&
           read_i32(reader, &found->degree_millionths);
}

enum err verdicts_next(struct reader *reader, struct verdict_entry *entry) {
    struct reader values[ENTRY_COUNT];
    struct judgement *judgement = &entry->judgement;
    struct bytes id;
    struct ruling ruling;
    *entry = (struct verdict_entry){
        .judgement = {.measured = NAN, .limit = NAN, .worst = {TIME_NONE, TIME_NONE}}};
    if (!pack_index(reader, DEPTH, entry_keys, sizeof *entry_keys, ENTRY_COUNT, values))
        return ERR_FORMAT;
    for (size_t i = ENTRY_ID; i <= ENTRY_DEGREE; i++)
        if (!values[i].at) return ERR_FORMAT;
    if (!pack_read_text(&values[ENTRY_ID], &id) ||
        !name_set(&entry->standard, (const char *)id.data, id.size) ||
        !read_verdict(&values[ENTRY_VERDICT], &values[ENTRY_REASON], &ruling) ||
        !read_i32(&values[ENTRY_COVERAGE], &judgement->coverage_millionths) ||
        !read_i32(&values[ENTRY_DEGREE], &judgement->degree_millionths))
        return ERR_FORMAT;
    judgement->verdict = ruling.verdict;
    judgement->reason = ruling.reason;
    judgement->decided = values[ENTRY_FOUND].at != NULL;
    bool read = !judgement->decided || read_found(&values[ENTRY_FOUND], &judgement->found);
    if (read && values[ENTRY_MEASURED].at)
        read = pack_read_number(&values[ENTRY_MEASURED], &judgement->measured);
    if (read && values[ENTRY_LIMIT].at)
        read = pack_read_number(&values[ENTRY_LIMIT], &judgement->limit);
    if (read && values[ENTRY_WORST].at) read = read_worst(&values[ENTRY_WORST], &judgement->worst);
    if (read && values[ENTRY_POINTS].at) read = read_points(&values[ENTRY_POINTS], judgement);
    return read ? ERR_NONE : ERR_FORMAT;
}

enum err verdicts_judgements(struct bytes verdicts, const struct standard_set *set,
                             struct judgement *judgements) {
    struct reader reader = reader_of(verdicts);
    struct verdicts_head head;
    struct verdict_entry entry;
    enum err err = verdicts_read(&reader, &head);
    if (!err && (strcmp(head.set, set->hash_text) != 0 || head.count != set->count))
        err = ERR_CONFLICT;
    for (size_t i = 0; !err && i < set->count; i++) {
        err = verdicts_next(&reader, &entry);
        if (!err && !name_equal(&entry.standard, &set->items[i].id)) err = ERR_CONFLICT;
        if (!err) judgements[i] = entry.judgement;
    }
    return err;
}
