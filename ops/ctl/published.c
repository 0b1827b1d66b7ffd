// tresenctl standards published: what all workers of all branches judge by.

#include "ops/ctl/published.h"

#include "worker/store/calls.h"

#include <stdlib.h>

void published_fini(struct published *published) {
    if (published->reply) freeReplyObject(published->reply);
}

static bool store_now(struct store_link *link, int64_t *now_ms) {
    const struct bytes words[] = {bytes_of_text("TIME")};
    redisReply *reply = store_ask(link, 1, words);
    bool fine = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;
    if (fine) *now_ms = atoll(reply->element[0]->str) * 1000 + atoll(reply->element[1]->str) / 1000;
    if (reply) freeReplyObject(reply);
    return fine;
}

bool published_read(struct store_link *link, struct published *out) {
    const struct bytes words[] = {bytes_of_text("HMGET"), bytes_of_text(EDITIONS_KEY),
                                  bytes_of_text("hash"), bytes_of_text("text")};
    if (!store_now(link, &out->now_ms)) return false;
    out->reply = store_ask(link, 4, words);
    if (!out->reply) return false;
    out->hash = reply_bytes(out->reply->element[0]);
    out->text = reply_bytes(out->reply->element[1]);
    return true;
}

struct editions *published_editions(const struct published *published) {
    struct editions *editions = NULL;
    struct problem problem = {0};
    if (published->hash.size == 0) {
        editions = calloc(1, sizeof *editions);
        if (!editions) ctl_fail("out of memory");
    } else if (editions_read(published->text, &editions, &problem)) {
        ctl_fail(
            "what is published cannot be read: %s; a newer tresenctl may, or delete " EDITIONS_KEY
            " in Redis: a worker puts back what it runs",
            problem.text);
    }
    return editions;
}

struct plans *published_plans(struct editions **editions, const struct catalogue *catalogue) {
    struct loading *loading =
        loading_new(editions, &catalogue->branches, &catalogue->measures.measures);
    struct plans *plans = NULL;
    static struct problems problems;
    problems = (struct problems){0};
    if (!loading)
        ctl_fail("out of memory");
    else if (loading_finish(loading, &problems))
        plans = loading_take(loading);
    else
        problems_print(&problems, stderr);
    loading_free(loading);
    return plans;
}

static json_t *edition_json(const struct edition *edition) {
    char from[DAY_TEXT_SIZE], at[TIME_TEXT_SIZE];
    size_t bytes = 0;
    for (size_t i = 0; i < edition->file_count; i++)
        bytes += edition->files[i].text.size;
    day_text(edition->from, from);
    time_text(edition->published_ms, at);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "from", from, "hash", edition->hash,
                     "published", at, "by", edition->by, "documents",
                     (json_int_t)edition->file_count, "bytes", (json_int_t)bytes);
}

static void print_published(const json_t *out) {
    const json_t *item;
    size_t i;
    const char *from, *hash, *at, *by;
    json_int_t documents;
    if (json_array_size(json_object_get(out, "editions")) == 0) {
        puts("nothing is published; workers judge by their config_dir");
        return;
    }
    printf("%-14s %-12s %-24s %9s  %s\n", "holds from", "hash", "published", "documents", "by");
    json_array_foreach(json_object_get(out, "editions"), i, item) {
        if (json_unpack((json_t *)item, "{s:s, s:s, s:s, s:s, s:I}", "from", &from, "hash", &hash,
                        "published", &at, "by", &by, "documents", &documents))
            continue;
        printf("%-14s %-12.12s %-24s %9lld  %s\n", *from ? from : "the beginning", hash, at,
               (long long)documents, by);
    }
    printf("workers that run them show standards %s in tresenctl status\n",
           json_string_value(json_object_get(out, "standards")));
}

int ctl_standards_published(struct ctl *ctl) {
    struct catalogue catalogue = {0};
    struct published published = {0};
    struct editions *editions = NULL;
    struct store_link *link = store_link_open(ctl);
    struct plans *plans = NULL;
    json_t *list = json_array();
    bool done =
        link && published_read(link, &published) && (editions = published_editions(&published));
    for (size_t i = 0; done && i < editions->count; i++)
        json_array_append_new(list, edition_json(&editions->items[i]));
    if (done && editions->count > 0) {
        plans = sets_load(ctl->settings.config_dir, &catalogue)
                    ? published_plans(&editions, &catalogue)
                    : NULL;
        done = plans != NULL;
    }
    json_t *out = json_pack("{s:o, s:s}", "editions", list, "standards", plans ? plans->hash : "");
    if (done && ctl->json)
        ctl_print_json(json_incref(out));
    else if (done)
        print_published(out);
    json_decref(out);
    plans_free(plans);
    editions_free(editions);
    published_fini(&published);
    catalogue_free(&catalogue);
    store_link_close(link);
    return done ? CTL_OK : CTL_FAILED;
}
