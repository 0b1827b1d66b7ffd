#include "sensors-gw/core/presence.h"

#include "common/base/bytes.h"

int presence_pass(struct presence *p, const struct presence_rules *rules, int64_t t_ms,
                  struct presence_change changes[PRESENCE_CHANGES_MAX]) {
    if (t_ms <= p->now_ms) return 0;
    p->now_ms = t_ms;
    if (p->state == PRESENCE_NOBODY || t_ms - p->last_ms <= rules->leave_ms) return 0;
    bool here = p->state == PRESENCE_HERE;
    if (here) changes[0] = (struct presence_change){p->since_ms, p->last_ms};
    p->state = PRESENCE_NOBODY;
    return here;
}

int presence_sample(struct presence *p, const struct presence_rules *rules, int64_t t_ms,
                    double distance_m, uint8_t confidence,
                    struct presence_change changes[PRESENCE_CHANGES_MAX]) {
    int count = presence_pass(p, rules, t_ms, changes);
    if (confidence < rules->least_confidence) return count;
    if (distance_m > rules->leave_m) {
        if (p->state == PRESENCE_COMING) p->state = PRESENCE_NOBODY;
        return count;
    }
    if (p->state == PRESENCE_NOBODY) {
        if (distance_m > rules->enter_m) return count;
        p->state = PRESENCE_COMING;
        p->since_ms = t_ms;
    }
    p->last_ms = t_ms;
    if (p->state == PRESENCE_COMING && t_ms - p->since_ms >= rules->enter_ms) {
        p->state = PRESENCE_HERE;
        changes[count++] = (struct presence_change){p->since_ms, TIME_NONE};
    }
    return count;
}

int64_t presence_pending_ms(const struct presence *p) {
    return p->state == PRESENCE_COMING ? p->since_ms : TIME_NONE;
}

void presence_pack(const struct presence *p, uint8_t packed[PRESENCE_PACKED]) {
    struct buffer out = {
        .data = packed, .capacity = PRESENCE_PACKED, .limit = PRESENCE_PACKED}; // owns nothing
    buffer_put_u8(&out, (uint8_t)p->state);
    buffer_put_u64(&out, (uint64_t)p->since_ms);
    buffer_put_u64(&out, (uint64_t)p->last_ms);
    buffer_put_u64(&out, (uint64_t)p->now_ms);
}

bool presence_unpack(const uint8_t packed[PRESENCE_PACKED], struct presence *p) {
    struct reader in = reader_of((struct bytes){packed, PRESENCE_PACKED});
    uint8_t state = reader_u8(&in);
    if (state > PRESENCE_HERE) return false;
    p->state = (enum presence_state)state;
    p->since_ms = (int64_t)reader_u64(&in);
    p->last_ms = (int64_t)reader_u64(&in);
    p->now_ms = (int64_t)reader_u64(&in);
    return true;
}
