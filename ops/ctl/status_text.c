#include "ops/ctl/status_text.h"

#include "ops/ctl/brokers.h"
#include "ops/ctl/json_text.h"

#include <stdbool.h>
#include <stdio.h>

static long long number(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

/// "3.2 s ago" or "never".
static const char *ago(const json_t *object, const char *key, char text[32]) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) return "never";
    snprintf(text, 32, "%.1f s ago", (double)json_integer_value(value) / 1000);
    return text;
}

/// Revision of the function library that a worker brings; "-": of a version that does not say.
static const char *library(const json_t *worker, char text[24]) {
    if (number(worker, "library") == 0) return "-";
    snprintf(text, 24, "%lld", number(worker, "library"));
    return text;
}

bool library_is_older(const json_t *worker) {
    return json_is_true(json_object_get(worker, "ready")) &&
           json_is_integer(json_object_get(worker, "library_run")) &&
           number(worker, "library_run") < number(worker, "library");
}

/// Redis runs an older library than one of them brings: it may not load it, or does so just now.
static void print_older_library(const json_t *workers) {
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) {
        if (library_is_older(worker) && !brokers_worker_before(workers, i))
            printf("Redis runs revision %lld of the function library, %s brings %lld: see its log, "
                   "or what stands below it, for why it is not loaded\n",
                   number(worker, "library_run"), standard_text(worker, "worker"),
                   number(worker, "library"));
    }
}

/// " at ENDPOINT" where there are several brokers.
static const char *at(const json_t *entry, bool several, char text[160]) {
    text[0] = '\0';
    if (several) snprintf(text, 160, " at %s", standard_text(entry, "broker"));
    return text;
}

static void print_broker(const json_t *broker, bool several) {
    const json_t *oldest = json_object_get(broker, "oldest_unfinished_ms");
    char where[160];
    printf("broker %s%s, up %.0f s", standard_text(broker, "version"), at(broker, several, where),
           (double)number(broker, "uptime_ms") / 1000);
    if (json_is_integer(oldest))
        printf(", oldest unfinished batch %.1f s\n", (double)json_integer_value(oldest) / 1000);
    else
        printf(", no unfinished batch\n");
}

/// One that does not answer says nothing of its gateways.
static void print_brokers(const json_t *brokers) {
    const json_t *broker;
    size_t i;
    json_array_foreach(brokers, i, broker) {
        if (json_is_true(json_object_get(broker, "answers")))
            print_broker(broker, true);
        else
            printf("broker at %s: not answering\n", standard_text(broker, "broker"));
    }
}

static void print_workers(const json_t *workers, bool several) {
    const json_t *worker;
    char text[32], where[160], revision[24];
    size_t i;
    printf("\n%-20s %8s %8s  %-12s %-8s %-7s %-18s %-11s %s\n", "worker", "credit", "assigned",
           "heard", "version", "library", "standards", "acknowledge", "state");
    json_array_foreach(workers, i, worker) {
        const char *state = json_is_true(json_object_get(worker, "draining")) ? "draining"
                            : json_is_true(json_object_get(worker, "ready"))  ? "ready"
                                                                              : "silent or gone";
        printf("%-20s %8lld %8lld  %-12s %-8s %-7s %-18s %-11s %s%s\n",
               standard_text(worker, "worker"), number(worker, "credit"),
               number(worker, "assigned"), ago(worker, "heard_ms", text),
               standard_text(worker, "version"), library(worker, revision),
               standard_text(worker, "set"), standard_text(worker, "acknowledge"), state,
               at(worker, several, where));
        const char *trouble = json_string_value(json_object_get(worker, "trouble"));
        if (trouble) printf("%-20s %s\n", "", trouble);
    }
}

/// Beside a worker that several brokers share, one whose version cannot be reserved.
static void print_unreserved(const json_t *workers) {
    const json_t *worker;
    bool shared = false;
    size_t i;
    json_array_foreach(workers, i, worker) shared = shared || number(worker, "brokers") > 1;
    json_array_foreach(workers, i, worker) {
        if (!shared || !json_is_true(json_object_get(worker, "ready"))) continue;
        if (number(worker, "brokers") == 0 && !brokers_worker_before(workers, i))
            printf("%s is of a version that no broker can reserve: a batch may be blamed for what "
                   "another broker's did; drain it and start the present version\n",
                   standard_text(worker, "worker"));
    }
}

static void print_gateways(const json_t *gateways) {
    const json_t *gateway;
    char text[32];
    size_t i;
    printf("\n%-32s %-10s %-12s %6s %10s %10s %8s %8s %6s\n", "gateway", "connected", "heard",
           "epoch", "position", "spooled", "held", "dropped", "read");
    json_array_foreach(gateways, i, gateway) {
        const json_t *report = json_object_get(gateway, "report");
        char name[80];
        snprintf(name, sizeof name, "%s/%s", standard_text(gateway, "branch"),
                 standard_text(gateway, "gateway"));
        printf("%-32s %-10s %-12s %6lld %10lld", name,
               json_is_true(json_object_get(gateway, "connected")) ? "yes" : "no",
               ago(gateway, "heard_ms", text), number(gateway, "epoch"),
               number(gateway, "position"));
        if (json_is_object(report))
            printf(" %10lld %8lld %8lld %4.0f %%%s", number(report, "spooled"),
                   number(report, "held"), number(report, "dropped"),
                   (double)number(report, "read_permille") / 10,
                   json_is_true(json_object_get(report, "ended")) ? " ended" : "");
        putchar('\n');
        const char *trouble = json_string_value(json_object_get(gateway, "trouble"));
        if (trouble) printf("%-32s failed: %s\n", "", trouble);
    }
}

/// Which gateways bring again what the store had and lost, and how far they are.
static void print_rewinds(const json_t *gateways) {
    const json_t *gateway;
    size_t i;
    json_array_foreach(gateways, i, gateway) {
        const json_t *rewind = json_object_get(gateway, "rewind");
        if (!json_is_object(rewind)) continue;
        long long again = number(rewind, "again");
        long long all = number(rewind, "to") - number(rewind, "from");
        printf("\n%s/%s: Redis lost batches %lld to %lld; %lld of %lld are back from the gateway's "
               "spool (%lld %%)\n",
               standard_text(gateway, "branch"), standard_text(gateway, "gateway"),
               number(rewind, "from") + 1, number(rewind, "to"), again, all, 100 * again / all);
    }
}

static void print_refused(const json_t *refused) {
    const json_t *refusal;
    char text[32];
    size_t i;
    if (json_array_size(refused) == 0) {
        printf("\nno peer was refused\n");
        return;
    }
    printf("\nrefused peers\n");
    json_array_foreach(refused, i, refusal) {
        printf("  %s: %s (%lld times, last %s)\n", standard_text(refusal, "who"),
               standard_text(refusal, "reason"), number(refusal, "count"),
               ago(refusal, "last_ms", text));
    }
}

void status_print(const json_t *status) {
    const json_t *brokers = json_object_get(status, "brokers");
    bool several = json_array_size(brokers) > 1;
    if (several)
        print_brokers(brokers);
    else
        print_broker(status, false);
    print_workers(json_object_get(status, "workers"), several);
    if (json_is_true(json_object_get(status, "standards_differ")))
        printf("the workers judge by different standards: see tresenctl standards published\n");
    print_older_library(json_object_get(status, "workers"));
    print_unreserved(json_object_get(status, "workers"));
    print_gateways(json_object_get(status, "gateways"));
    print_rewinds(json_object_get(status, "gateways"));
    print_refused(json_object_get(status, "refused"));
    if (json_is_true(json_object_get(status, "truncated")))
        printf("\nthe lists were too long for one answer and are cut\n");
}
