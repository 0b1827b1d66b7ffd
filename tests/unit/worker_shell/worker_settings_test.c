// What a worker is told must make sense together.

#include "worker/shell/worker_settings.h"

#include "common/settings/problems.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct worker_settings settings = {.jobs_max = 2,
                                          .brokers = {2, {"tcp://north:7401", "tcp://south:7401"}}};

Test(worker_settings, two_brokers_have_a_job_each) {
    struct problems problems = {0};
    worker_settings_check(&settings, &problems);
    cr_assert(eq(sz, problems.count, 0));
}

// With a share of 0 it would be connected, ready, and never do anything.
Test(worker_settings, a_job_for_two_brokers_is_too_few) {
    struct problems problems = {0};
    settings.jobs_max = 1;
    worker_settings_check(&settings, &problems);
    cr_assert(eq(sz, problems.count, 1));
    cr_assert(
        ne(ptr, strstr(problems.items[0].text, "jobs_max is 1, but there are 2 brokers"), NULL));
}

// The broker would take the second connection for another process with the same name.
Test(worker_settings, a_broker_is_named_once) {
    struct problems problems = {0};
    strcpy(settings.brokers.items[1], settings.brokers.items[0]);
    worker_settings_check(&settings, &problems);
    cr_assert(eq(sz, problems.count, 1));
    cr_assert(ne(ptr, strstr(problems.items[0].text, "tcp://north:7401 twice"), NULL));
}
