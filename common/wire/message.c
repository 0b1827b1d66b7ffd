#include "common/wire/message.h"

#include "common/domain/batch.h"
#include "common/wire/pack.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct pack_key type_names[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_ASK] = PACK_KEY("ask"),         [MESSAGE_BATCH] = PACK_KEY("batch"),
    [MESSAGE_ANSWER] = PACK_KEY("answer"),   [MESSAGE_REFUSED] = PACK_KEY("refused"),
    [MESSAGE_READY] = PACK_KEY("ready"),     [MESSAGE_JOB] = PACK_KEY("job"),
    [MESSAGE_DONE] = PACK_KEY("done"),       [MESSAGE_GOODBYE] = PACK_KEY("goodbye"),
    [MESSAGE_DRAIN] = PACK_KEY("drain"),     [MESSAGE_STATUS] = PACK_KEY("status"),
    [MESSAGE_RESERVE] = PACK_KEY("reserve"),
};
static const struct pack_key job_names[JOB_KIND_COUNT] = {
    [JOB_BATCH] = PACK_KEY("batch"),
    [JOB_ASK] = PACK_KEY("ask"),
    [JOB_SETTLE] = PACK_KEY("settle"),
    [JOB_DEAD] = PACK_KEY("dead"),
};
static const struct pack_key status_names[ANSWER_STATUS_COUNT] = {
    [ANSWER_APPLIED] = PACK_KEY("applied"), [ANSWER_GAP] = PACK_KEY("gap"),
    [ANSWER_FENCED] = PACK_KEY("fenced"),   [ANSWER_LATER] = PACK_KEY("later"),
    [ANSWER_DEAD] = PACK_KEY("dead"),       [ANSWER_REFUSED] = PACK_KEY("refused"),
};

const char *message_type_name(enum message_type type) {
    return (size_t)type < MESSAGE_TYPE_COUNT ? type_names[type].text : "unknown";
}

const char *answer_status_name(enum answer_status status) {
    return (size_t)status < ANSWER_STATUS_COUNT ? status_names[status].text : "unknown";
}

const char *job_kind_name(enum job_kind kind) {
    return (size_t)kind < JOB_KIND_COUNT ? job_names[kind].text : "unknown";
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

enum { KEY_TEXT_ROOM = 16 };

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
    KEY_BROKERS,
    KEY_RESERVED,
    KEY_LIBRARY,
    KEY_LIBRARY_RUN,
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
    KEY_LEFT_OUT,
    KEY_OLDEST_MS,
    KEY_READ_PERMILLE,
    KEY_ENDED,
    KEY_BODY,
    KEY_COUNT
};

static const struct row {
    struct pack_key key;      // first: pack_map_key looks at it
    char text[KEY_TEXT_ROOM]; // the key again, so that as much can be copied at once
    enum kind kind;
    size_t offset; // in struct message
    uint64_t bound;
    const struct pack_key *names; // KIND_CHOICE
} rows[KEY_COUNT] = {
#define ROW(name, kind, member, bound)                                                             \
    { PACK_KEY(name), name, kind, offsetof(struct message, member), bound, NULL }
#define CHOICE(name, member, names)                                                                \
    {                                                                                              \
        PACK_KEY(name), name, KIND_CHOICE, offsetof(struct message, member),                       \
            sizeof(names) / sizeof *(names), names                                                 \
    }
    [KEY_V] = {.key = PACK_KEY("v"), .text = "v"},
    [KEY_TYPE] = CHOICE("type", type, type_names),
    [KEY_AS] = ROW("as", KIND_TEXT, as, AS_MAX),
    [KEY_WORKER] = ROW("worker", KIND_ID, worker, ID_MAX),
    [KEY_CREDIT] = ROW("credit", KIND_U32, credit, CREDIT_MAX),
    [KEY_SET] = ROW("set", KIND_TEXT, set, SET_MAX),
    [KEY_VERSION] = ROW("version", KIND_TEXT, version, VERSION_MAX),
    [KEY_ACKNOWLEDGE] = ROW("acknowledge", KIND_TEXT, acknowledge, LEVEL_MAX),
    [KEY_BROKERS] = ROW("brokers", KIND_U32, brokers, BROKERS_MAX),
    [KEY_RESERVED] = ROW("reserved", KIND_BOOL, reserved, 1),
    [KEY_LIBRARY] = ROW("library", KIND_U64, library, NUMBER_MAX),
    [KEY_LIBRARY_RUN] = ROW("library_run", KIND_TIME, library_run, NUMBER_MAX),
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
    [KEY_LEFT_OUT] = ROW("left_out", KIND_U64, left_out, NUMBER_MAX),
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
                                                           K(LEFT_OUT) | K(OLDEST_MS) |
                                                           K(READ_PERMILLE) | K(ENDED) |
                                                           K(REASON)},
    [MESSAGE_BATCH] = {K(SESSION) | POSITION | K(BODY), K(AS) | K(LOST)},
    [MESSAGE_ANSWER] = {K(SESSION) | POSITION | K(STATUS) | K(WINDOW), K(REASON) | K(WAIT_MS)},
    [MESSAGE_REFUSED] = {K(REASON), 0},
    [MESSAGE_READY] = {K(WORKER) | K(CREDIT), K(AS) | K(HELD) | K(SET) | K(VERSION) |
                                                  K(ACKNOWLEDGE) | K(BROKERS) | K(RESERVED) |
                                                  K(LIBRARY) | K(LIBRARY_RUN) | K(REASON)},
    [MESSAGE_JOB] = {K(JOB) | K(WHAT) | K(BRANCH),
                     K(GATEWAY) | K(SESSION) | K(SPOOL) | POSITION | K(LOST) | K(REASON) | K(BODY)},
    [MESSAGE_DONE] = {K(JOBS) | K(STATUS),
                      K(AS) | K(SESSION) | POSITION | K(REASON) | K(WAIT_MS) | K(DUE_MS)},
    [MESSAGE_GOODBYE] = {K(WORKER), K(AS)},
    [MESSAGE_DRAIN] = {0, K(AS) | K(WORKER)},
    [MESSAGE_STATUS] = {0, K(AS) | K(BODY)},
    [MESSAGE_RESERVE] = {0, K(WORKER)},
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

/// Enough for all of a message but its body and jobs.
enum { ENVELOPE_MAX = 2048 };

static uint8_t *put_bytes(uint8_t *at, const void *data, size_t size) {
    if (size > 0) memcpy(at, data, size);
    return at + size;
}

static uint8_t *put_text(uint8_t *at, const void *data, size_t size) {
    return put_bytes(pack_put_text_head(at, size), data, size);
}

static uint8_t *put_choice(uint8_t *at, const struct row *row, const void *member) {
    unsigned choice;
    memcpy(&choice, member, sizeof choice);
    assert(choice < row->bound);
    return put_text(at, row->names[choice].text, row->names[choice].size);
}

static uint8_t *put_value(uint8_t *at, const struct row *row, const void *member) {
    const struct bytes *bytes = member;
    switch (row->kind) {
    case KIND_U64:
    case KIND_TIME: // there, so it is not negative
        assert(*(const uint64_t *)member <= row->bound);
        return pack_put_whole(at, *(const uint64_t *)member);
    case KIND_U32:
        assert(*(const uint32_t *)member <= row->bound);
        return pack_put_whole(at, *(const uint32_t *)member);
    case KIND_BOOL:
        *at = *(const bool *)member ? 0xc3 : 0xc2;
        return at + 1;
    case KIND_ID:
        return put_text(at, member, strlen(((const struct id *)member)->text));
    case KIND_FIXED:
        return put_bytes(pack_put_bytes_head(at, row->bound), member, row->bound);
    case KIND_BYTES: // they follow, wherever they are
        assert(bytes->size <= row->bound);
        return pack_put_bytes_head(at, bytes->size);
    case KIND_TEXT:
        return put_text(at, bytes->data, text_size(*bytes, row->bound));
    case KIND_CHOICE:
        return put_choice(at, row, member);
    }
    return at;
}

static uint8_t *put_key(uint8_t *at, const struct row *row) {
    *at++ = (uint8_t)(0xa0 | row->key.size);
    memcpy(at, row->text, sizeof row->text);
    return at + row->key.size;
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

    const size_t begin = out->size;
    uint8_t envelope[ENVELOPE_MAX], *at = envelope;
    at = pack_put_map_head(at, 1 + (size_t)__builtin_popcountll(written));
    at = pack_put_whole(put_key(at, &rows[KEY_V]), PROTOCOL_VERSION);
    for (uint64_t set = written; set; set &= set - 1) {
        const struct row *row = &rows[first_key(set)];
        at = put_value(put_key(at, row), row, member(message, row));
        if (row->kind != KIND_BYTES) continue;
        const struct bytes *bytes = member(message, row);
        buffer_put(out, envelope, (size_t)(at - envelope));
        buffer_put(out, bytes->data, bytes->size);
        at = envelope;
    }
    buffer_put(out, envelope, (size_t)(at - envelope));
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
        const struct pack_key *name = &row->names[choice];
        if (text.size != name->size || memcmp(text.data, name->text, text.size) != 0) continue;
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

static enum err read_key(struct reader *value, enum key key, struct message *message,
                         struct problem *problem) {
    return read_value(value, &rows[key], (char *)message + rows[key].offset, problem);
}

static enum err require(uint64_t found, uint64_t keys, const struct message *message,
                        struct problem *problem) {
    uint64_t missing = keys & ~found;
    if (!missing) return ERR_NONE;
    return problem_set(problem, ERR_FORMAT, "%s: key %s is missing", type_names[message->type].text,
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
    return read_key(&values[KEY_TYPE], KEY_TYPE, message, problem);
}

/// A message that is being read. What comes before version and type is only remembered.
struct reading {
    struct message *message;
    struct problem *problem;
    enum err err;             // the first one
    uint64_t wanted, waiting; // keys that mean something; those of `values`
    struct reader values[KEY_COUNT];
};

static void head_came(struct reading *reading, uint64_t found) {
    struct message *message = reading->message;
    reading->err = read_head(reading->values, found, message, reading->problem);
    if (reading->err) return;
    reading->wanted = shapes[message->type].required | shapes[message->type].optional;
    for (uint64_t set = reading->waiting & reading->wanted; set && !reading->err; set &= set - 1)
        reading->err =
            read_key(&reading->values[first_key(set)], first_key(set), message, reading->problem);
}

/// false: where the value ends cannot be told.
static bool value_came(struct reading *reading, struct reader *frame, enum key key,
                       uint64_t found) {
    const struct reader value = *frame;
    if (reading->wanted >> key & 1 && !reading->err) {
        reading->err = read_key(frame, key, reading->message, reading->problem);
        if (!reading->err) return true;
        *frame = value;
    }
    if (!pack_skip(frame, PACK_DEPTH_MAX - 1)) return false;
    if (reading->wanted) return true;
    reading->values[key] = (struct reader){.at = value.at, .end = frame->at};
    reading->waiting |= UINT64_C(1) << key & ~(K(V) | K(TYPE));
    if (key <= KEY_TYPE && (found & K(V)) && (found & K(TYPE))) head_came(reading, found);
    return true;
}

static bool read_map(struct reading *reading, struct reader *frame, uint64_t *found) {
    struct pack_map map;
    if (!pack_map_begin(frame, &map)) return false;
    while (map.left > 0) {
        size_t row;
        if (!pack_map_key(frame, &map, rows, sizeof rows[0], KEY_COUNT, &row)) return false;
        bool taken = row == PACK_UNKNOWN ? pack_skip(frame, PACK_DEPTH_MAX - 1)
                                         : value_came(reading, frame, (enum key)row, map.found);
        if (!taken) return false;
        if (reading->wanted) map.likely = reading->wanted;
    }
    *found = map.found;
    return true;
}

enum err message_decode(struct reader *frame, struct message *message, struct problem *problem) {
    if (reader_left(frame) == 0) return ERR_END;
    *message = (struct message){.due_ms = -1, .library_run = -1, .oldest_ms = TIME_NONE};
    struct reading reading;
    reading.message = message;
    reading.problem = problem;
    reading.err = ERR_NONE;
    reading.wanted = reading.waiting = 0;
    uint64_t found;
    if (!read_map(&reading, frame, &found)) {
        reader_take(frame, reader_left(frame)); // where the next message begins is not known
        return problem_set(problem, ERR_FORMAT,
                           "not a message: one MessagePack map with distinct short text keys");
    }
    if (reading.err) return reading.err;
    if (!reading.wanted) return read_head(reading.values, found, message, problem);
    found &= reading.wanted; // others mean nothing here
    enum err err = require(found, required_keys(message), message, problem);
    if (err) return err;
    message->has_spool = found & K(SPOOL);
    message->job_count = message->jobs.size / sizeof(uint64_t);
    return check(message, problem);
}
