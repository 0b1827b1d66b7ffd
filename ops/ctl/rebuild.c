// tresenctl rebuild BRANCH [--from DAY]: the store forgets what the spools still hold whole, and
// the gateways bring it again.

#include "common/io/clock.h"
#include "ops/ctl/broker_link.h"
#include "ops/ctl/local_day.h"
#include "ops/ctl/store_link.h"
#include "worker/store/calls.h"
#include "worker/store/state.h"

#include <string.h>

enum { CALL_MAX = 256 };

/// A day and the moment at which it begins in the branch's time zone.
struct begin {
    char day[DAY_TEXT_SIZE];
    int64_t at_ms;
};

/// --from, but no day that the spools may hold in part only. false: said why not.
static bool begin_of(const struct ctl *ctl, const struct branch *branch, struct begin *begin) {
    int64_t oldest_ms = clock_utc_ms() - (int64_t)ctl->settings.spool_days * DAY_MS;
    int64_t whole_ms = local_next_midnight(&branch->zone, oldest_ms);
    begin->at_ms = whole_ms;
    if (ctl->from && !local_day_begin(&branch->zone, ctl->from, &begin->at_ms)) {
        ctl_fail("%s is no day: YYYY-MM-DD", ctl->from);
        return false;
    }
    time_day_text(&branch->zone, begin->at_ms, begin->day);
    if (begin->at_ms >= whole_ms) return true;
    time_day_text(&branch->zone, whole_ms, begin->day);
    ctl_fail("spools go back %llu days (spool_days): %s is the first day that they hold whole",
             (unsigned long long)ctl->settings.spool_days, begin->day);
    return false;
}

/// What a gateway that is gone has brought would be lost. false: said why not.
static bool all_are_here(const struct ctl *ctl, const struct store_state *state) {
    const char *branch = ctl->arguments[0];
    json_t *status = brokers_status(ctl);
    bool here = status != NULL;
    for (size_t i = 0; here && i < state->gateway_count; i++) {
        const struct store_gateway *gateway = &state->gateways[i];
        bool brought = gateway->registered && gateway->position.number > 0;
        const json_t *heard = brokers_gateway(status, branch, gateway->id.text);
        if (!brought || json_is_true(json_object_get(heard, "connected"))) continue;
        here = false;
        brokers_tell(status);
        ctl_fail("gateway %s/%s is connected to no broker that control_endpoint names and answers, "
                 "and could not bring its spool: start it first, or name its broker, too",
                 branch, gateway->id.text);
    }
    json_decref(status);
    return here;
}

/// 0: not configured, or some gateway is not connected; said so.
static uint64_t configuration_of(const struct ctl *ctl, struct store_link *link) {
    const char *branch = ctl->arguments[0];
    struct store_state state;
    uint64_t configuration = 0;
    redisReply *registry = store_key_ask(link, "GET", branch, "registry");
    redisReply *bytes = registry ? store_key_ask(link, "GET", branch, "state") : NULL;
    if (bytes && !store_state_read(reply_bytes(registry), reply_bytes(bytes), &state)) {
        if (all_are_here(ctl, &state)) configuration = state.configuration;
        store_state_free(&state);
    } else if (bytes) {
        ctl_fail("branch %s is not configured in the store", branch);
    }
    if (bytes) freeReplyObject(bytes);
    if (registry) freeReplyObject(registry);
    return configuration;
}

static int tell(const struct ctl *ctl, const struct begin *begin, const struct seal_reply *answer) {
    const char *branch = ctl->arguments[0];
    if (answer->head.status == STORE_STALE)
        return ctl_fail("%s or a later day is sealed: name the day after it by --from", begin->day);
    if (answer->head.status != STORE_OK)
        return ctl_fail("the store answers \"%s\": try again",
                        store_status_name(answer->head.status));
    if (ctl->json)
        return ctl_print_json(json_pack("{s:s, s:s, s:I}", "branch", branch, "from", begin->day,
                                        "encounters", (json_int_t)answer->encounters));
    printf("%s from %s on: %u encounters are gone until the gateways have brought them again, "
           "within seconds; tresenctl status shows how far they are\n",
           branch, begin->day, answer->encounters);
    return CTL_OK;
}

static int rebuild(struct ctl *ctl, struct store_link *link, const struct begin *begin) {
    uint64_t configuration = configuration_of(ctl, link);
    struct buffer argument;
    struct seal_reply answer;
    if (!configuration) return CTL_FAILED;
    buffer_init(&argument, CALL_MAX);
    call_rebuild(configuration, begin->day, begin->at_ms, &argument);
    redisReply *reply = store_function(link, "tresen_v1_rebuild", ctl->arguments[0], &argument);
    buffer_fini(&argument);
    if (!reply) return CTL_FAILED;
    enum err err = seal_reply_read(reply_bytes(reply), &answer);
    freeReplyObject(reply);
    return err ? ctl_fail("the store's reply is not one") : tell(ctl, begin, &answer);
}

int ctl_rebuild(struct ctl *ctl) {
    struct branches branches = {0};
    struct begin begin;
    struct id id;
    int result = CTL_FAILED;
    const struct branch *branch = NULL;
    if (!local_branches(ctl, &branches)) return CTL_FAILED;
    if (id_set(&id, ctl->arguments[0], strlen(ctl->arguments[0])))
        branch = branches_find(&branches, &id);
    if (!branch)
        ctl_fail("%s/branches has no branch %s", ctl->settings.config_dir, ctl->arguments[0]);
    if (branch && begin_of(ctl, branch, &begin)) {
        struct store_link *link = store_link_open(ctl);
        if (link) result = rebuild(ctl, link, &begin);
        store_link_close(link);
    }
    branches_free(&branches);
    return result;
}
