// Bare ZeroMQ: the same batches in the same frames through a ROUTER/DEALER broker that looks at
// nothing, to a worker that answers each frame. No Redis, no checks, nothing kept.

#include "common/wire/body.h"
#include "ops/bench/bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

struct link {
    struct stream stream;
    void *socket;
    struct buffer frame;
    uint64_t made; // batches in the frame
    uint64_t sent, answered;
    uint64_t *sent_ns; // a ring of window
};

struct sender {
    const struct bench *bench;
    size_t count;
    struct link *links;
    zmq_pollitem_t *items;
    struct bench_result result;
    struct latencies latencies;
};

static void *checked(void *pointer) {
    if (!pointer) exit(bench_fail("zmq: %s", zmq_strerror(errno)));
    return pointer;
}

static void check(int result) {
    if (result < 0) exit(bench_fail("zmq: %s", zmq_strerror(errno)));
}

static void *open_socket(void *context, int kind) {
    int none = 0;
    void *socket = checked(zmq_socket(context, kind));
    check(zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none)); // the window is the bound
    check(zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none));
    check(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none));
    return socket;
}

static pid_t begin(void (*role)(const char *gateways, const char *workers), const char *gateways,
                   const char *workers) {
    pid_t child = fork();
    if (child < 0) exit(bench_fail("no process"));
    if (child) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    role(gateways, workers);
    exit(0);
}

static void broker(const char *gateways, const char *workers) {
    void *context = checked(zmq_ctx_new());
    void *front = open_socket(context, ZMQ_ROUTER), *back = open_socket(context, ZMQ_DEALER);
    check(zmq_bind(front, gateways));
    check(zmq_bind(back, workers));
    zmq_proxy(front, back, NULL);
}

/// Answers each frame with its count of batches, its first 8 bytes.
static void worker(const char *gateways, const char *workers) {
    (void)gateways;
    void *socket = open_socket(checked(zmq_ctx_new()), ZMQ_DEALER);
    check(zmq_connect(socket, workers));
    zmq_msg_t peer, frame;
    zmq_msg_init(&peer);
    zmq_msg_init(&frame);
    for (;;) {
        check(zmq_msg_recv(&peer, socket, 0));
        check(zmq_msg_recv(&frame, socket, 0));
        uint64_t count;
        if (zmq_msg_size(&frame) < sizeof count) exit(bench_fail("zmq: a torn frame"));
        memcpy(&count, zmq_msg_data(&frame), sizeof count);
        check(zmq_msg_send(&peer, socket, ZMQ_SNDMORE));
        check(zmq_send(socket, &count, sizeof count, 0));
    }
}

static void take(void *context, const struct batch *batch) {
    struct link *link = context;
    if (body_encode(batch, true, &link->frame)) exit(bench_fail("zmq: a frame is too long"));
    link->made++;
}

/// Fill the window and send it as one frame.
static void fill(struct sender *sender, struct link *link) {
    uint64_t window = sender->bench->settings.window, now_ns = bench_now_ns();
    buffer_clear(&link->frame);
    buffer_put_u64(&link->frame, 0);
    link->made = 0;
    while (!stream_ended(&link->stream) && link->sent + link->made - link->answered < window) {
        uint64_t before = link->made;
        stream_next(&link->stream);
        for (uint64_t i = before; i < link->made; i++)
            link->sent_ns[(link->sent + i) % window] = now_ns;
    }
    if (!link->made) return;
    memcpy(link->frame.data, &link->made, sizeof link->made);
    check(zmq_send(link->socket, link->frame.data, link->frame.size, 0));
    link->sent += link->made;
    sender->result.batches += link->made;
    sender->result.wire_bytes += link->frame.size;
}

static void answered(struct sender *sender, struct link *link) {
    uint64_t count, window = sender->bench->settings.window;
    while (zmq_recv(link->socket, &count, sizeof count, ZMQ_DONTWAIT) == sizeof count) {
        uint64_t now_ns = bench_now_ns();
        for (; count; count--)
            latencies_add(&sender->latencies, now_ns - link->sent_ns[link->answered++ % window]);
    }
}

static bool finished(const struct link *link) {
    return stream_ended(&link->stream) && link->answered == link->sent;
}

static void send_all(struct sender *sender) {
    for (size_t i = 0; i < sender->count; i++)
        fill(sender, &sender->links[i]);
    for (size_t done = 0; done < sender->count;) {
        check(zmq_poll(sender->items, (int)sender->count, -1));
        for (size_t i = 0; i < sender->count; i++) {
            struct link *link = &sender->links[i];
            if (!(sender->items[i].revents & ZMQ_POLLIN)) continue;
            bool before = finished(link);
            answered(sender, link);
            fill(sender, link);
            done += finished(link) && !before;
        }
    }
}

static void links_init(struct sender *sender, void *context) {
    const struct bench *bench = sender->bench;
    const struct branches *branches = &bench->catalogue.branches;
    for (size_t i = 0; i < branches->count; i++)
        sender->count += branches->items[i].gateway_count;
    sender->links = checked(calloc(sender->count, sizeof sender->links[0]));
    sender->items = checked(calloc(sender->count, sizeof sender->items[0]));
    struct link *link = sender->links;
    for (size_t i = 0; i < branches->count; i++)
        for (size_t k = 0; k < branches->items[i].gateway_count; k++, link++) {
            buffer_init(&link->frame, (size_t)BATCH_BODY_MAX * bench->settings.window);
            link->sent_ns = checked(calloc(bench->settings.window, sizeof link->sent_ns[0]));
            if (stream_init(&link->stream, &bench->workload, &branches->items[i],
                            &branches->items[i].gateways[k], take, link))
                exit(bench_fail("no memory, or a gateway without a measure"));
            link->socket = open_socket(context, ZMQ_DEALER);
            check(zmq_connect(link->socket, bench->settings.endpoint));
            sender->items[link - sender->links] =
                (zmq_pollitem_t){.socket = link->socket, .events = ZMQ_POLLIN};
        }
}

static void links_fini(struct sender *sender) {
    for (size_t i = 0; i < sender->count; i++) {
        zmq_close(sender->links[i].socket);
        stream_fini(&sender->links[i].stream);
        buffer_fini(&sender->links[i].frame);
        free(sender->links[i].sent_ns);
    }
    free(sender->links);
    free(sender->items);
}

static int run(const struct bench *bench) {
    static struct sender sender;
    char workers[SETTING_TEXT_SIZE + 8];
    sender.bench = bench;
    snprintf(workers, sizeof workers, "%s-w", bench->settings.endpoint);
    pid_t children[] = {begin(broker, bench->settings.endpoint, workers),
                        begin(worker, bench->settings.endpoint, workers)};
    void *context = checked(zmq_ctx_new());
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 65536));
    links_init(&sender, context);
    sender.result.started_ns = bench_ready();
    send_all(&sender);
    sender.result.ended_ns = bench_now_ns();
    sender.result.observations = workload_observations(&bench->workload);
    sender.result.latencies = &sender.latencies;
    bench_result(&sender.result);
    links_fini(&sender);
    zmq_ctx_term(context);
    for (size_t i = 0; i < 2; i++) {
        kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
    }
    return 0;
}

const struct bench_path bench_zmq = {
    .name = "zmq", .summary = "bare ZeroMQ, the same batches and windows, no Redis", .run = run};
