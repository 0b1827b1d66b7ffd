#pragma once
// The gateway's line to its broker: what the session wants is asked and sent, what is answered is
// told to the session; a broker that cannot be reached is left for the next one.

#include "common/io/loop.h"
#include "sensors-gw/core/session.h"
#include "sensors-gw/shell/gateway_settings.h"
#include "sensors-gw/shell/spool.h"

struct uplink;

struct uplink_handlers {
    void *context;
    /// Everything that has been read, into the spool. false: the gateway gave up.
    bool (*commit)(void *context);
    /// What became of a call of the spool. false: it failed, and the gateway gave up.
    bool (*spooled)(void *context, enum err err, const struct problem *problem);
    /// The gateway must not go on; the reason has been logged.
    void (*stop)(void *context, int exit_status);
    /// How far recordings have been read, 0..1000, and whether all have ended.
    void (*reading)(void *context, uint32_t *permille, bool *ended);
};

/// Connect to the first broker. All arguments but handlers outlive it.
MUST_CHECK enum err uplink_new(const struct gateway_settings *settings, struct spool *spool,
                               struct loop *loop, const struct uplink_handlers *handlers,
                               struct uplink **uplink, struct problem *problem);
void uplink_free(struct uplink *uplink); // before the loop; accepts NULL

/// There is more in the spool.
void uplink_spool_grew(struct uplink *uplink);
/// Do what is due: the session's deadline, the next broker.
void uplink_tick(struct uplink *uplink, uint64_t now_ms);
uint64_t uplink_deadline_ms(const struct uplink *uplink);
/// Look at the key files, and connect anew if one has changed.
void uplink_take_up_keys(struct uplink *uplink);
/// The gateway ends because of its spool, which is not asked any more: tell the broker, if it can be
/// reached, so that somebody sees it there.
void uplink_last_words(struct uplink *uplink, const char *reason);
enum session_state uplink_state(const struct uplink *uplink);
bool uplink_settled(const struct uplink *uplink); // as session_settled
