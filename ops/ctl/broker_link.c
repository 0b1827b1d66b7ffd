#include "ops/ctl/broker_link.h"

#include "common/wire/message.h"

#include <string.h>
#include <zmq.h>

/// Send one message and wait for one; its frame is in *frame, to be closed. false: said why not.
static bool exchange(const struct ctl *ctl, void *socket, const struct message *question,
                     zmq_msg_t *frame, struct message *answer) {
    const char *endpoint = ctl->settings.control_endpoint;
    struct buffer out;
    struct problem problem;
    buffer_init(&out, FRAME_MAX);
    bool sent =
        message_encode(question, &out) == ERR_NONE && zmq_send(socket, out.data, out.size, 0) >= 0;
    buffer_fini(&out);
    if (!sent || zmq_msg_recv(frame, socket, 0) < 0) {
        ctl_fail("no broker answers at %s within %llu ms; is it running?", endpoint,
                 (unsigned long long)ctl->settings.answer_ms);
        return false;
    }
    struct reader reader = reader_of((struct bytes){zmq_msg_data(frame), zmq_msg_size(frame)});
    if (message_decode(&reader, answer, &problem)) {
        ctl_fail("%s answers what cannot be read: %s", endpoint, problem.text);
        return false;
    }
    if (answer->type == MESSAGE_REFUSED) {
        ctl_fail("the broker refuses: %.*s", (int)answer->reason.size, answer->reason.data);
        return false;
    }
    return true;
}

/// Ask, and let `use` read the answer while its frame lives.
static bool ask(const struct ctl *ctl, const struct message *question,
                bool (*use)(const struct message *answer, void *result), void *result) {
    void *context = zmq_ctx_new();
    void *socket = context ? zmq_socket(context, ZMQ_DEALER) : NULL;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    struct message answer;
    bool done = false;
    int linger = 0, wait_ms = (int)ctl->settings.answer_ms;
    int64_t size_max = FRAME_MAX;
    if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) ||
        zmq_setsockopt(socket, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms) ||
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms) ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max) ||
        zmq_connect(socket, ctl->settings.control_endpoint))
        ctl_fail("control_endpoint %s: %s", ctl->settings.control_endpoint,
                 zmq_strerror(zmq_errno()));
    else
        done = exchange(ctl, socket, question, &frame, &answer) && use(&answer, result);
    zmq_msg_close(&frame);
    if (socket) zmq_close(socket);
    if (context) zmq_ctx_term(context);
    return done;
}

static bool read_status(const struct message *answer, void *result) {
    json_error_t error;
    json_t *json = json_loadb((const char *)answer->body.data, answer->body.size, 0, &error);
    *(json_t **)result = json;
    if (!json) ctl_fail("the broker's status cannot be read: %s", error.text);
    return json != NULL;
}

json_t *broker_status(const struct ctl *ctl) {
    struct message question = {.type = MESSAGE_STATUS};
    json_t *json = NULL;
    return ask(ctl, &question, read_status, &json) ? json : NULL;
}

static bool any_answer(const struct message *answer, void *result) {
    (void)answer;
    (void)result;
    return true;
}

int broker_drain(const struct ctl *ctl, const char *worker) {
    struct message question = {.type = MESSAGE_DRAIN};
    if (!id_set(&question.worker, worker, strlen(worker)))
        return ctl_fail("%s is no name of a worker", worker);
    return ask(ctl, &question, any_answer, NULL) ? CTL_OK : CTL_FAILED;
}
