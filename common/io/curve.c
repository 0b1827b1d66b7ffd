#include "common/io/curve.h"

#include "common/io/bus_socket.h"
#include "common/io/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

// Hidden behind the draft switch in zmq.h, but there since 4.3.1.
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

enum { KEY_BYTES = 32 };

bool curve_key_set(struct curve_key *key, const char *text, size_t size) {
    struct curve_key copy = {0};
    uint8_t bytes[KEY_BYTES];
    if (size != CURVE_KEY_LENGTH) return false;
    memcpy(copy.text, text, size);
    if (strlen(copy.text) != size || !zmq_z85_decode(bytes, copy.text)) return false;
    *key = copy;
    return true;
}

enum err curve_pair_new(struct curve_key *public_key, struct curve_key *secret_key) {
    return zmq_curve_keypair(public_key->text, secret_key->text) ? ERR_IO : ERR_NONE;
}

enum err curve_public_of(const struct curve_key *secret_key, struct curve_key *public_key) {
    return zmq_curve_public(public_key->text, secret_key->text) ? ERR_FORMAT : ERR_NONE;
}

static int compare_users(const void *a, const void *b) {
    return strcmp(((const struct curve_user *)a)->key.text,
                  ((const struct curve_user *)b)->key.text);
}

enum err curve_users_set(struct bus *bus, const struct curve_user *users, size_t count,
                         struct problem *problem) {
    struct curve_user *sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted) return problem_set(problem, ERR_NOMEM, "no memory for %zu users", count);
    if (count > 0) memcpy(sorted, users, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_users);
    for (size_t i = 1; i < count; i++) {
        if (compare_users(&sorted[i - 1], &sorted[i])) continue;
        problem_set(problem, ERR_CONFLICT, "%s and %s have the same key %s", sorted[i - 1].name,
                    sorted[i].name, sorted[i].key.text);
        free(sorted);
        return ERR_CONFLICT;
    }
    free(bus->door.users);
    bus->door.users = sorted;
    bus->door.user_count = count;
    return ERR_NONE;
}

const char *curve_user_name(const struct bus *bus, const char *key) {
    struct curve_user wanted;
    if (bus->door.user_count == 0 || strlen(key) != CURVE_KEY_LENGTH) return NULL;
    strcpy(wanted.key.text, key);
    const struct curve_user *user =
        bsearch(&wanted, bus->door.users, bus->door.user_count, sizeof wanted, compare_users);
    return user ? user->name : NULL;
}

enum err curve_socket_set(struct bus_socket *socket, const struct bus_security *security) {
    void *zmq = socket->zmq;
    const int one = 1;
    struct curve_key public_key;
    if (curve_public_of(&security->secret_key, &public_key)) return ERR_FORMAT;
    bool set =
        !zmq_setsockopt(zmq, ZMQ_CURVE_PUBLICKEY, public_key.text, CURVE_KEY_LENGTH + 1) &&
        !zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, security->secret_key.text, CURVE_KEY_LENGTH + 1);
    if (socket->binds) // without the domain and its enforcement a missing door would be an open one
        set = set && !zmq_setsockopt(zmq, ZMQ_CURVE_SERVER, &one, sizeof one) &&
              !zmq_setsockopt(zmq, ZMQ_ZAP_DOMAIN, socket->domain, strlen(socket->domain)) &&
              !zmq_setsockopt(zmq, ZMQ_ZAP_ENFORCE_DOMAIN, &one, sizeof one);
    else
        set = set && !zmq_setsockopt(zmq, ZMQ_CURVE_SERVERKEY, security->server_key.text,
                                     CURVE_KEY_LENGTH + 1);
    return set ? ERR_NONE : ERR_FORMAT;
}

/// The parts of a ZAP request (RFC 27) that we look at, as far as they arrived.
enum zap_part {
    ZAP_VERSION,
    ZAP_ID,
    ZAP_DOMAIN,
    ZAP_ADDRESS,
    ZAP_IDENTITY,
    ZAP_MECHANISM,
    ZAP_KEY
};
struct zap_request {
    size_t count;
    struct zap_text {
        char text[256];
        size_t size;
    } parts[ZAP_KEY + 1];
};

static bool receive_request(void *zmq, struct zap_request *request) {
    char beyond[256];
    int more = 1;
    size_t more_size = sizeof more;
    for (request->count = 0; more; request->count++) {
        bool kept = request->count <= ZAP_KEY;
        struct zap_text *part = kept ? &request->parts[request->count] : NULL;
        int size = zmq_recv(zmq, kept ? part->text : beyond, sizeof beyond - 1, ZMQ_DONTWAIT);
        if (size < 0) return false;
        if (kept) {
            part->size = (size_t)size < sizeof beyond ? (size_t)size : sizeof beyond - 1;
            part->text[part->size] = '\0';
        }
        if (zmq_getsockopt(zmq, ZMQ_RCVMORE, &more, &more_size)) return false;
    }
    return true;
}

/// Accepted: the User-Id is the key itself, so that its name is looked up anew for every frame.
static void send_reply(void *zmq, const struct zap_request *request, const char *key) {
    const char *const texts[] = {key ? "200" : "400", key ? "OK" : "unknown key", key ? key : ""};
    const struct zap_text *id = &request->parts[ZAP_ID];
    zmq_send(zmq, "1.0", 3, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    zmq_send(zmq, id->text, request->count > ZAP_ID ? id->size : 0, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        zmq_send(zmq, texts[i], strlen(texts[i]), ZMQ_DONTWAIT | ZMQ_SNDMORE);
    zmq_send(zmq, "", 0, ZMQ_DONTWAIT);
}

static void tell_unknown(struct bus *bus, const struct zap_request *request, const char *key) {
    struct bus_refusal refusal = {.kind = BUS_REFUSED_KEY,
                                  .address = request->parts[ZAP_ADDRESS].text,
                                  .reason = "unknown key",
                                  .key = key};
    for (struct bus_socket *socket = bus->sockets; socket; socket = socket->next) {
        if (strcmp(socket->domain, request->parts[ZAP_DOMAIN].text)) continue;
        bus_refused(socket, &refusal);
        return;
    }
}

static bool answer_request(void *context) {
    struct bus *bus = context;
    struct zap_request request;
    if (!receive_request(bus->door.zmq, &request)) return false;
    char key[CURVE_KEY_LENGTH + 1] = "";
    bool whole = request.count == ZAP_KEY + 1 && !strcmp(request.parts[ZAP_VERSION].text, "1.0") &&
                 !strcmp(request.parts[ZAP_MECHANISM].text, "CURVE") &&
                 request.parts[ZAP_KEY].size == KEY_BYTES;
    if (whole) zmq_z85_encode(key, (const uint8_t *)request.parts[ZAP_KEY].text, KEY_BYTES);
    bool known = whole && curve_user_name(bus, key);
    send_reply(bus->door.zmq, &request, known ? key : NULL);
    if (whole && !known && strcmp(key, bus->door.probe.text)) tell_unknown(bus, &request, key);
    return true;
}

enum err curve_door_open(struct bus *bus) {
    const int zero = 0;
    struct curve_door *door = &bus->door;
    if (door->zmq) return ERR_NONE;
    door->zmq = zmq_socket(bus->context, ZMQ_REP);
    if (!door->zmq) return ERR_IO;
    if (!zmq_setsockopt(door->zmq, ZMQ_LINGER, &zero, sizeof zero) &&
        !zmq_bind(door->zmq, "inproc://zeromq.zap.01") &&
        !glue_new(loop_uv(bus->loop), door->zmq, answer_request, bus, &door->glue))
        return ERR_NONE;
    zmq_close(door->zmq);
    door->zmq = NULL;
    return ERR_IO;
}

void curve_door_close(struct bus *bus) {
    glue_free(bus->door.glue);
    if (bus->door.zmq) zmq_close(bus->door.zmq);
    free(bus->door.users);
}

/// A socket that is to connect with a key that nobody knows, once.
static void *probe_connect(struct bus_socket *socket, const struct curve_key *server_key,
                           const struct curve_key *secret_key) {
    const int zero = 0, never = -1;
    void *probe = zmq_socket(socket->bus->context, ZMQ_DEALER);
    if (probe && !zmq_setsockopt(probe, ZMQ_LINGER, &zero, sizeof zero) &&
        !zmq_setsockopt(probe, ZMQ_RECONNECT_IVL, &never, sizeof never) &&
        !zmq_setsockopt(probe, ZMQ_CURVE_PUBLICKEY, socket->bus->door.probe.text,
                        CURVE_KEY_LENGTH + 1) &&
        !zmq_setsockopt(probe, ZMQ_CURVE_SECRETKEY, secret_key->text, CURVE_KEY_LENGTH + 1) &&
        !zmq_setsockopt(probe, ZMQ_CURVE_SERVERKEY, server_key->text, CURVE_KEY_LENGTH + 1))
        return probe;
    if (probe) zmq_close(probe);
    return NULL;
}

/// Answer the door, as the loop does not run yet, until ZeroMQ has told how the probe fared.
static enum err await_verdict(struct bus *bus, void *events, uint32_t wait_ms) {
    uint64_t end_ms = clock_monotonic_ms() + wait_ms;
    for (uint64_t now_ms; (now_ms = clock_monotonic_ms()) < end_ms;) {
        zmq_pollitem_t items[] = {{.socket = bus->door.zmq, .events = ZMQ_POLLIN},
                                  {.socket = events, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, (long)(end_ms - now_ms)) < 0 && errno != EINTR) return ERR_IO;
        while (answer_request(bus)) {
        }
        uint16_t event;
        uint32_t value;
        char address[256];
        while (bus_monitor_receive(events, &event, &value, address, sizeof address)) {
            if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return ERR_REFUSED;
            if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return ERR_NONE;
            if (event != ZMQ_EVENT_DISCONNECTED) return ERR_IO; // failed for another reason
        }
    }
    return ERR_IO;
}

enum err curve_self_test(struct bus_socket *socket, const struct bus_security *security,
                         uint32_t wait_ms) {
    struct bus *bus = socket->bus;
    struct curve_key server_key, secret_key;
    enum err err = ERR_IO;
    void *probe = NULL, *events = NULL;
    if (!curve_public_of(&security->secret_key, &server_key) &&
        !curve_pair_new(&bus->door.probe, &secret_key))
        probe = probe_connect(socket, &server_key, &secret_key);
    if (probe) events = bus_monitor_pair(bus, probe);
    if (events && !zmq_connect(probe, socket->endpoint)) err = await_verdict(bus, events, wait_ms);
    if (events) {
        zmq_socket_monitor(probe, NULL, 0);
        zmq_close(events);
    }
    if (probe) zmq_close(probe);
    bus->door.probe = (struct curve_key){0};
    glue_touched(bus->door.glue);
    return err;
}
