#include "ops/ctl/broker_link.h"

#include "common/io/clock.h"
#include "common/wire/message.h"
#include "ops/ctl/json_text.h"

#include <string.h>
#include <zmq.h>

static void fail(struct broker_answer *answer, const char *format, ...) PRINTF_LIKE(2, 3);
static void fail(struct broker_answer *answer, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(answer->problem, sizeof answer->problem, format, values);
    va_end(values);
}

/// Connected, and the question on its way. NULL: the answer says why not.
static void *ask_one(void *context, struct bytes question, struct broker_answer *answer) {
    void *socket = context ? zmq_socket(context, ZMQ_DEALER) : NULL;
    int linger = 0;
    int64_t size_max = FRAME_MAX;
    if (socket && !zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) &&
        !zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max) &&
        !zmq_connect(socket, answer->endpoint) &&
        zmq_send(socket, question.data, question.size, ZMQ_DONTWAIT) >= 0)
        return socket;
    fail(answer, "control_endpoint %s: %s", answer->endpoint, zmq_strerror(zmq_errno()));
    if (socket) zmq_close(socket);
    return NULL;
}

static void read_answer(struct bytes frame, struct broker_answer *answer) {
    struct reader reader = reader_of(frame);
    struct message message;
    struct problem problem;
    json_error_t error;
    if (message_decode(&reader, &message, &problem)) {
        fail(answer, "%s answers what cannot be read: %s", answer->endpoint, problem.text);
    } else if (message.type == MESSAGE_REFUSED) {
        fail(answer, "the broker at %s refuses: %.*s", answer->endpoint, (int)message.reason.size,
             (const char *)message.reason.data);
    } else {
        answer->body = json_loadb((const char *)message.body.data, message.body.size, 0, &error);
        if (!answer->body)
            fail(answer, "the answer of %s cannot be read: %s", answer->endpoint, error.text);
    }
}

static void hear_one(void *socket, uint64_t until_ms, uint64_t answer_ms,
                     struct broker_answer *answer) {
    uint64_t now_ms = clock_monotonic_ms();
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_poll(&item, 1, now_ms < until_ms ? (long)(until_ms - now_ms) : 0) > 0 &&
        zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0)
        read_answer((struct bytes){zmq_msg_data(&frame), zmq_msg_size(&frame)}, answer);
    else
        fail(answer, "no broker answers at %s within %llu ms; is it running?", answer->endpoint,
             (unsigned long long)answer_ms);
    zmq_msg_close(&frame);
}

/// As many answers as there are endpoints, in their order. It takes answer_ms at most.
static void ask_all(const struct ctl *ctl, const struct message *question,
                    struct broker_answer answers[SETTING_TEXTS_MAX]) {
    const struct setting_texts *endpoints = &ctl->settings.control_endpoint;
    void *context = zmq_ctx_new(), *sockets[SETTING_TEXTS_MAX];
    struct buffer out;
    buffer_init(&out, FRAME_MAX);
    // Without memory nothing is in it, which no broker understands.
    if (message_encode(question, &out)) buffer_clear(&out);
    uint64_t until_ms = clock_monotonic_ms() + ctl->settings.answer_ms;
    for (size_t i = 0; i < endpoints->count; i++) {
        answers[i] = (struct broker_answer){.endpoint = endpoints->items[i]};
        sockets[i] = ask_one(context, buffer_bytes(&out), &answers[i]);
    }
    for (size_t i = 0; i < endpoints->count; i++) {
        if (!sockets[i]) continue;
        hear_one(sockets[i], until_ms, ctl->settings.answer_ms, &answers[i]);
        zmq_close(sockets[i]);
    }
    buffer_fini(&out);
    if (context) zmq_ctx_term(context);
}

json_t *brokers_status(const struct ctl *ctl) {
    const struct message question = {.type = MESSAGE_STATUS};
    struct broker_answer answers[SETTING_TEXTS_MAX];
    size_t count = ctl->settings.control_endpoint.count;
    ask_all(ctl, &question, answers);
    json_t *status = brokers_join(answers, count);
    for (size_t i = 0; !status && i < count; i++)
        ctl_fail("%s", answers[i].problem);
    broker_answers_free(answers, count);
    return status;
}

bool brokers_tell(const json_t *status) {
    const json_t *broker;
    size_t i;
    json_array_foreach(json_object_get(status, "brokers"), i, broker) {
        if (!json_is_true(json_object_get(broker, "answers")))
            ctl_fail("%s", standard_text(broker, "problem"));
    }
    return brokers_all_answer(status);
}

int brokers_drain(const struct ctl *ctl, const char *worker) {
    struct message question = {.type = MESSAGE_DRAIN};
    struct broker_answer answers[SETTING_TEXTS_MAX];
    size_t count = ctl->settings.control_endpoint.count;
    int status = CTL_FAILED;
    if (!id_set(&question.worker, worker, strlen(worker)))
        return ctl_fail("%s is no name of a worker", worker);
    ask_all(ctl, &question, answers);
    for (size_t i = 0; i < count; i++)
        if (answers[i].body) status = CTL_OK; // which leaves the others, too
    for (size_t i = 0; status != CTL_OK && i < count; i++)
        ctl_fail("%s", answers[i].problem);
    broker_answers_free(answers, count);
    return status;
}
