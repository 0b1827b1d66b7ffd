#include "common/domain/position.h"

#include <string.h>

bool tag_equal(struct tag a, struct tag b) {
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}
