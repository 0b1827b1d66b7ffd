#include "ops/ctl/brokers.h"

#include "ops/ctl/json_text.h"

#include <string.h>

/// Numbers add up, in maps of them, too.
static void add_numbers(json_t *sum, const json_t *more) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)more, key, value) {
        json_t *before = json_object_get(sum, key);
        if (json_is_object(before))
            add_numbers(before, value);
        else if (json_is_integer(before))
            json_integer_set(before, json_integer_value(before) + json_integer_value(value));
        else
            json_object_set_new(sum, key, json_deep_copy(value));
    }
}

/// Append the entries of a list, each with the broker that says so.
static void add_entries(json_t *all, const json_t *status, const char *list, const char *broker) {
    json_t *into = json_object_get(all, list);
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(status, list), i, entry) {
        json_t *copy = json_copy((json_t *)entry);
        json_object_set_new(copy, "broker", json_string(broker));
        json_array_append_new(into, copy);
    }
}

static bool newer(const json_t *one, const json_t *other) {
    const json_t *heard = json_object_get(one, "heard_ms");
    const json_t *before = json_object_get(other, "heard_ms");
    if (!json_is_integer(heard)) return false;
    return !json_is_integer(before) || json_integer_value(heard) < json_integer_value(before);
}

/// The place of an entry in a list; its size: not there. Brokers of one registry have the same
/// order, so it is nearly always where the other had it.
static size_t place_of(const json_t *list, const json_t *entry, size_t likely) {
    const char *branch = standard_text(entry, "branch"), *gateway = standard_text(entry, "gateway");
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        size_t at = (likely + i) % count;
        const json_t *other = json_array_get(list, at);
        if (strcmp(standard_text(other, "branch"), branch) == 0 &&
            strcmp(standard_text(other, "gateway"), gateway) == 0)
            return at;
    }
    return count;
}

static void add_gateways(json_t *all, const json_t *status, const char *broker) {
    json_t *into = json_object_get(all, "gateways");
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(status, "gateways"), i, entry) {
        size_t at = place_of(into, entry, i);
        if (at < json_array_size(into) && !newer(entry, json_array_get(into, at))) continue;
        json_t *copy = json_copy((json_t *)entry);
        json_object_set_new(copy, "broker", json_string(broker));
        if (at < json_array_size(into))
            json_array_set_new(into, at, copy);
        else
            json_array_append_new(into, copy);
    }
}

static void add_branches(json_t *all, const json_t *status) {
    static const char *const sums[] = {"queued", "assigned", "bytes"};
    json_t *into = json_object_get(all, "branches");
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(status, "branches"), i, entry) {
        size_t at = place_of(into, entry, i);
        json_t *before = json_array_get(into, at);
        if (!before) {
            json_array_append_new(into, json_copy((json_t *)entry));
            continue;
        }
        json_t *sum = json_copy(before);
        for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) {
            json_int_t more = json_integer_value(json_object_get(entry, sums[k]));
            json_int_t had = json_integer_value(json_object_get(before, sums[k]));
            json_object_set_new(sum, sums[k], json_integer(had + more));
        }
        json_t *due = json_object_get(entry, "due_ms"), *worker = json_object_get(entry, "worker");
        if (json_integer_value(due) < json_integer_value(json_object_get(sum, "due_ms")))
            json_object_set(sum, "due_ms", due);
        if (json_is_null(json_object_get(sum, "worker"))) json_object_set(sum, "worker", worker);
        json_array_set_new(into, at, sum);
    }
}

/// The least or the most that any of them says.
static void take_number(json_t *all, const json_t *status, const char *key, bool least) {
    json_t *had = json_object_get(all, key), *value = json_object_get(status, key);
    json_int_t before = json_integer_value(had), now = json_integer_value(value);
    if (json_is_integer(value) && (!json_is_integer(had) || (least ? now < before : now > before)))
        json_object_set(all, key, value);
}

static void add_status(json_t *all, const json_t *status, const char *broker) {
    static const char *const words[] = {"version", "protocol"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!json_object_get(all, words[i]))
            json_object_set(all, words[i], json_object_get(status, words[i]));
    take_number(all, status, "uptime_ms", true);
    take_number(all, status, "oldest_unfinished_ms", false);
    add_entries(all, status, "workers", broker);
    add_gateways(all, status, broker);
    add_branches(all, status);
    add_entries(all, status, "refused", broker);
    add_numbers(json_object_get(all, "counters"), json_object_get(status, "counters"));
    if (json_is_true(json_object_get(status, "truncated")))
        json_object_set_new(all, "truncated", json_true());
}

static json_t *broker_json(const struct broker_answer *answer) {
    static const char *const keys[] = {"version", "protocol", "uptime_ms", "oldest_unfinished_ms"};
    json_t *object =
        json_pack("{s:s, s:b, s:s*}", "broker", answer->endpoint, "answers", answer->body != NULL,
                  "problem", answer->body ? NULL : answer->problem);
    for (size_t i = 0; answer->body && i < sizeof keys / sizeof *keys; i++)
        json_object_set(object, keys[i], json_object_get(answer->body, keys[i]));
    return object;
}

json_t *brokers_join(const struct broker_answer *answers, size_t count) {
    json_t *brokers = json_array();
    json_t *all = json_pack("{s:o, s:n, s:[], s:[], s:[], s:[], s:{}, s:b}", "brokers", brokers,
                            "oldest_unfinished_ms", "workers", "gateways", "branches", "refused",
                            "counters", "truncated", 0);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(brokers, broker_json(&answers[i]));
        if (!answers[i].body) continue;
        add_status(all, answers[i].body, answers[i].endpoint);
        any = true;
    }
    if (any) return all;
    json_decref(all);
    return NULL;
}

void broker_answers_free(struct broker_answer *answers, size_t count) {
    for (size_t i = 0; i < count; i++)
        json_decref(answers[i].body);
}

bool brokers_all_answer(const json_t *status) {
    const json_t *broker;
    size_t i;
    json_array_foreach(json_object_get(status, "brokers"), i, broker) {
        if (!json_is_true(json_object_get(broker, "answers"))) return false;
    }
    return status != NULL;
}

const json_t *brokers_gateway(const json_t *status, const char *branch, const char *gateway) {
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(status, "gateways"), i, item) {
        if (strcmp(standard_text(item, "branch"), branch) == 0 &&
            strcmp(standard_text(item, "gateway"), gateway) == 0)
            return item;
    }
    return NULL;
}

bool brokers_worker_before(const json_t *workers, size_t entry) {
    const char *name = standard_text(json_array_get(workers, entry), "worker");
    for (size_t i = 0; i < entry; i++) {
        const json_t *earlier = json_array_get(workers, i);
        if (json_is_true(json_object_get(earlier, "ready")) &&
            strcmp(standard_text(earlier, "worker"), name) == 0)
            return true;
    }
    return false;
}

bool brokers_know(const json_t *status, const json_t *gateway) {
    return json_is_true(json_object_get(gateway, "connected")) || brokers_all_answer(status);
}
