// What presence keeps in the spool: found again, or refused by name.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "sensors-gw/shell/attendance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct measure distance = {.id = {"distance.client"},
                                  .kind = MEASURE_SAMPLES,
                                  .unit = "m",
                                  .resolution = 0.01,
                                  .most = 20};
static struct id counters[] = {{"desk-1"}};
static struct site site = {
    .catalogue = {.measures = {1, &distance}}, .counter_count = 1, .counters = counters};
static struct gateway_settings settings = {
    .presence_measure = "distance.client", .presence_enter_m = 1, .presence_leave_m = 2};
static char folder[40];
static struct spool *spool;
static struct problem problem;

static void take(void *context, const struct batch *batch) {
    (void)context, (void)batch;
}

static void begin(void) {
    const struct spool_limits limits = {.bytes_max = 1 << 20, .retention_ms = 100000};
    uint64_t damaged;
    strcpy(folder, "/tmp/tresen-presence-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(settings.spool, sizeof settings.spool, "%s/spool", folder);
    cr_assert(eq(int, spool_open(settings.spool, &limits, false, &spool, &damaged, &problem), 0));
}

static void end(void) {
    spool_close(spool);
    unlink(settings.spool);
    rmdir(folder);
}

TestSuite(attendance, .init = begin, .fini = end);

static enum err opened(void) {
    const struct batching_limits limits = {.observations_max = 100,
                                           .body_max = 8192,
                                           .counters = counters,
                                           .counter_count = 1,
                                           .legal_most = LEGAL_P5};
    struct batching *batching = batching_new(&limits, 1, TIME_NONE, take, NULL);
    struct attendance *attendance = NULL;
    enum err err = attendance_new(&settings, &site, spool, batching, batching_source(batching, 0),
                                  &attendance, &problem);
    attendance_free(attendance);
    batching_free(batching);
    return err;
}

static void keep(uint8_t size, uint8_t state) {
    struct cursor cursor = {.size = size, .bytes = {state}};
    cr_assert(eq(int, spool_keep_cursor(spool, "presence desk-1", &cursor, &problem), ERR_NONE));
    cr_assert(eq(int, spool_commit(spool, 1000, &problem), ERR_NONE));
}

Test(attendance, a_cursor_of_another_form_is_refused_with_the_file_and_a_way_out) {
    keep(25, 2);
    cr_assert(eq(int, opened(), ERR_NONE));
    const uint8_t forms[][2] = {{24, 2}, {26, 0}, {25, 3}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        keep(forms[i][0], forms[i][1]);
        cr_assert(eq(int, opened(), ERR_FORMAT));
        cr_assert(strstr(problem.text, settings.spool) != NULL, "%s", problem.text);
        cr_assert(strstr(problem.text, "presence desk-1") != NULL);
        cr_assert(strstr(problem.text, "presence_measure") != NULL);
    }
}
