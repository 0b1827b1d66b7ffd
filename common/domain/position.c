#include "common/domain/position.h"

#include <string.h>

static const uint8_t *own(const struct tag *tag) {
    return tag->bytes + TAG_MARK;
}

struct tag tag_start(const struct spool_id *spool) {
    struct tag tag = {{0}};
    memcpy(tag.bytes + TAG_MARK, spool->bytes, TAG_MARK);
    return tag;
}

bool tag_equal(struct tag a, struct tag b) {
    return memcmp(own(&a), own(&b), TAG_MARK) == 0;
}

bool tag_follows(struct tag tag, struct tag before) {
    return memcmp(tag.bytes, own(&before), TAG_MARK) == 0;
}

struct tag tag_behind(struct tag tag, struct tag before) {
    memcpy(tag.bytes, own(&before), TAG_MARK);
    return tag;
}

struct tag tag_before(struct tag tag) {
    struct tag before = {{0}};
    memcpy(before.bytes + TAG_MARK, tag.bytes, TAG_MARK);
    return before;
}

bool tag_unknown(struct tag tag) {
    return tag_equal(tag, (struct tag){{0}});
}
