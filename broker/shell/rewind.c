#include "broker/shell/rewind.h"

void rewind_hear(struct rewind *rewind, struct position position) {
    // Without an epoch: of an emptied store, to which the gateway will show its own.
    if (position.epoch != 0 && position.epoch != rewind->epoch)
        *rewind = (struct rewind){.epoch = position.epoch, .to = position.number};
    rewind->at = position.number;
    if (position.number >= rewind->to)
        rewind->from = rewind->to = position.number;
    else if (rewind->from == rewind->to || position.number < rewind->from)
        rewind->from = position.number;
}

bool rewind_going_on(const struct rewind *rewind) {
    return rewind->from < rewind->to;
}
