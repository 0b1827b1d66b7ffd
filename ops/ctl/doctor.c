// tresenctl doctor: whether Redis is set as it has to be, and broker and workers are well.

#include "ops/ctl/doctor.h"
#include "ops/ctl/broker_link.h"
#include "ops/ctl/brokers.h"
#include "ops/ctl/json_text.h"

#include <string.h>

void doctor_note(json_t *checks, const char *check, const char *value, const char *problem,
                 const char *way_out) {
    json_array_append_new(checks, json_pack("{s:s, s:s%, s:s?, s:s?}", "check", check, "value",
                                            value, strlen(value), "problem", problem, "way_out",
                                            problem ? way_out : NULL));
}

/// Each once, however many brokers it serves.
static void see_workers(json_t *checks, const json_t *workers) {
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) {
        const char *trouble = json_string_value(json_object_get(worker, "trouble"));
        if (trouble && json_is_true(json_object_get(worker, "ready")) &&
            !brokers_worker_before(workers, i))
            doctor_note(checks, "worker", standard_text(worker, "worker"), trouble,
                        "see the worker's log for what it asks for");
    }
}

/// Whether anybody works for this broker, which answers.
static void see_served(json_t *checks, const json_t *workers, const char *broker) {
    const json_t *worker;
    size_t i, ready = 0;
    json_array_foreach(workers, i, worker) ready +=
        json_is_true(json_object_get(worker, "ready")) &&
        strcmp(standard_text(worker, "broker"), broker) == 0;
    char value[SETTING_TEXT_SIZE + 32];
    snprintf(value, sizeof value, "%zu at %s", ready, broker);
    doctor_note(checks, "workers ready", value, ready ? NULL : "no worker serves this broker",
                "start one; its `brokers` and key have to be this broker's");
}

/// What whoever is told may rely on; of several levels the strictest is needed.
static void see_promises(json_t *checks, const json_t *workers, struct promised *promised) {
    const char *first = NULL;
    bool differ = false;
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) {
        const char *level = standard_text(worker, "acknowledge");
        if (!json_is_true(json_object_get(worker, "ready"))) continue;
        promised->fsync |= strcmp(level, "fsync") == 0;
        promised->replicated |= strcmp(level, "replicated") == 0;
        int64_t library = json_integer_value(json_object_get(worker, "library"));
        if (library > promised->library) promised->library = library;
        differ |= first && strcmp(first, level) != 0;
        first = first ? first : level;
    }
    if (first)
        doctor_note(checks, "acknowledge", first,
                    differ ? "the workers acknowledge at different levels" : NULL,
                    "set acknowledge to the same for all workers");
}

static void see_broker(const struct ctl *ctl, json_t *checks, struct promised *promised) {
    json_t *status = brokers_status(ctl);
    const json_t *workers = json_object_get(status, "workers"), *one;
    const struct setting_texts *endpoints = &ctl->settings.control_endpoint;
    for (size_t k = 0; k < endpoints->count; k++) {
        const json_t *broker = json_array_get(json_object_get(status, "brokers"), k);
        bool answers = json_is_true(json_object_get(broker, "answers"));
        doctor_note(checks, "broker", endpoints->items[k],
                    answers ? NULL : "the broker does not answer there",
                    "start it on this machine, or set control_endpoint to that of its settings");
        if (answers) see_served(checks, workers, endpoints->items[k]);
    }
    if (!status) return;
    see_workers(checks, workers);
    see_promises(checks, workers, promised);
    size_t i;
    json_array_foreach(json_object_get(status, "refused"), i, one) doctor_note(
        checks, "refused", standard_text(one, "who"), standard_text(one, "reason"),
        "if it is one of yours, put its .pub into the broker's keys_dir, and name it in "
        "the branch's file");
    json_decref(status);
}

static void print(const json_t *checks) {
    const json_t *check;
    size_t i;
    json_array_foreach(checks, i, check) {
        const char *problem = json_string_value(json_object_get(check, "problem"));
        printf("%-8s %-26s %s\n", problem ? "PROBLEM" : "ok", standard_text(check, "check"),
               standard_text(check, "value"));
        if (problem) printf("%9s%s: %s\n", "", problem, standard_text(check, "way_out"));
    }
}

int ctl_doctor(struct ctl *ctl) {
    json_t *checks = json_array();
    struct promised promised = {0};
    see_broker(ctl, checks, &promised);
    doctor_redis(ctl, checks, &promised);
    const json_t *check;
    size_t i, problems = 0;
    json_array_foreach(checks, i, check) if (json_is_string(json_object_get(check, "problem")))
        problems++;
    if (!ctl->json) {
        print(checks);
        json_decref(checks);
        if (problems) return ctl_fail("%zu problems", problems);
        return CTL_OK;
    }
    int printed = ctl_print_json(json_pack("{s:b, s:o}", "fine", problems == 0, "checks", checks));
    return problems ? CTL_FAILED : printed;
}
