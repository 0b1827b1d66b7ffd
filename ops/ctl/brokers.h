#pragma once
// What all brokers of an installation say, as if they were one.

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/// What one of them answers.
struct broker_answer {
    const char *endpoint;
    json_t *body;      // owned; NULL: problem says why there is none
    char problem[320]; // a sentence with the endpoint
};
void broker_answers_free(struct broker_answer *answers, size_t count);

/// Their status, put together (JSON.md); `brokers` says of each whether it answers. A gateway that
/// several have seen is as the one says that heard of it last. NULL: none answers.
json_t *brokers_join(const struct broker_answer *answers, size_t count);

/// NULL: no.
bool brokers_all_answer(const json_t *status);
/// What the status says of a gateway; NULL: nothing.
const json_t *brokers_gateway(const json_t *status, const char *branch, const char *gateway);
/// Whether an earlier one of these entries is of the same worker, and ready: at another broker.
bool brokers_worker_before(const json_t *workers, size_t entry);
/// It can be relied on: the gateway is there, or there is no broker that could know better.
bool brokers_know(const json_t *status, const json_t *gateway);
