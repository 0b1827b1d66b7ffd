// Every option of a socket, in one table.

#include "common/io/bus_socket.h"

#include <zmq.h>

// CurveZMQ's MESSAGE command: its name, a nonce, a flag and a tag travel with each frame, and count
// for ZMQ_MAXMSGSIZE.
enum { CURVE_WRAPPING = 8 + 8 + 1 + 16 };

struct bus_settings bus_settings_default(void) {
    return (struct bus_settings){.linger_ms = 0,
                                 .high_water = 256,
                                 .heartbeat_ms = 2000,
                                 .handshake_ms = 5000,
                                 .reconnect_ms = 200,
                                 .reconnect_max_ms = 10000};
}

struct option {
    int name, value;
};

static bool set_all(void *zmq, const struct option *options, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (zmq_setsockopt(zmq, options[i].name, &options[i].value, sizeof options[i].value))
            return false;
    return true;
}

enum err bus_options_set(void *zmq, bool binds, const struct bus_settings *settings) {
    const int heartbeat_ms = (int)settings->heartbeat_ms, silence_ms = 3 * heartbeat_ms;
    const int heartbeat_s = heartbeat_ms ? (heartbeat_ms + 999) / 1000 : -1; // as the system has it
    const struct option both[] = {
        {ZMQ_LINGER, (int)settings->linger_ms}, // the default would wait for ever at the end
        {ZMQ_SNDHWM, (int)settings->high_water},
        {ZMQ_RCVHWM, (int)settings->high_water},
        {ZMQ_HANDSHAKE_IVL, (int)settings->handshake_ms}, // silent connections hold descriptors
        {ZMQ_RECONNECT_IVL, (int)settings->reconnect_ms},
        {ZMQ_RECONNECT_IVL_MAX, (int)settings->reconnect_max_ms},
        {ZMQ_TCP_KEEPALIVE, 1}, // else half-open links stay for ever
        {ZMQ_TCP_KEEPALIVE_IDLE, heartbeat_s},
        {ZMQ_TCP_KEEPALIVE_INTVL, heartbeat_s},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_TCP_MAXRT, silence_ms}, // the same while frames are on their way
    };
    // ZeroMQ's heartbeats find a frozen peer, too. Only who connects asks for them, and without a TTL:
    // each costs a walk over the timers of all connections, which ten thousand gateways cannot pay.
    const struct option router[] = {
        {ZMQ_ROUTER_MANDATORY, 1}, // else frames for unknown and full peers vanish silently
        {ZMQ_ROUTER_HANDOVER, 0},  // else another peer can take a connection over
        {ZMQ_BACKLOG, 1024},       // all gateways connect at once after a restart
    };
    const struct option dealer[] = {
        {ZMQ_HEARTBEAT_IVL, heartbeat_ms},
        {ZMQ_HEARTBEAT_TIMEOUT, silence_ms},
        {ZMQ_IMMEDIATE, 1}, // else frames queue up for nobody
    };
    const int64_t frame_max = BUS_FRAME_MAX + CURVE_WRAPPING;
    bool set = !zmq_setsockopt(zmq, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) &&
               set_all(zmq, both, sizeof both / sizeof *both) &&
               (binds ? set_all(zmq, router, sizeof router / sizeof *router)
                      : set_all(zmq, dealer, sizeof dealer / sizeof *dealer));
    return set ? ERR_NONE : ERR_RANGE;
}
