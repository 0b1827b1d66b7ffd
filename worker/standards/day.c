#include "worker/standards/day.h"

#include <stdio.h>
#include <string.h>

static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static int32_t days_in(int32_t year, int32_t month) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month_days[month - 1] + (month == 2 && leap);
}

void day_text(int32_t day, char text[DAY_TEXT_SIZE]) {
    text[0] = '\0';
    if (day > 0)
        snprintf(text, DAY_TEXT_SIZE, "%04u-%02u-%02u", (unsigned)day / 10000 % 10000,
                 (unsigned)day / 100 % 100, (unsigned)day % 100);
}

bool day_parse(const char *text, int32_t *day) {
    static const char form[] = "0000-00-00";
    int32_t number = 0;
    if (strlen(text) != DAY_TEXT_SIZE - 1) return false;
    for (int i = 0; i < DAY_TEXT_SIZE - 1; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : text[i] != '-') return false;
        if (digit) number = number * 10 + text[i] - '0';
    }
    int32_t year = number / 10000, month = number / 100 % 100, last = number % 100;
    if (year < 1970 || month < 1 || month > 12 || last < 1 || last > days_in(year, month))
        return false;
    *day = number;
    return true;
}

int32_t day_after(int32_t day) {
    int32_t year = day / 10000, month = day / 100 % 100;
    if (day % 100 < days_in(year, month)) return day + 1;
    return month < 12 ? year * 10000 + (month + 1) * 100 + 1 : (year + 1) * 10000 + 101;
}
