#include "worker/standards/days.h"

#include <limits.h>

static bool day_read(struct reading *reading, const struct node *node, int32_t *day) {
    const char *text;
    if (!node) return true;
    if (!node_text(node, 1, TEXT_SIZE_MAX, &text, reading->problems)) return false;
    if (day_parse(text, day)) return true;
    node_problem(node, reading->problems, ERR_FORMAT, "%.40s is no day; write such as 2026-12-01",
                 text);
    return false;
}

bool days_read(struct reading *reading, const struct node *map, struct days *days) {
    *days = (struct days){0, INT32_MAX};
    bool good = day_read(reading, node_find(map, "from"), &days->from);
    good &= day_read(reading, node_find(map, "until"), &days->until);
    if (good && days->from > days->until) {
        node_problem(node_find(map, "until"), reading->problems, ERR_CONFLICT,
                     "until lies before from; exchange them");
        return false;
    }
    return good;
}

int32_t days_length(const struct days *days) {
    int32_t length = 1;
    if (days->from == 0 || days->until == INT32_MAX) return INT32_MAX;
    for (int32_t day = days->from; day != days->until; day = day_after(day))
        length++;
    return length;
}
