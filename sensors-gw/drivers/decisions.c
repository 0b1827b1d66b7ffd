// The decisions driver: what people of the office decided, from the file that `tresenctl confirm`,
// `excuse`, `dispute` and `withdraw` append to. One JSON object a line:
//
//   {"encounter": "A017", "counter": "desk-1", "began": T, "standard": "wait.within",
//    "decision": "excuse", "decided": T, "by": "e.richter", "why": "fire drill"}
//
//   T        milliseconds since 1970
//   cursor   how many bytes of the file have been handed over
//
// The file is looked at again and again; it need not be there yet. A line without its end is still
// being written.

#include "common/base/bytes.h"
#include "sensors-gw/drivers/driver.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { LINE_SIZE = 4096 };

struct decisions_settings {
    char path[PATH_SIZE];
    bool follow;
    uint64_t poll_ms;
};

static const struct setting rows[] = {
    SETTING_PATH(struct decisions_settings, path, "",
                 "The file of decisions, as tresenctl's decisions_dir and the branch name it: "
                 "decisions/BRANCH.jsonl."),
    SETTING_BOOL(struct decisions_settings, follow, true,
                 "Look at the file again and again. false: end with what is in it now."),
    SETTING_U64(struct decisions_settings, poll_ms, 500, 10, 60000,
                "Milliseconds between two looks at the file."),
    SETTINGS_END};

struct decisions {
    const struct decisions_settings *settings;
    uint64_t read; // bytes handed over
    uint64_t size; // of the file, as last seen
};

static bool text_of(const json_t *map, const char *key,
                    bool (*valid)(const char *text, size_t size), char *out) {
    const json_t *value = json_object_get(map, key);
    size_t size = json_string_length(value);
    if (!json_is_string(value) || !valid(json_string_value(value), size)) return false;
    memcpy(out, json_string_value(value), size + 1);
    return true;
}

static bool time_of(const json_t *map, const char *key, int64_t *at_ms) {
    const json_t *value = json_object_get(map, key);
    *at_ms = json_integer_value(value);
    return json_is_integer(value) && time_plausible(*at_ms);
}

static bool decision_read(const char *line, size_t size, struct decision *decision) {
    json_t *map = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *kind = json_object_get(map, "decision");
    *decision = (struct decision){0};
    bool read =
        text_of(map, "encounter", name_valid, decision->encounter.text) &&
        text_of(map, "standard", name_valid, decision->standard.text) &&
        text_of(map, "counter", id_valid, decision->counter.text) &&
        text_of(map, "by", name_valid, decision->by.text) &&
        text_of(map, "why", decision_reason_valid, decision->reason) &&
        time_of(map, "began", &decision->began_ms) &&
        time_of(map, "decided", &decision->decided_ms) && json_is_string(kind) &&
        decision_kind_parse(json_string_value(kind), json_string_length(kind), &decision->kind);
    json_decref(map);
    return read;
}

static void hand_over(struct decisions *decisions, struct driver_turn *turn, const char *line,
                      size_t size) {
    struct decision decision;
    if (decision_read(line, size, &decision)) {
        batching_decision(turn->source, &decision);
        return;
    }
    batching_oddity(turn->source, "bad_decision");
    if (turn->remark.text[0] == '\0')
        problem_set(&turn->remark, ERR_FORMAT, "%s: at byte %llu: not a decision; left out",
                    decisions->settings->path, (unsigned long long)decisions->read);
}

/// The lines that are whole, as many as the turn takes. ERR_NONE: there may be more.
static enum err read_lines(struct decisions *decisions, FILE *file, struct driver_turn *turn,
                           struct problem *problem) {
    char line[LINE_SIZE];
    const char *path = decisions->settings->path;
    if (fseeko(file, 0, SEEK_END)) return problem_set(problem, ERR_IO, "%s: cannot be read", path);
    decisions->size = (uint64_t)ftello(file);
    if (decisions->size < decisions->read)
        return problem_set(problem, ERR_CONFLICT,
                           "%s is shorter than what was read of it: bring the whole file back",
                           path);
    for (uint32_t i = 0; i < turn->budget; i++) {
        if (fseeko(file, (off_t)decisions->read, SEEK_SET))
            return problem_set(problem, ERR_IO, "%s: cannot be read", path);
        size_t size = fread(line, 1, sizeof line, file);
        const char *end = memchr(line, '\n', size);
        if (!end && size < sizeof line) return ERR_AGAIN; // it is still being written
        if (end) size = (size_t)(end - line) + 1;
        if (size > 1) hand_over(decisions, turn, line, size);
        decisions->read += size;
    }
    return ERR_NONE;
}

static enum err decisions_turn(void *state, struct driver_turn *turn, struct problem *problem) {
    struct decisions *decisions = state;
    enum err err = ERR_AGAIN;
    FILE *file = fopen(decisions->settings->path, "r");
    if (!file && errno != ENOENT)
        return problem_set(problem, ERR_IO, "%s: %s", decisions->settings->path, strerror(errno));
    if (file) {
        err = read_lines(decisions, file, turn, problem);
        fclose(file);
    }
    turn->cursor.size = sizeof decisions->read;
    memcpy(turn->cursor.bytes, &decisions->read, sizeof decisions->read);
    if (err != ERR_AGAIN) return err;
    if (!decisions->settings->follow) return ERR_END;
    turn->wake_ms = turn->now_ms + decisions->settings->poll_ms;
    return ERR_AGAIN;
}

static enum err decisions_open(void *state, const struct driver_context *context,
                               const struct cursor *cursor, struct problem *problem) {
    struct decisions *decisions = state;
    decisions->settings = context->settings;
    if (decisions->settings->path[0] == '\0')
        return problem_set(problem, ERR_MISSING, "path: name the file of decisions");
    if (cursor->size == 0) return ERR_NONE;
    if (cursor->size != sizeof decisions->read)
        return problem_set(problem, ERR_CONFLICT,
                           "the spool holds the place of another driver; begin with a new one");
    memcpy(&decisions->read, cursor->bytes, sizeof decisions->read);
    return ERR_NONE;
}

static uint32_t decisions_progress(const void *state) {
    const struct decisions *decisions = state;
    return decisions->size ? (uint32_t)(decisions->read * 1000 / decisions->size) : 1000;
}

static void decisions_close(void *state) {
    (void)state;
}

const struct driver driver_decisions = {
    .name = "decisions",
    .text = "what people decide with tresenctl confirm, excuse, dispute and withdraw: the office",
    .state_size = sizeof(struct decisions),
    .settings_size = sizeof(struct decisions_settings),
    .settings = rows,
    .open = decisions_open,
    .read = decisions_turn,
    .progress = decisions_progress,
    .close = decisions_close,
};
