#include "sensors-gw/drivers/scene.h"

#include <math.h>
#include <string.h>

static double distance(struct place a, struct place b) {
    double dx = a.x_m - b.x_m, dy = a.y_m - b.y_m;
    return sqrt(dx * dx + dy * dy);
}

static bool named(const struct counter_place *counter, const struct person *person) {
    for (size_t i = 0; i < counter->employee_count; i++)
        if (strcmp(counter->employees[i], person->name) == 0) return true;
    return false;
}

static bool in_zone(const struct counter_place *counter, const struct person *person) {
    return counter->employee_count == 0 &&
           distance(counter->zone, person->at) <= counter->zone_radius_m;
}

void scene_sort(struct scene *scene, const struct counter_place *counters, size_t count) {
    for (size_t i = 0; i < scene->count; i++) {
        const struct person *person = &scene->persons[i];
        scene->employee[i] = false;
        for (size_t k = 0; k < count && !scene->employee[i]; k++)
            scene->employee[i] = named(&counters[k], person) || in_zone(&counters[k], person);
    }
}

static const struct person *employee_of(const struct scene *scene,
                                        const struct counter_place *counter) {
    bool by_zone = counter->employee_count == 0;
    struct place from = by_zone ? counter->zone : counter->at;
    double most = by_zone ? counter->zone_radius_m : counter->reach_m, least = INFINITY;
    const struct person *nearest = NULL;
    for (size_t i = 0; i < scene->count; i++) {
        const struct person *person = &scene->persons[i];
        if (!scene->employee[i] || (!by_zone && !named(counter, person))) continue;
        double away = distance(from, person->at);
        if (away > most || away >= least) continue;
        least = away;
        nearest = person;
    }
    return nearest;
}

/// The visitor within the counter's reach who is nearest to `from`, other than `except`.
static const struct person *visitor_near(const struct scene *scene,
                                         const struct counter_place *counter, struct place from,
                                         const struct person *except, double *least) {
    const struct person *nearest = NULL;
    *least = INFINITY;
    for (size_t i = 0; i < scene->count; i++) {
        const struct person *person = &scene->persons[i];
        if (scene->employee[i] || person == except) continue;
        double away = distance(from, person->at);
        if (away >= *least || distance(counter->at, person->at) > counter->reach_m) continue;
        *least = away;
        nearest = person;
    }
    return nearest;
}

static uint8_t lesser(uint8_t a, uint8_t b) {
    return a < b ? a : b;
}

struct distances scene_measure(const struct scene *scene, const struct counter_place *counter) {
    struct distances out = {0};
    const struct person *employee = employee_of(scene, counter);
    if (!employee) return out;
    const struct person *client = visitor_near(scene, counter, employee->at, NULL, &out.client_m);
    if (!client) return out;
    out.has_client = true;
    out.client_confidence = lesser(employee->confidence, client->confidence);
    const struct person *bystander =
        visitor_near(scene, counter, client->at, client, &out.bystander_m);
    if (!bystander) return out;
    out.has_bystander = true;
    out.bystander_confidence = lesser(client->confidence, bystander->confidence);
    return out;
}
