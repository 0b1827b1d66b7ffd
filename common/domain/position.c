#include "common/domain/position.h"

#include <string.h>

bool tag_equal(struct tag a, struct tag b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

void tag_mark(struct tag *tag, const struct spool_id *spool) {
    memcpy(tag->bytes, spool->bytes, TAG_SPOOL_SIZE);
}

bool tag_of_spool(struct tag tag, const struct spool_id *spool) {
    return memcmp(tag.bytes, spool->bytes, TAG_SPOOL_SIZE) == 0;
}

bool tag_same_spool(struct tag a, struct tag b) {
    return memcmp(a.bytes, b.bytes, TAG_SPOOL_SIZE) == 0;
}
