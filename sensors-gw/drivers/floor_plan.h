#pragma once
// The counters that a sensor of positions sees: read from a driver's settings, told as distances
// (scene.h says which).

#include "sensors-gw/drivers/driver.h"
#include "sensors-gw/drivers/scene.h"

struct floor_plan {
    size_t counter_count;
    struct counter_place counters[SCENE_COUNTERS_MAX];
    const struct measure *client, *bystander;
    double alone_m; // told as a bystander's distance where there is none; 0: nothing is
};

/// counters: a list of {counter, x, y, reach, employees: [person, ...]} or, instead of employees,
/// employee_zone: {x, y, radius}. What is wrong is reported.
void floor_plan_read(struct floor_plan *plan, const struct node *counters,
                     const struct driver_context *context, const char *client_measure,
                     const char *bystander_measure, struct problems *problems);

/// The sensor watched all counters from..to (excluded).
void floor_plan_watch(const struct floor_plan *plan, struct source *source, int64_t from_ms,
                      int64_t to_ms);
/// The distances at one instant. Returns how many samples they gave.
uint32_t floor_plan_tell(const struct floor_plan *plan, struct scene *scene, struct source *source,
                         int64_t t_ms);
