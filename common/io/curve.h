#pragma once
// CURVE: who may speak, and under which name. Keys are Z85 text, 40 characters.
//
// libzmq's CURVE server lets everybody in when nobody answers its ZAP requests. So the bus answers
// them itself from the table set here, demands it (ZMQ_ZAP_ENFORCE_DOMAIN), looks the sender's key
// up again for every frame, and bus_bind tries an unknown key, which must be refused.

#include "common/base/err.h"

#include <stdbool.h>

struct bus;

enum { CURVE_KEY_LENGTH = 40, CURVE_USER_MAX = 95 };

struct curve_key {
    char text[CURVE_KEY_LENGTH + 1]; // Z85; empty: none
};
struct curve_user {
    struct curve_key key;          // public
    char name[CURVE_USER_MAX + 1]; // "gateway.BRANCH.NAME", "worker.NAME"
};

bool curve_key_set(struct curve_key *key, const char *text, size_t size); // false: not 40 of Z85
MUST_CHECK enum err curve_pair_new(struct curve_key *public_key, struct curve_key *secret_key);
MUST_CHECK enum err curve_public_of(const struct curve_key *secret_key,
                                    struct curve_key *public_key);

/// Replace the table of all sockets that this bus binds. Holds from the next frame on, for
/// connections that stand as well: a key that is gone is refused and its frames are dropped.
/// ERR_CONFLICT: a key stands twice, *problem names both; then, as on ERR_NOMEM, nothing changed.
MUST_CHECK enum err curve_users_set(struct bus *bus, const struct curve_user *users, size_t count,
                                    struct problem *problem);
