#include "common/wire/message.h"

#include "common/domain/batch.h"
#include "common/wire/pack.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const type_names[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_ASK] = "ask",         [MESSAGE_BATCH] = "batch",     [MESSAGE_ANSWER] = "answer",
    [MESSAGE_REFUSED] = "refused", [MESSAGE_READY] = "ready",     [MESSAGE_JOB] = "job",
    [MESSAGE_DONE] = "done",       [MESSAGE_GOODBYE] = "goodbye", [MESSAGE_DRAIN] = "drain",
    [MESSAGE_STATUS] = "status",
};
static const char *const job_names[JOB_KIND_COUNT] = {
    [JOB_BATCH] = "batch",
    [JOB_ASK] = "ask",
    [JOB_SETTLE] = "settle",
    [JOB_DEAD] = "dead",
};
static const char *const status_names[ANSWER_STATUS_COUNT] = {
    [ANSWER_APPLIED] = "applied", [ANSWER_GAP] = "gap",   [ANSWER_FENCED] = "fenced",
    [ANSWER_LATER] = "later",     [ANSWER_DEAD] = "dead", [ANSWER_REFUSED] = "refused",
};

const char *message_type_name(enum message_type type) {
    return (size_t)type < MESSAGE_TYPE_COUNT ? type_names[type] : "unknown";
}

const char *answer_status_name(enum answer_status status) {
    return (size_t)status < ANSWER_STATUS_COUNT ? status_names[status] : "unknown";
}

const char *job_kind_name(enum job_kind kind) {
    return (size_t)kind < JOB_KIND_COUNT ? job_names[kind] : "unknown";
}

enum kind {
    KIND_U64,  // 0..bound
    KIND_U32,  // 0..bound
    KIND_TIME, // int64, 0..bound; negative in memory: not there
    KIND_BOOL,
    KIND_ID,
    KIND_FIXED,  // exactly bound bytes, kept in the message
    KIND_BYTES,  // at most bound bytes, a view
    KIND_TEXT,   // at most bound bytes of UTF-8, a view
    KIND_CHOICE, // one of bound names
};

/// Every key, in the order in which they are written.
enum key {
    KEY_V,
    KEY_TYPE,
    KEY_AS,
    KEY_WORKER,
    KEY_CREDIT,
    KEY_SET,
    KEY_VERSION,
    KEY_ACKNOWLEDGE,
    KEY_JOB,
    KEY_JOBS,
    KEY_WHAT,
    KEY_BRANCH,
    KEY_GATEWAY,
    KEY_SESSION,
    KEY_SPOOL,
    KEY_EPOCH,
    KEY_NUMBER,
    KEY_TAG,
    KEY_LOST,
    KEY_STATUS,
    KEY_WINDOW,
    KEY_REASON,
    KEY_WAIT_MS,
    KEY_DUE_MS,
    KEY_HELD,
    KEY_SPOOLED,
    KEY_DROPPED,
    KEY_OLDEST_MS,
    KEY_READ_PERMILLE,
    KEY_ENDED,
    KEY_BODY,
    KEY_COUNT
};

static const struct row {
    struct pack_key key; // first: pack_index looks at it
    enum kind kind;
    size_t offset; // in struct message
    uint64_t bound;
    const char *const *names; // KIND_CHOICE
} rows[KEY_COUNT] = {
#define ROW(name, kind, member, bound)                                                             \
    { PACK_KEY(name), kind, offsetof(struct message, member), bound, NULL }
#define CHOICE(name, member, names)                                                                \
    {                                                                                              \
        PACK_KEY(name), KIND_CHOICE, offsetof(struct message, member),                             \
            sizeof(names) / sizeof *(names), names                                                 \
    }
    [KEY_V] = {.key = PACK_KEY("v")},
    [KEY_TYPE] = CHOICE("type", type, type_names),
    [KEY_AS] = ROW("as", KIND_TEXT, as, AS_MAX),
    [KEY_WORKER] = ROW("worker", KIND_ID, worker, ID_MAX),
    [KEY_CREDIT] = ROW("credit", KIND_U32, credit, CREDIT_MAX),
    [KEY_SET] = ROW("set", KIND_TEXT, set, SET_MAX),
    [KEY_VERSION] = ROW("version", KIND_TEXT, version, VERSION_MAX),
    [KEY_ACKNOWLEDGE] = ROW("acknowledge", KIND_TEXT, acknowledge, LEVEL_MAX),
    [KEY_JOB] = ROW("job", KIND_U64, job, NUMBER_MAX),
    [KEY_JOBS] = ROW("jobs", KIND_BYTES, jobs, JOBS_MAX * sizeof(uint64_t)),
    [KEY_WHAT] = CHOICE("what", what, job_names),
    [KEY_BRANCH] = ROW("branch", KIND_ID, branch, ID_MAX),
    [KEY_GATEWAY] = ROW("gateway", KIND_ID, gateway, ID_MAX),
    [KEY_SESSION] = ROW("session", KIND_U64, session, NUMBER_MAX),
    [KEY_SPOOL] = ROW("spool", KIND_FIXED, spool, sizeof(struct spool_id)),
    [KEY_EPOCH] = ROW("epoch", KIND_U64, position.epoch, NUMBER_MAX),
    [KEY_NUMBER] = ROW("number", KIND_U64, position.number, NUMBER_MAX),
    [KEY_TAG] = ROW("tag", KIND_FIXED, position.tag, sizeof(struct tag)),
    [KEY_LOST] = ROW("lost", KIND_U64, lost, NUMBER_MAX),
    [KEY_STATUS] = CHOICE("status", status, status_names),
    [KEY_WINDOW] = ROW("window", KIND_U32, window, WINDOW_MAX),
    [KEY_REASON] = ROW("reason", KIND_TEXT, reason, REASON_MAX),
    [KEY_WAIT_MS] = ROW("wait_ms", KIND_U32, wait_ms, DAY_MS),
    [KEY_DUE_MS] = ROW("due_ms", KIND_TIME, due_ms, NUMBER_MAX),
    [KEY_HELD] = ROW("held", KIND_U64, held, NUMBER_MAX),
    [KEY_SPOOLED] = ROW("spooled", KIND_U64, spooled, NUMBER_MAX),
    [KEY_DROPPED] = ROW("dropped", KIND_U64, dropped, NUMBER_MAX),
    [KEY_OLDEST_MS] = ROW("oldest_ms", KIND_TIME, oldest_ms, TIME_LAST),
    [KEY_READ_PERMILLE] = ROW("read_permille", KIND_U32, read_permille, 1000),
    [KEY_ENDED] = ROW("ended", KIND_BOOL, ended, 1),
    [KEY_BODY] = ROW("body", KIND_BYTES, body, STATUS_BODY_MAX),
#undef ROW
#undef CHOICE
};

/// Which keys a type must have and may have; a job's also depend on what it is.
struct shape {
    uint64_t required, optional;
};
#define K(name) (UINT64_C(1) << KEY_##name)
#define POSITION (K(EPOCH) | K(NUMBER) | K(TAG))
static const struct shape shapes[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_ASK] = {K(SESSION) | K(SPOOL) | K(EPOCH), K(AS) | K(HELD) | K(SPOOLED) | K(DROPPED) |
                                                           K(OLDEST_MS) | K(READ_PERMILLE) |
                                                           K(ENDED)},
    [MESSAGE_BATCH] = {K(SESSION) | POSITION | K(BODY), K(AS) | K(LOST)},
    [MESSAGE_ANSWER] = {K(SESSION) | POSITION | K(STATUS) | K(WINDOW), K(REASON) | K(WAIT_MS)},
    [MESSAGE_REFUSED] = {K(REASON), 0},
    [MESSAGE_READY] = {K(WORKER) | K(CREDIT),
                       K(AS) | K(HELD) | K(SET) | K(VERSION) | K(ACKNOWLEDGE) | K(REASON)},
    [MESSAGE_JOB] = {K(JOB) | K(WHAT) | K(BRANCH),
                     K(GATEWAY) | K(SESSION) | K(SPOOL) | POSITION | K(LOST) | K(REASON) | K(BODY)},
    [MESSAGE_DONE] = {K(JOBS) | K(STATUS),
                      K(AS) | K(SESSION) | POSITION | K(REASON) | K(WAIT_MS) | K(DUE_MS)},
    [MESSAGE_GOODBYE] = {K(WORKER), K(AS)},
    [MESSAGE_DRAIN] = {0, K(AS) | K(WORKER)},
    [MESSAGE_STATUS] = {0, K(AS) | K(BODY)},
};
static const uint64_t job_required[JOB_KIND_COUNT] = {
    [JOB_BATCH] = K(GATEWAY) | K(SESSION) | POSITION | K(BODY),
    [JOB_ASK] = K(GATEWAY) | K(SESSION) | K(SPOOL) | K(EPOCH),
    [JOB_SETTLE] = 0,
    [JOB_DEAD] = K(GATEWAY) | K(SESSION) | POSITION | K(BODY),
};

/// Of a set that is not empty; `set &= set - 1` takes it out.
static enum key first_key(uint64_t set) {
    return (enum key)__builtin_ctzll(set);
}

static uint64_t required_keys(const struct message *message) {
    uint64_t required = shapes[message->type].required;
    return message->type == MESSAGE_JOB ? required | job_required[message->what] : required;
}

static const void *member(const struct message *message, const struct row *row) {
    return (const char *)message + row->offset;
}

/// Whether an optional key says anything.
static bool present(const struct message *message, const struct row *row) {
    static const uint8_t zeros[sizeof(struct spool_id)];
    const void *at = member(message, row);
    switch (row->kind) {
    case KIND_U64:
        return *(const uint64_t *)at != 0;
    case KIND_U32:
        return *(const uint32_t *)at != 0;
    case KIND_TIME:
        return *(const int64_t *)at >= 0;
    case KIND_BOOL:
        return *(const bool *)at;
    case KIND_ID:
        return ((const struct id *)at)->text[0] != '\0';
    case KIND_FIXED:
        return memcmp(at, zeros, row->bound) != 0;
    case KIND_BYTES:
    case KIND_TEXT:
        return ((const struct bytes *)at)->size > 0;
    case KIND_CHOICE:
        return true;
    }
    return false;
}

static size_t body_max(enum message_type type) {
    return type == MESSAGE_STATUS ? STATUS_BODY_MAX : BATCH_BODY_MAX;
}

/// What no single key can say.
static enum err check(const struct message *message, struct problem *problem) {
    bool carries =
        message->type == MESSAGE_BATCH ||
        (message->type == MESSAGE_JOB && (message->what == JOB_BATCH || message->what == JOB_DEAD));
    if (carries && message->position.number == 0)
        return problem_set(problem, ERR_RANGE, "key number: batches are numbered from 1");
    if (carries && message->lost >= message->position.number)
        return problem_set(problem, ERR_RANGE, "key lost: must be below number");
    if (message->body.size > body_max(message->type))
        return problem_set(problem, ERR_RANGE, "key body: more than %zu bytes",
                           body_max(message->type));
    if (message->jobs.size % sizeof(uint64_t) != 0)
        return problem_set(problem, ERR_FORMAT, "key jobs: not a multiple of 8 bytes");
    return ERR_NONE;
}

// ---- writing

/// Reasons are sentences for people: the end of a long one is cut, between two characters.
static size_t text_size(struct bytes text, size_t most) {
    if (text.size <= most) return text.size;
    while (most > 0 && (text.data[most] & 0xc0) == 0x80)
        most--;
    return most;
}

static void write_choice(msgpack_packer *packer, const struct row *row, const void *at) {
    unsigned choice;
    memcpy(&choice, at, sizeof choice);
    assert(choice < row->bound);
    msgpack_pack_str_with_body(packer, row->names[choice], strlen(row->names[choice]));
}

static void write_value(msgpack_packer *packer, const struct row *row, const void *at) {
    const struct bytes *bytes = at;
    switch (row->kind) {
    case KIND_U64:
        assert(*(const uint64_t *)at <= row->bound);
        msgpack_pack_uint64(packer, *(const uint64_t *)at);
        break;
    case KIND_U32:
        assert(*(const uint32_t *)at <= row->bound);
        msgpack_pack_uint32(packer, *(const uint32_t *)at);
        break;
    case KIND_TIME:
        assert(*(const int64_t *)at <= (int64_t)row->bound);
        msgpack_pack_int64(packer, *(const int64_t *)at);
        break;
    case KIND_BOOL:
        if (*(const bool *)at)
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        break;
    case KIND_ID:
        msgpack_pack_str_with_body(packer, ((const struct id *)at)->text,
                                   strlen(((const struct id *)at)->text));
        break;
    case KIND_FIXED:
        msgpack_pack_bin_with_body(packer, at, row->bound);
        break;
    case KIND_BYTES:
        assert(bytes->size <= row->bound);
        msgpack_pack_bin_with_body(packer, bytes->data, bytes->size);
        break;
    case KIND_TEXT:
        msgpack_pack_str_with_body(packer, bytes->data, text_size(*bytes, row->bound));
        break;
    case KIND_CHOICE:
        write_choice(packer, row, at);
        break;
    }
}

enum err message_encode(const struct message *message, struct buffer *out) {
    if (out->failed) return ERR_FULL;
    assert((size_t)message->type < MESSAGE_TYPE_COUNT);
    if (message->body.size > body_max(message->type)) return ERR_FULL;
    assert(message->jobs.size == message->job_count * sizeof(uint64_t));
    assert(check(message, NULL) == ERR_NONE);
    uint64_t written = required_keys(message) | K(TYPE);
    for (uint64_t set = shapes[message->type].optional & ~written; set; set &= set - 1)
        if (present(message, &rows[first_key(set)])) written |= set & -set;

    size_t begin = out->size;
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, pack_write);
    msgpack_pack_map(&packer, 1 + (size_t)__builtin_popcountll(written));
    pack_write_key(&packer, rows[KEY_V].key);
    msgpack_pack_int(&packer, PROTOCOL_VERSION);
    for (uint64_t set = written; set; set &= set - 1) {
        const struct row *row = &rows[first_key(set)];
        pack_write_key(&packer, row->key);
        write_value(&packer, row, member(message, row));
    }
    return out->failed ? buffer_rewind(out, begin) : ERR_NONE; // never half a message
}

// ---- reading

static enum err wrong(struct problem *problem, enum err err, const struct row *row,
                      const char *what) {
    return problem_set(problem, err, "key %s: %s", row->key.text, what);
}

static enum err read_whole(struct reader *value, const struct row *row, int64_t *whole,
                           struct problem *problem) {
    if (!pack_read_integer(value, whole)) return wrong(problem, ERR_FORMAT, row, "not an integer");
    if (*whole < 0 || (uint64_t)*whole > row->bound)
        return problem_set(problem, ERR_RANGE, "key %s: outside 0..%llu", row->key.text,
                           (unsigned long long)row->bound);
    return ERR_NONE;
}

static enum err read_choice(struct reader *value, const struct row *row, void *at,
                            struct problem *problem) {
    struct bytes text;
    if (!pack_read_text(value, &text)) return wrong(problem, ERR_FORMAT, row, "not a text");
    for (unsigned choice = 0; choice < row->bound; choice++) {
        if (!bytes_equal(text, bytes_of_text(row->names[choice]))) continue;
        memcpy(at, &choice, sizeof choice);
        return ERR_NONE;
    }
    return wrong(problem, ERR_FORMAT, row, "no such name");
}

static enum err read_view(struct reader *value, const struct row *row, struct bytes *view,
                          struct problem *problem) {
    bool is_text = row->kind == KIND_TEXT;
    if (is_text ? !pack_read_text(value, view) : !pack_read_bytes(value, view))
        return wrong(problem, ERR_FORMAT, row, is_text ? "not a text" : "not a byte string");
    if (view->size > row->bound) return wrong(problem, ERR_RANGE, row, "too long");
    return ERR_NONE;
}

static enum err read_value(struct reader *value, const struct row *row, void *at,
                           struct problem *problem) {
    enum err err = ERR_NONE;
    struct bytes view;
    int64_t whole;
    switch (row->kind) {
    case KIND_U64:
    case KIND_TIME: // of the same size; the bound keeps both below 2^53
        err = read_whole(value, row, &whole, problem);
        if (!err) memcpy(at, &whole, sizeof whole);
        return err;
    case KIND_U32:
        err = read_whole(value, row, &whole, problem);
        if (!err) *(uint32_t *)at = (uint32_t)whole;
        return err;
    case KIND_BOOL:
        return pack_read_bool(value, at) ? ERR_NONE
                                         : wrong(problem, ERR_FORMAT, row, "not true or false");
    case KIND_ID:
        if (!pack_read_text(value, &view) || !id_set(at, (const char *)view.data, view.size))
            return wrong(problem, ERR_FORMAT, row, "not an id: [a-z0-9-]{1,32}");
        return ERR_NONE;
    case KIND_FIXED:
        if (!pack_read_bytes(value, &view) || view.size != row->bound)
            return problem_set(problem, ERR_FORMAT, "key %s: not a byte string of %llu bytes",
                               row->key.text, (unsigned long long)row->bound);
        memcpy(at, view.data, view.size);
        return ERR_NONE;
    case KIND_BYTES:
    case KIND_TEXT:
        return read_view(value, row, at, problem);
    case KIND_CHOICE:
        return read_choice(value, row, at, problem);
    }
    return ERR_NONE;
}

static enum err read_key(struct reader values[], enum key key, struct message *message,
                         struct problem *problem) {
    return read_value(&values[key], &rows[key], (char *)message + rows[key].offset, problem);
}

static enum err require(uint64_t found, uint64_t keys, const struct message *message,
                        struct problem *problem) {
    uint64_t missing = keys & ~found;
    if (!missing) return ERR_NONE;
    return problem_set(problem, ERR_FORMAT, "%s: key %s is missing", type_names[message->type],
                       rows[first_key(missing)].key.text);
}

/// Version and type come before anything else: another version may have changed the rest.
static enum err read_head(struct reader values[], uint64_t found, struct message *message,
                          struct problem *problem) {
    int64_t version;
    if (!(found & K(V)) || !pack_read_integer(&values[KEY_V], &version))
        return problem_set(problem, ERR_FORMAT, "key v: missing, or not an integer");
    if (version != PROTOCOL_VERSION)
        return problem_set(problem, ERR_VERSION,
                           "protocol version %lld is not spoken here: send version %d",
                           (long long)version, PROTOCOL_VERSION);
    if (!(found & K(TYPE))) return problem_set(problem, ERR_FORMAT, "key type is missing");
    return read_key(values, KEY_TYPE, message, problem);
}

enum err message_decode(struct reader *frame, struct message *message, struct problem *problem) {
    *message = (struct message){.due_ms = -1, .oldest_ms = TIME_NONE};
    if (reader_left(frame) == 0) return ERR_END;
    struct reader values[KEY_COUNT];
    uint64_t found;
    if (!pack_index_found(frame, PACK_DEPTH_MAX, rows, sizeof rows[0], KEY_COUNT, values, &found)) {
        reader_take(frame, reader_left(frame)); // where the next message begins is not known
        return problem_set(problem, ERR_FORMAT,
                           "not a message: one MessagePack map with distinct short text keys");
    }
    enum err err = read_head(values, found, message, problem);
    if (err) return err;
    const struct shape *shape = &shapes[message->type];
    found &= shape->required | shape->optional; // others mean nothing here
    err = require(found, shape->required, message, problem);
    for (uint64_t set = found; set && !err; set &= set - 1)
        err = read_key(values, first_key(set), message, problem);
    if (!err) err = require(found, required_keys(message), message, problem);
    if (err) return err;
    message->has_spool = found & K(SPOOL);
    message->job_count = message->jobs.size / sizeof(uint64_t);
    return check(message, problem);
}
