// tresenctl seal [BRANCH...] [--day DAY]: what is older than the retention goes, its sums stay.

#include "common/io/clock.h"
#include "ops/ctl/card.h"
#include "ops/ctl/local_day.h"
#include "worker/store/state.h"

#include <string.h>

enum { CALL_MAX = 256 };

/// The last day to seal: --day, or the one retention_days before today. false: not a day.
static bool last_day(const struct ctl *ctl, char day[DAY_TEXT_SIZE]) {
    char text[TIME_TEXT_SIZE];
    int64_t at_ms = clock_utc_ms() - (int64_t)ctl->settings.retention_days * DAY_MS;
    if (ctl->day) {
        int size = snprintf(text, sizeof text, "%sT00:00:00Z", ctl->day);
        if (time_parse(text, (size_t)size < sizeof text ? (size_t)size : 0, &at_ms)) return false;
    }
    time_text(at_ms, text);
    snprintf(day, DAY_TEXT_SIZE, "%.10s", text);
    return true;
}

/// What calls must name; 0: nothing has come from the branch yet. false: said why not.
static bool configuration_of(struct store_link *link, const char *branch, uint64_t *out) {
    redisReply *reply = store_key_ask(link, "GET", branch, "state");
    if (!reply) return false;
    struct reader reader = reader_of(reply_bytes(reply));
    *out = reader_u64(&reader);
    if (reader.failed) *out = 0;
    freeReplyObject(reply);
    return true;
}

/// A branch that is not configured any more may have been anywhere: there the day ends last.
static int64_t end_of(const struct branch *branch, const char *day) {
    static const int64_t always_ms[] = {INT64_MIN};
    static const int32_t last_s[] = {-12 * 3600};
    static const struct zone westernmost = {1, always_ms, last_s};
    const struct zone *zone = branch ? &branch->zone : &westernmost;
    int64_t begin_ms;
    return local_day_begin(zone, day, &begin_ms) ? local_next_midnight(zone, begin_ms) : -1;
}

/// One call. false: said why not.
static bool seal_day(struct store_link *link, const char *branch, uint64_t configuration,
                     const char *day, int64_t over_ms, struct seal_reply *answer) {
    struct buffer argument;
    buffer_init(&argument, CALL_MAX);
    call_seal(configuration, day, over_ms, &argument);
    redisReply *reply = store_function(link, "tresen_v1_seal", branch, &argument);
    buffer_fini(&argument);
    if (!reply) return false;
    enum err err = seal_reply_read(reply_bytes(reply), answer);
    freeReplyObject(reply);
    if (err) ctl_fail("the store's reply is not one");
    return !err;
}

/// Append what became of each day of the branch up to `last`. false: said why not.
static bool seal_branch(struct store_link *link, const struct branches *branches,
                        const char *branch, const char *last, json_t *out) {
    struct id id;
    bool named = id_set(&id, branch, strlen(branch));
    const struct branch *configured = named ? branches_find(branches, &id) : NULL;
    uint64_t configuration;
    if (!configuration_of(link, branch, &configuration)) return false;
    if (configuration == 0)
        return configured || ctl_fail("branch %s is neither in the configuration nor in the store",
                                      branch) == CTL_OK;
    json_t *days = card_days(link, branch, NULL);
    const json_t *item;
    size_t i;
    bool fine = days != NULL;
    json_array_foreach(days, i, item) {
        const char *day = json_string_value(item);
        struct seal_reply answer;
        if (!fine || strcmp(day, last) > 0) break;
        fine = seal_day(link, branch, configuration, day, end_of(configured, day), &answer);
        if (!fine || (answer.head.status == STORE_OK && answer.encounters == 0)) continue;
        json_array_append_new(out, json_pack("{s:s, s:s, s:b, s:I}", "branch", branch, "day", day,
                                             "sealed", answer.head.status == STORE_OK, "encounters",
                                             (json_int_t)answer.encounters));
    }
    json_decref(days);
    return fine;
}

static void print(const json_t *out) {
    const char *branch, *day;
    const json_t *item;
    json_int_t encounters;
    int sealed;
    size_t i;
    json_array_foreach(out, i, item) {
        if (json_unpack((json_t *)item, "{s:s, s:s, s:b, s:I}", "branch", &branch, "day", &day,
                        "sealed", &sealed, "encounters", &encounters))
            continue;
        if (sealed)
            printf("%s %s: %lld encounters are gone, their sums stay\n", branch, day,
                   (long long)encounters);
        else
            printf("%s %s: not yet, some encounter is not final or a gateway may still bring one\n",
                   branch, day);
    }
    if (json_array_size(out) == 0) printf("nothing is old enough\n");
}

/// Those named, or all of the configuration; one that fails keeps no other from being sealed.
static bool seal_all(const struct ctl *ctl, struct store_link *link,
                     const struct branches *branches, const char *last, json_t *out) {
    size_t count = ctl->count > 0 ? (size_t)ctl->count : branches->count;
    bool fine = true;
    for (size_t i = 0; i < count; i++) {
        const char *branch = ctl->count > 0 ? ctl->arguments[i] : branches->items[i].id.text;
        fine &= seal_branch(link, branches, branch, last, out);
    }
    return fine;
}

int ctl_seal(struct ctl *ctl) {
    char last[DAY_TEXT_SIZE];
    if (!last_day(ctl, last)) return ctl_fail("%s is no day: YYYY-MM-DD", ctl->day);
    for (int i = 0; i < ctl->count; i++)
        if (!id_valid(ctl->arguments[i], strlen(ctl->arguments[i])))
            return ctl_fail("%s is no name of a branch", ctl->arguments[i]);
    struct branches branches = {0};
    if (!local_branches(ctl, &branches)) return CTL_FAILED;
    struct store_link *link = store_link_open(ctl);
    json_t *out = json_array();
    bool fine = link && seal_all(ctl, link, &branches, last, out);
    store_link_close(link);
    branches_free(&branches);
    if (ctl->json) {
        ctl_print_json(out);
    } else {
        print(out);
        json_decref(out);
    }
    return fine ? CTL_OK : CTL_FAILED;
}
