#include "ops/ctl/gateway_gaps.h"

#include "common/base/bytes.h"
#include "common/domain/time.h"
#include "ops/ctl/card.h"
#include "worker/store/calls.h"

#include <stdio.h>

enum { SHOWN = 10 };

static json_t *time_json(int64_t at_ms) {
    char text[TIME_TEXT_SIZE];
    if (at_ms < 0 || !time_plausible(at_ms)) return json_null();
    time_text(at_ms, text);
    return json_string(text);
}

static json_t *text_json(struct bytes text) {
    return json_stringn((const char *)text.data, text.size);
}

/// NULL: of another gateway.
static json_t *gap_json(struct reader gap, const struct id *gateway) {
    bool in_time = reader_u8(&gap) == GAP_TIME;
    int64_t noticed_ms = (int64_t)reader_u64(&gap);
    uint64_t from = reader_u64(&gap), to = reader_u64(&gap);
    if (!bytes_equal(reader_short(&gap), bytes_of_text(gateway->text))) return NULL;
    struct bytes counter = reader_short(&gap), reason = reader_short(&gap);
    int64_t since_ms = (int64_t)reader_u64(&gap), until_ms = (int64_t)reader_u64(&gap);
    if (gap.failed) since_ms = until_ms = -1; // of a store that did not tell them yet
    json_t *object = json_pack("{s:s}", "kind", in_time ? "time" : "numbers");
    json_object_set_new(object, "from",
                        in_time ? time_json((int64_t)from) : json_integer((json_int_t)from));
    json_object_set_new(object, "to",
                        in_time ? time_json((int64_t)to) : json_integer((json_int_t)to));
    json_object_set_new(object, "since", time_json(since_ms));
    json_object_set_new(object, "until", time_json(until_ms));
    json_object_set_new(object, "noticed", time_json(noticed_ms));
    json_object_set_new(object, "counter", counter.size ? text_json(counter) : json_null());
    json_object_set_new(object, "reason", reason.size ? text_json(reason) : json_null());
    return object;
}

json_t *gateway_gaps_json(const redisReply *gaps, const struct id *gateway) {
    json_t *list = json_array();
    for (size_t i = 0; i < gaps->elements; i++) {
        json_t *gap = gap_json(reader_of(reply_bytes(gaps->element[i])), gateway);
        if (gap) json_array_append_new(list, gap);
    }
    return list;
}

static const char *known(const json_t *gap, const char *key) {
    const char *text = json_string_value(json_object_get(gap, key));
    return text ? text : "?";
}

static void print_gap(const json_t *gap) {
    const json_t *from = json_object_get(gap, "from"), *to = json_object_get(gap, "to");
    const char *counter = json_string_value(json_object_get(gap, "counter"));
    const char *reason = json_string_value(json_object_get(gap, "reason"));
    if (json_is_integer(from))
        printf("    gap: batches %lld to %lld are gone", (long long)json_integer_value(from),
               (long long)json_integer_value(to));
    else
        printf("    gap: no data%s%s", counter ? " at " : "", counter ? counter : "");
    printf(", from %s to %s%s%s\n", known(gap, "since"), known(gap, "until"), reason ? ": " : "",
           reason ? reason : "");
}

void gateway_gaps_print(const json_t *gaps) {
    size_t count = json_array_size(gaps), first = count > SHOWN ? count - SHOWN : 0;
    if (first) printf("    %zu older gaps: see --json\n", first);
    for (size_t i = first; i < count; i++)
        print_gap(json_array_get(gaps, i));
}
