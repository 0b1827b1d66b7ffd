// tresenctl dead list | show | replay | drop: batches that could not be applied.

#include "common/io/clock.h"
#include "common/wire/body.h"
#include "ops/ctl/store_link.h"
#include "worker/catalogue/catalogue.h"
#include "worker/core/ingest.h"
#include "worker/store/record.h"
#include "worker/store/state.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_MAX = 16 << 20 };

/// What a letter's name says: GATEWAY:EPOCH:NUMBER.
struct entry {
    struct id gateway;
    unsigned long long epoch, number;
};

static bool entry_read(const char *text, struct entry *entry) {
    const char *colon = strchr(text, ':');
    int end = 0;
    return colon && id_set(&entry->gateway, text, (size_t)(colon - text)) &&
           sscanf(colon, ":%llu:%llu%n", &entry->epoch, &entry->number, &end) == 2 &&
           colon[end] == '\0' && entry->number > 0;
}

/// The letter's bytes lie in the reply, which is to be released. NULL: said why.
static redisReply *fetch(struct store_link *link, const char *branch, const char *name,
                         struct dead_letter *letter) {
    char key[ID_MAX + 16];
    snprintf(key, sizeof key, "t:{%s}:dead", branch);
    const struct bytes words[] = {bytes_of_text("HGET"), bytes_of_text(key), bytes_of_text(name)};
    redisReply *reply = store_ask(link, 3, words);
    if (!reply) return NULL;
    if (reply->type != REDIS_REPLY_STRING)
        ctl_fail("branch %s has no dead letter %s", branch, name);
    else if (dead_letter_read(reply_bytes(reply), letter))
        ctl_fail("the dead letter %s is damaged", name);
    else
        return reply;
    freeReplyObject(reply);
    return NULL;
}

static json_t *letter_json(const char *name, const struct dead_letter *letter) {
    char at[TIME_TEXT_SIZE];
    struct entry entry = {0};
    time_text(letter->at_ms, at);
    bool known = entry_read(name, &entry);
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s%, s:I}", "entry", name, "gateway",
                     known ? entry.gateway.text : "", "epoch", (json_int_t)entry.epoch, "number",
                     (json_int_t)entry.number, "at", at, "reason",
                     (const char *)letter->reason.data, letter->reason.size, "bytes",
                     (json_int_t)letter->body.size);
}

static void print_letter(const json_t *object) {
    const char *entry, *at, *reason;
    json_int_t bytes;
    if (json_unpack((json_t *)object, "{s:s, s:s, s:s, s:I}", "entry", &entry, "at", &at, "reason",
                    &reason, "bytes", &bytes) == 0)
        printf("%-32s %s %8lld bytes  %s\n", entry, at, (long long)bytes, reason);
}

/// Each is fetched alone: together they could be large.
static json_t *letters_json(struct store_link *link, const char *branch) {
    redisReply *names = store_key_ask(link, "HKEYS", branch, "dead");
    if (!names) return NULL;
    json_t *array = json_array();
    for (size_t i = 0; array && i < names->elements; i++) {
        struct dead_letter letter;
        redisReply *reply = fetch(link, branch, names->element[i]->str, &letter);
        if (reply) {
            json_array_append_new(array, letter_json(names->element[i]->str, &letter));
            freeReplyObject(reply);
        } else {
            json_decref(array);
            array = NULL;
        }
    }
    freeReplyObject(names);
    return array;
}

int ctl_dead_list(struct ctl *ctl) {
    const char *branch = ctl->arguments[0];
    if (!id_valid(branch, strlen(branch))) return ctl_fail("%s is no name of a branch", branch);
    struct store_link *link = store_link_open(ctl);
    json_t *array = link ? letters_json(link, branch) : NULL;
    store_link_close(link);
    if (!array) return CTL_FAILED;
    if (ctl->json) return ctl_print_json(array);
    const json_t *item;
    size_t i;
    json_array_foreach(array, i, item) print_letter(item);
    if (json_array_size(array) == 0) printf("branch %s has no dead letters\n", branch);
    json_decref(array);
    return CTL_OK;
}

/// One letter, and what it takes to apply it.
struct desk {
    struct ctl *ctl;
    const char *branch_name, *name;
    struct store_link *link;
    redisReply *reply; // the letter lies in it
    struct dead_letter letter;
    struct catalogue catalogue;
    struct arena arena;
    struct ingest *ingest;
};

static bool desk_open(struct ctl *ctl, struct desk *desk) {
    *desk = (struct desk){.ctl = ctl, .branch_name = ctl->arguments[0], .name = ctl->arguments[1]};
    if (!id_valid(desk->branch_name, strlen(desk->branch_name))) {
        ctl_fail("%s is no name of a branch", desk->branch_name);
        return false;
    }
    desk->link = store_link_open(ctl);
    if (desk->link) desk->reply = fetch(desk->link, desk->branch_name, desk->name, &desk->letter);
    return desk->reply != NULL;
}

static void desk_close(struct desk *desk) {
    ingest_free(desk->ingest);
    arena_fini(&desk->arena);
    catalogue_free(&desk->catalogue);
    if (desk->reply) freeReplyObject(desk->reply);
    store_link_close(desk->link);
}

/// The branch as config/ has it; NULL: said why.
static const struct branch *desk_branch(struct desk *desk) {
    static struct problems problems;
    struct id id;
    if (!catalogue_load(desk->ctl->settings.config_dir, &desk->catalogue, &problems)) {
        problems_print(&problems, stderr);
        return NULL;
    }
    const struct branch *branch = NULL;
    if (id_set(&id, desk->branch_name, strlen(desk->branch_name)))
        branch = branches_find(&desk->catalogue.branches, &id);
    if (!branch) ctl_fail("%s has no branch %s", desk->ctl->settings.config_dir, desk->branch_name);
    return branch;
}

/// Calls tell counters and gateways by their place: config/ must have them as the store does.
static bool same_places(const struct branch *branch, const struct store_state *state) {
    size_t counters = 0, gateways = 0;
    for (size_t i = 0; i < state->counter_count; i++)
        counters += state->counters[i].registered;
    for (size_t i = 0; i < state->gateway_count; i++)
        gateways += state->gateways[i].registered;
    if (counters != branch->counter_count || gateways != branch->gateway_count) return false;
    for (size_t i = 0; i < counters; i++)
        if (strcmp(state->counters[i].id.text, branch->counters[i].text) != 0) return false;
    for (size_t i = 0; i < gateways; i++)
        if (strcmp(state->gateways[i].id.text, branch->gateways[i].id.text) != 0) return false;
    return true;
}

/// What calls must name. false: said why not.
static bool configuration_of(struct desk *desk, const struct branch *branch, uint64_t *out) {
    struct store_state state;
    redisReply *registry = store_key_ask(desk->link, "GET", desk->branch_name, "registry");
    redisReply *bytes =
        registry ? store_key_ask(desk->link, "GET", desk->branch_name, "state") : NULL;
    bool read = bytes && !store_state_read(reply_bytes(registry), reply_bytes(bytes), &state);
    bool fine = read && (!branch || same_places(branch, &state));
    if (read) {
        *out = state.configuration;
        store_state_free(&state);
    }
    if (bytes && !read)
        ctl_fail("branch %s is not configured in the store, or by another version",
                 desk->branch_name);
    else if (read && !fine)
        ctl_fail("the store has other counters or gateways of branch %s than %s: start a worker "
                 "with this configuration first",
                 desk->branch_name, desk->ctl->settings.config_dir);
    if (registry) freeReplyObject(registry);
    if (bytes) freeReplyObject(bytes);
    return fine;
}

/// Read the body as a worker would today; *problem says why it still cannot be.
static enum err understand(struct desk *desk, const struct branch *branch, uint64_t configuration,
                           struct batch *batch, struct fold *fold, struct problem *problem) {
    struct ingest_limits limits = ingest_limits_default();
    struct body_oddities oddities = {0};
    struct entry entry;
    if (!entry_read(desk->name, &entry))
        return problem_set(problem, ERR_FORMAT, "its name is not GATEWAY:EPOCH:NUMBER");
    const struct branch_gateway *gateway = branch_gateway(branch, &entry.gateway);
    if (!gateway)
        return problem_set(problem, ERR_REFUSED, "the branch has no gateway %s any more",
                           entry.gateway.text);
    desk->ingest = ingest_new(&limits);
    if (!desk->ingest || arena_init(&desk->arena, BODY_ARENA_SIZE))
        return problem_set(problem, ERR_NOMEM, "out of memory");
    enum err err = body_decode(desk->letter.body, &desk->catalogue.measures.measures, &desk->arena,
                               batch, &oddities, problem);
    if (err) return err;
    struct envelope envelope = {.gateway = (uint8_t)(gateway - branch->gateways),
                                .epoch = entry.epoch,
                                .number = entry.number,
                                .tag = desk->letter.tag};
    ingest_begin(desk->ingest, branch, configuration);
    err = ingest_add(desk->ingest, &envelope, batch, &oddities, clock_utc_ms(), problem);
    if (err) return err;
    err = ingest_fold(desk->ingest, fold);
    return err ? problem_set(problem, err, "%s", err_name(err)) : ERR_NONE;
}

static int said_no(const struct desk *desk, enum store_status status) {
    if (status == STORE_LATER)
        return ctl_fail("branch %s is over its bytes (branch_bytes_max): try again later",
                        desk->branch_name);
    if (status == STORE_STALE)
        return ctl_fail("the dead letter %s was replayed or dropped by somebody else", desk->name);
    return ctl_fail("the store answers \"%s\": try again", store_status_name(status));
}

static int send_replay(struct desk *desk, const struct fold *fold) {
    struct buffer argument;
    struct replay_reply answer;
    buffer_init(&argument, CALL_MAX);
    call_replay(desk->name, fold, &argument);
    redisReply *reply =
        store_function(desk->link, "tresen_v1_replay", desk->branch_name, &argument);
    buffer_fini(&argument);
    if (!reply) return CTL_FAILED;
    enum err err = replay_reply_read(reply_bytes(reply), &answer);
    freeReplyObject(reply);
    if (err) return ctl_fail("the store's reply is not one");
    if (answer.head.status != STORE_OK) return said_no(desk, answer.head.status);
    if (desk->ctl->json)
        return ctl_print_json(json_pack(
            "{s:s, s:I, s:I, s:I}", "replayed", desk->name, "too_late_observations",
            (json_int_t)answer.too_late_observations, "too_late_facts",
            (json_int_t)answer.too_late_facts, "orphan_facts", (json_int_t)answer.orphan_facts));
    printf("%s is applied; too late were %u observations and %u facts, without encounter %u\n",
           desk->name, answer.too_late_observations, answer.too_late_facts, answer.orphan_facts);
    return CTL_OK;
}

int ctl_dead_replay(struct ctl *ctl) {
    struct desk desk;
    struct batch batch;
    struct fold fold;
    struct problem problem = {0};
    uint64_t configuration;
    int status = CTL_FAILED;
    const struct branch *branch = desk_open(ctl, &desk) ? desk_branch(&desk) : NULL;
    if (branch && configuration_of(&desk, branch, &configuration)) {
        if (understand(&desk, branch, configuration, &batch, &fold, &problem))
            ctl_fail("%s still cannot be applied: %s", desk.name, problem.text);
        else
            status = send_replay(&desk, &fold);
    }
    desk_close(&desk);
    return status;
}

static json_t *hex_json(struct bytes bytes) {
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * bytes.size + 1);
    if (!text) return json_null();
    for (size_t i = 0; i < bytes.size; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    json_t *json = json_stringn(text, 2 * bytes.size);
    free(text);
    return json;
}

int ctl_dead_show(struct ctl *ctl) {
    struct desk desk;
    struct batch batch = {0};
    struct fold fold;
    struct problem problem = {0};
    const struct branch *branch = desk_open(ctl, &desk) ? desk_branch(&desk) : NULL;
    json_t *json = branch ? letter_json(desk.name, &desk.letter) : NULL;
    if (json) {
        bool now = !understand(&desk, branch, 0, &batch, &fold, &problem);
        json_object_set_new(json, "applicable", json_boolean(now));
        json_object_set_new(json, "problem", json_string(problem.text));
        json_object_set_new(json, "series", json_integer((json_int_t)batch.series_count));
        json_object_set_new(json, "facts", json_integer((json_int_t)batch.fact_count));
        json_object_set_new(json, "body", hex_json(desk.letter.body));
    }
    desk_close(&desk);
    if (!json) return CTL_FAILED;
    if (ctl->json) return ctl_print_json(json);
    print_letter(json);
    if (json_is_true(json_object_get(json, "applicable")))
        printf("today it could be applied: %zu series, %zu facts\n", batch.series_count,
               batch.fact_count);
    else
        printf("today it could not be applied either: %s\n", problem.text);
    printf("body %s\n", json_string_value(json_object_get(json, "body")));
    json_decref(json);
    return CTL_OK;
}

static int send_drop(struct desk *desk, uint64_t configuration) {
    struct buffer argument;
    struct reply head;
    buffer_init(&argument, CALL_MAX);
    call_drop(configuration, desk->name, &argument);
    redisReply *reply = store_function(desk->link, "tresen_v1_drop", desk->branch_name, &argument);
    buffer_fini(&argument);
    if (!reply) return CTL_FAILED;
    struct reader reader = reader_of(reply_bytes(reply));
    enum err err = reply_read(&reader, &head);
    freeReplyObject(reply);
    if (err) return ctl_fail("the store's reply is not one");
    if (head.status != STORE_OK) return said_no(desk, head.status);
    if (desk->ctl->json) return ctl_print_json(json_pack("{s:s}", "dropped", desk->name));
    printf("%s is gone for good; it stays counted\n", desk->name);
    return CTL_OK;
}

int ctl_dead_drop(struct ctl *ctl) {
    struct desk desk;
    uint64_t configuration;
    int status = CTL_FAILED;
    if (desk_open(ctl, &desk) && configuration_of(&desk, NULL, &configuration))
        status = send_drop(&desk, configuration);
    desk_close(&desk);
    return status;
}
