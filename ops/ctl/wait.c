// tresenctl wait BRANCH... [--seconds N]

#include "ops/ctl/broker_link.h"
#include "ops/ctl/card.h"
#include "ops/ctl/progress.h"
#include "worker/store/state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 150 };

/// How far the recordings are: sums over the gateways of the branches.
struct progress {
    long long gateways, ended, read_permille, spooled, held;
    long long queued;  // batches in broker and workers
    long long pending; // encounters that are not final
    bool done;
};

static long long number(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

static bool named(const struct ctl *ctl, const json_t *object) {
    for (int i = 0; i < ctl->count; i++)
        if (strcmp(standard_text(object, "branch"), ctl->arguments[i]) == 0) return true;
    return false;
}

/// false: of one of them a broker may know more that does not answer.
static bool add_gateways(const struct ctl *ctl, const json_t *status, struct progress *progress) {
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(status, "gateways"), i, item) {
        // The office plays no recording: people decide at any time.
        if (!named(ctl, item) || json_is_true(json_object_get(item, "office"))) continue;
        if (!brokers_know(status, item)) return false;
        const json_t *report = json_object_get(item, "report");
        progress->gateways++;
        progress->ended += json_is_true(json_object_get(report, "ended"));
        progress->read_permille += number(report, "read_permille");
        progress->spooled += number(report, "spooled");
        progress->held += number(report, "held");
    }
    json_array_foreach(json_object_get(status, "branches"), i, item) {
        if (named(ctl, item)) progress->queued += number(item, "queued") + number(item, "assigned");
    }
    return true;
}

/// Encounters of the branch that are not final yet; -1: said why not.
static long long pending(struct store_link *link, const char *branch) {
    redisReply *registry = store_key_ask(link, "GET", branch, "registry");
    redisReply *bytes = registry ? store_key_ask(link, "GET", branch, "state") : NULL;
    struct store_state state;
    long long sum = bytes ? 0 : -1;
    if (bytes && store_state_read(reply_bytes(registry), reply_bytes(bytes), &state) == ERR_NONE) {
        for (size_t i = 0; i < state.counter_count && sum >= 0; i++) {
            if (state.counters[i].first_ms == TIME_NONE) continue;
            redisReply *count =
                store_key_ask(link, "ZCARD", branch, "open:%s", state.counters[i].id.text);
            sum = count ? sum + count->integer : -1;
            if (count) freeReplyObject(count);
        }
        store_state_free(&state);
    }
    if (registry) freeReplyObject(registry);
    if (bytes) freeReplyObject(bytes);
    return sum;
}

static bool look(struct ctl *ctl, struct store_link *link, struct progress *progress) {
    *progress = (struct progress){0};
    json_t *status = brokers_status(ctl);
    bool known = status && add_gateways(ctl, status, progress);
    if (status && !known) brokers_tell(status);
    json_decref(status);
    if (!known) return false;
    for (int i = 0; i < ctl->count; i++) {
        long long count = pending(link, ctl->arguments[i]);
        if (count < 0) return false;
        progress->pending += count;
    }
    progress->done = progress->gateways > 0 && progress->ended == progress->gateways &&
                     progress->held == 0 && progress->queued == 0 && progress->pending == 0;
    return true;
}

static void draw(const struct progress *progress) {
    long long all = progress->gateways ? progress->gateways * 1000 : 1;
    long long applied = progress->spooled - progress->held;
    // Reading is half of the way, applying the other half.
    double share =
        (double)progress->read_permille / (double)all *
        (0.5 + 0.5 * (progress->spooled ? (double)applied / (double)progress->spooled : 0));
    progress_draw(share, "%lld of %lld batches applied, %lld encounters open", applied,
                  progress->spooled, progress->pending);
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int watch(struct ctl *ctl, struct store_link *link, double give_up_s) {
    struct progress progress;
    bool bar = !ctl->json && isatty(STDERR_FILENO);
    int misses = 0; // a program that is just being restarted may not answer
    for (;;) {
        if (look(ctl, link, &progress))
            misses = 0;
        else if (++misses == 20)
            return CTL_FAILED;
        else
            progress.done = false;
        if (bar && misses == 0) draw(&progress);
        if (progress.done || now_s() > give_up_s) break;
        usleep(LOOK_MS * 1000);
    }
    if (bar) fputc('\n', stderr);
    if (ctl->json)
        ctl_print_json(json_pack("{s:b, s:I, s:I, s:I}", "done", (int)progress.done, "spooled",
                                 (json_int_t)progress.spooled, "held", (json_int_t)progress.held,
                                 "pending", (json_int_t)progress.pending));
    if (progress.done) return CTL_OK;
    return ctl_fail("not done in time: %lld of %lld gateways ended, %lld batches held, %lld "
                    "encounters open; see tresenctl status",
                    progress.ended, progress.gateways, progress.held, progress.pending);
}

int ctl_wait(struct ctl *ctl) {
    double give_up_s;
    if (!ctl_seconds(ctl, &give_up_s)) return CTL_FAILED;
    give_up_s += now_s();
    for (int i = 0; i < ctl->count; i++)
        if (!id_valid(ctl->arguments[i], strlen(ctl->arguments[i])))
            return ctl_fail("%s is no name of a branch", ctl->arguments[i]);
    struct store_link *link = store_link_open(ctl);
    if (!link) return CTL_FAILED;
    int status = watch(ctl, link, give_up_s);
    store_link_close(link);
    return status;
}
