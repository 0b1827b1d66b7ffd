#include "worker/standards/days.h"

#include <limits.h>

static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static int32_t days_in(int32_t year, int32_t month) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month_days[month - 1] + (month == 2 && leap);
}

/// 2026-12-01 as 20261201.
static bool day_read(struct reading *reading, const struct node *node, int32_t *day) {
    static const char form[] = "0000-00-00";
    const char *text;
    int32_t number = 0;
    if (!node) return true;
    if (!node_text(node, 10, 10, &text, reading->problems)) return false;
    bool good = true;
    for (int i = 0; i < 10; i++)
        if (form[i] == '0' && text[i] >= '0' && text[i] <= '9')
            number = number * 10 + text[i] - '0';
        else
            good &= form[i] == '-' && text[i] == '-';
    int32_t month = number / 100 % 100;
    if (!good || number / 10000 < 1970 || month < 1 || month > 12 || number % 100 < 1 ||
        number % 100 > days_in(number / 10000, month)) {
        node_problem(node, reading->problems, ERR_FORMAT, "%s is no day; write such as 2026-12-01",
                     text);
        return false;
    }
    *day = number;
    return true;
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

int32_t day_after(int32_t day) {
    int32_t year = day / 10000, month = day / 100 % 100;
    if (day % 100 < days_in(year, month)) return day + 1;
    return month < 12 ? year * 10000 + (month + 1) * 100 + 1 : (year + 1) * 10000 + 101;
}

int32_t days_length(const struct days *days) {
    int32_t length = 1;
    if (days->from == 0 || days->until == INT32_MAX) return INT32_MAX;
    for (int32_t day = days->from; day != days->until; day = day_after(day))
        length++;
    return length;
}
