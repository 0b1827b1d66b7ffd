// What the broker knows of itself and its peers, as JSON. Times are milliseconds ago, or until.

#include "broker/shell/broker.h"
#include "common/io/clock.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void put_number(json_t *map, const char *key, uint64_t value) {
    json_object_set_new(map, key, json_integer((json_int_t)value));
}

/// Milliseconds since; null: never.
static void put_ago(json_t *map, const char *key, uint64_t now_ms, uint64_t at_ms, bool ever) {
    json_object_set_new(map, key, ever ? json_integer((json_int_t)(now_ms - at_ms)) : json_null());
}

static json_t *worker_json(const struct broker *broker, uint32_t number, uint64_t now_ms) {
    const struct worker *worker = &broker->peers.workers[number];
    struct dispatch_worker_view view = dispatch_worker(broker->dispatch, number);
    json_t *map = json_object();
    json_object_set_new(map, "worker", json_string(worker->name.text));
    json_object_set_new(map, "ready", json_boolean(view.ready));
    json_object_set_new(map, "draining", json_boolean(view.draining));
    json_object_set_new(map, "alone", json_boolean(view.alone));
    put_number(map, "credit", view.credit);
    put_number(map, "assigned", view.assigned);
    put_ago(map, "heard_ms", now_ms, worker->connection.heard_ms, worker->connection.known);
    put_number(map, "connections", worker->connection.changes + (worker->connection.known ? 1 : 0));
    json_object_set_new(map, "set", json_string(worker->set));
    json_object_set_new(map, "version", json_string(worker->version));
    put_number(map, "brokers", worker->brokers);
    json_object_set_new(map, "library",
                        worker->library ? json_integer((json_int_t)worker->library) : json_null());
    json_object_set_new(map, "library_run",
                        worker->library_run >= 0 ? json_integer(worker->library_run) : json_null());
    put_number(map, "protocol", PROTOCOL_VERSION); // others are refused
    json_object_set_new(map, "acknowledge", json_string(worker->acknowledge));
    json_object_set_new(map, "trouble",
                        worker->trouble[0] ? json_string(worker->trouble) : json_null());
    return map;
}

static json_t *workers_json(const struct broker *broker, uint64_t now_ms) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < broker->peers.worker_count; i++)
        if (broker->peers.workers[i].name.text[0])
            json_array_append_new(list, worker_json(broker, i, now_ms));
    return list;
}

static json_t *report_json(const struct message *report) {
    json_t *map = json_object();
    put_number(map, "held", report->held);
    put_number(map, "spooled", report->spooled);
    put_number(map, "dropped", report->dropped);
    put_number(map, "left_out", report->left_out);
    json_object_set_new(map, "oldest_ms",
                        report->oldest_ms >= 0 ? json_integer(report->oldest_ms) : json_null());
    put_number(map, "read_permille", report->read_permille);
    json_object_set_new(map, "ended", json_boolean(report->ended));
    return map;
}

/// null: nothing that the store had is missing.
static json_t *rewind_json(const struct rewind *rewind) {
    if (!rewind_going_on(rewind)) return json_null();
    json_t *map = json_object();
    put_number(map, "from", rewind->from);
    put_number(map, "to", rewind->to);
    put_number(map, "again", rewind->at - rewind->from);
    return map;
}

static json_t *gateway_json(const struct broker *broker, uint32_t number, uint64_t now_ms) {
    const struct gateway *gateway = &broker->peers.gateways[number];
    const struct connection *connection = &gateway->connection;
    struct dispatch_gateway_view view = dispatch_gateway(broker->dispatch, number);
    bool connected = connection->known && connection->reachable &&
                     now_ms - connection->heard_ms < broker->settings->gateway_silence_ms;
    json_t *map = json_object();
    json_object_set_new(map, "branch", json_string(gateway->branch->id.text));
    json_object_set_new(map, "gateway", json_string(gateway->registered->id.text));
    json_object_set_new(map, "office", json_boolean(gateway->registered->office));
    json_object_set_new(map, "connected", json_boolean(connected));
    put_ago(map, "heard_ms", now_ms, connection->heard_ms, connection->known);
    put_number(map, "connections", connection->changes + (connection->known ? 1 : 0));
    put_number(map, "session", view.session);
    put_number(map, "epoch", gateway->position.epoch);
    put_number(map, "position", gateway->position.number);
    json_object_set_new(map, "rewind", rewind_json(&gateway->rewind));
    put_number(map, "window", view.window);
    put_number(map, "queued", view.queued);
    put_number(map, "assigned", view.assigned);
    put_number(map, "outstanding", view.queued + view.assigned);
    put_number(map, "repeated", view.repeated);
    put_number(map, "suspect_through", view.suspect_through);
    json_object_set_new(map, "trouble",
                        gateway->trouble[0] ? json_string(gateway->trouble) : json_null());
    json_object_set_new(map, "report",
                        gateway->reported ? report_json(&gateway->report) : json_null());
    return map;
}

static json_t *gateways_json(const struct broker *broker, uint64_t now_ms) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < broker->peers.gateway_count; i++)
        json_array_append_new(list, gateway_json(broker, i, now_ms));
    return list;
}

static json_t *branches_json(const struct broker *broker, uint64_t now_ms) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < broker->branches->count; i++) {
        struct dispatch_branch_view view = dispatch_branch(broker->dispatch, i);
        json_t *map = json_object();
        json_object_set_new(map, "branch", json_string(broker->branches->items[i].id.text));
        put_number(map, "queued", view.queued);
        put_number(map, "assigned", view.assigned);
        put_number(map, "bytes", view.bytes);
        bool asked = view.settle_ms == UINT64_MAX; // a settle job waits or is out
        uint64_t due_ms = !asked && view.settle_ms > now_ms ? view.settle_ms - now_ms : 0;
        put_number(map, "due_ms", due_ms);
        const char *worker = view.worker < broker->peers.worker_count
                                 ? broker->peers.workers[view.worker].name.text
                                 : NULL;
        json_object_set_new(map, "worker", worker ? json_string(worker) : json_null());
        json_array_append_new(list, map);
    }
    return list;
}

static json_t *refused_json(const struct broker *broker, uint64_t now_ms) {
    json_t *list = json_array();
    for (size_t i = 0; i < broker->refusals.count; i++) {
        const struct refusal *refusal = &broker->refusals.items[i];
        json_t *map = json_object();
        json_object_set_new(map, "who", json_string(refusal->who));
        json_object_set_new(map, "reason", json_string(refusal->why));
        put_number(map, "count", refusal->count);
        put_ago(map, "last_ms", now_ms, refusal->last_ms, true);
        json_array_append_new(list, map);
    }
    return list;
}

static void put_bus(json_t *map, const char *key, const struct bus_socket *socket) {
    struct bus_counts counts = bus_socket_counts(socket);
    json_t *bus = json_object();
    put_number(bus, "received", counts.received);
    put_number(bus, "sent", counts.sent);
    put_number(bus, "full", counts.full);
    put_number(bus, "no_peer", counts.no_peer);
    put_number(bus, "multipart", counts.multipart);
    put_number(bus, "unknown_user", counts.unknown_user);
    put_number(bus, "self_named", counts.self_named);
    put_number(bus, "refused_key", counts.refused_key);
    put_number(bus, "refused_protocol", counts.refused_protocol);
    put_number(bus, "refused_other", counts.refused_other);
    json_object_set_new(map, key, bus);
}

static json_t *counters_json(const struct broker *broker) {
    const struct dispatch_counters *c = dispatch_counters(broker->dispatch);
    json_t *map = json_object();
    put_number(map, "batches", c->batches);
    put_number(map, "batch_bytes", c->batch_bytes);
    put_number(map, "asks", c->asks);
    put_number(map, "answers", c->answers);
    put_number(map, "later_window", c->later_window);
    put_number(map, "later_full", c->later_full);
    put_number(map, "stale", c->stale);
    put_number(map, "voided", c->voided);
    put_number(map, "jobs", c->jobs);
    put_number(map, "done", c->done);
    put_number(map, "late", c->late);
    put_number(map, "given_back", c->given_back);
    put_number(map, "deaths", c->deaths);
    put_number(map, "trials", c->trials);
    put_number(map, "dead_letters", c->dead_letters);
    put_number(map, "settles", c->settles);
    put_number(map, "answers_lost", broker->answers_lost);
    put_number(map, "out_of_memory", broker->out_of_memory);
    put_number(map, "refused", broker->refusals.total);
    put_bus(map, "gateways_socket", broker->gateways);
    put_bus(map, "workers_socket", broker->workers);
    return map;
}

char *status_text(const struct broker *broker) {
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t oldest_ms = dispatch_oldest_ms(broker->dispatch);
    json_t *root = json_object();
    json_object_set_new(root, "version", json_string(TRESEN_VERSION));
    put_number(root, "protocol", PROTOCOL_VERSION);
    put_ago(root, "uptime_ms", now_ms, broker->start_ms, true);
    put_ago(root, "oldest_unfinished_ms", now_ms, oldest_ms, oldest_ms != UINT64_MAX);
    json_object_set_new(root, "workers", workers_json(broker, now_ms));
    json_object_set_new(root, "gateways", gateways_json(broker, now_ms));
    json_object_set_new(root, "branches", branches_json(broker, now_ms));
    json_object_set_new(root, "refused", refused_json(broker, now_ms));
    json_object_set_new(root, "counters", counters_json(broker));
    json_object_set_new(root, "truncated", json_false());
    // Of very many peers one frame cannot tell: the long lists go, longest first.
    static const char *const lists[] = {"gateways", "branches", "workers"};
    char *text = json_dumps(root, JSON_COMPACT);
    for (size_t i = 0; i < 3 && text && strlen(text) > STATUS_BODY_MAX; i++) {
        free(text);
        json_object_set_new(root, lists[i], json_array());
        json_object_set_new(root, "truncated", json_true());
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(root);
    return text;
}
