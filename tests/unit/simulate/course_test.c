// A course's figures in closed form, against counting every second.

#include "common/base/chance.h"
#include "sensors-gw/simulate/course.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

enum { SERVICE_MOST = 60 };

static struct course any_course(struct chance *chance, int32_t service_s) {
    struct course course = {.level = (int32_t)chance_below(chance, 5)};
    int32_t from_s = 0;
    for (int i = 0; i < COURSE_STRETCHES; i++) {
        int32_t room_s = service_s - from_s;
        int32_t skip_s = (int32_t)chance_below(chance, (uint32_t)room_s + 1);
        int32_t for_s = (int32_t)chance_below(chance, (uint32_t)(room_s - skip_s) + 1);
        course.stretches[i] =
            (struct stretch){from_s + skip_s, for_s, (int32_t)chance_below(chance, 5)};
        from_s += skip_s + for_s;
    }
    return course;
}

static int ascending(const void *a, const void *b) {
    return *(const int32_t *)a - *(const int32_t *)b;
}

Test(course, says_in_closed_form_what_every_second_says) {
    struct chance chance = chance_of(1, 0);
    for (int run = 0; run < 20000; run++) {
        int32_t service_s = 1 + (int32_t)chance_below(&chance, SERVICE_MOST);
        struct course course = any_course(&chance, service_s);
        int32_t levels[SERVICE_MOST], sum = 0, within = 0, first = -1;
        for (int32_t s = 0; s < service_s; s++) {
            levels[s] = course_at(&course, s);
            sum += levels[s];
            within += 1 <= levels[s] && levels[s] <= 3;
            if (first < 0 && levels[s] >= 3) first = s;
        }
        cr_assert(eq(i32, course_first(&course, service_s, 3), first), "run %d", run);
        qsort(levels, (size_t)service_s, sizeof levels[0], ascending);
        cr_assert(eq(i32, course_least(&course, service_s), levels[0]));
        cr_assert(eq(dbl, course_mean(&course, service_s), (double)sum / service_s));
        cr_assert(eq(dbl, course_share(&course, service_s, 1, 3), 100.0 * within / service_s));
        for (int32_t percent = 1; percent < 100; percent += 7)
            cr_assert(eq(i32, course_quantile(&course, service_s, percent),
                         levels[(service_s * percent + 99) / 100 - 1]));
    }
}
