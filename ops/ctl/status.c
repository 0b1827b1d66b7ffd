// tresenctl status

#include "ops/ctl/broker_link.h"
#include "ops/ctl/card.h"

#include <string.h>

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

/// Whether those who work judge by the same.
static bool standards_differ(const json_t *workers) {
    const char *first = NULL;
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) {
        const char *standards = json_string_value(json_object_get(worker, "set"));
        if (!json_is_true(json_object_get(worker, "ready")) || !standards) continue;
        if (first && strcmp(first, standards) != 0) return true;
        first = standards;
    }
    return false;
}

static void print_workers(const json_t *workers) {
    const json_t *worker;
    char text[32];
    size_t i;
    printf("\n%-20s %8s %8s  %-12s %-8s %-18s %-11s %s\n", "worker", "credit", "assigned", "heard",
           "version", "standards", "acknowledge", "state");
    json_array_foreach(workers, i, worker) {
        const char *state = json_is_true(json_object_get(worker, "draining")) ? "draining"
                            : json_is_true(json_object_get(worker, "ready"))  ? "ready"
                                                                              : "silent or gone";
        printf("%-20s %8lld %8lld  %-12s %-8s %-18s %-11s %s\n", standard_text(worker, "worker"),
               number(worker, "credit"), number(worker, "assigned"), ago(worker, "heard_ms", text),
               standard_text(worker, "version"), standard_text(worker, "set"),
               standard_text(worker, "acknowledge"), state);
        const char *trouble = json_string_value(json_object_get(worker, "trouble"));
        if (trouble) printf("%-20s %s\n", "", trouble);
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
        printf("%s/%s brings again what the store lost: %lld of %lld batches (%lld %%)\n",
               standard_text(gateway, "branch"), standard_text(gateway, "gateway"), again, all,
               100 * again / all);
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

static void print_status(const json_t *status) {
    const json_t *oldest = json_object_get(status, "oldest_unfinished_ms");
    printf("broker %s, up %.0f s", standard_text(status, "version"),
           (double)number(status, "uptime_ms") / 1000);
    if (json_is_integer(oldest))
        printf(", oldest unfinished batch %.1f s", (double)json_integer_value(oldest) / 1000);
    else
        printf(", no unfinished batch");
    putchar('\n');
    print_workers(json_object_get(status, "workers"));
    if (json_is_true(json_object_get(status, "standards_differ")))
        printf("the workers judge by different standards: see tresenctl standards published\n");
    print_gateways(json_object_get(status, "gateways"));
    print_rewinds(json_object_get(status, "gateways"));
    print_refused(json_object_get(status, "refused"));
    if (json_is_true(json_object_get(status, "truncated")))
        printf("\nthe lists were too long for one answer and are cut\n");
}

int ctl_status(struct ctl *ctl) {
    json_t *status = broker_status(ctl);
    if (!status) return CTL_FAILED;
    bool differ = standards_differ(json_object_get(status, "workers"));
    json_object_set_new(status, "standards_differ", json_boolean(differ));
    if (ctl->json) return ctl_print_json(status);
    print_status(status);
    json_decref(status);
    return CTL_OK;
}
