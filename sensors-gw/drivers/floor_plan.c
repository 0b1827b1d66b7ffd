#include "sensors-gw/drivers/floor_plan.h"

#include <string.h>

static void read_place(const struct node *map, struct place *place, struct problems *problems) {
    (void)node_number(node_need(map, "x", problems), -1e6, 1e6, "m", &place->x_m, problems);
    (void)node_number(node_need(map, "y", problems), -1e6, 1e6, "m", &place->y_m, problems);
}

static void read_employees(const struct node *node, struct counter_place *counter,
                           struct problems *problems) {
    const struct node *list = node_find(node, "employees");
    const struct node *zone = node_find(node, "employee_zone");
    static const char *const zone_keys[] = {"x", "y", "radius", NULL};
    if (!list == !zone) {
        node_problem(node, problems, ERR_CONFLICT,
                     "a counter needs either employees or employee_zone");
    } else if (zone) {
        if (!node_map(zone, zone_keys, problems)) return;
        read_place(zone, &counter->zone, problems);
        (void)node_number(node_need(zone, "radius", problems), 0.01, 1000, "m",
                          &counter->zone_radius_m, problems);
    } else if (node_list(list, 1, EMPLOYEES_MAX, problems)) {
        for (const struct node *entry = list->first; entry; entry = entry->next) {
            const char *name;
            if (node_text(entry, 1, PERSON_SIZE - 1, &name, problems))
                strcpy(counter->employees[counter->employee_count++], name);
        }
    }
}

static void read_counters(struct floor_plan *plan, const struct node *list,
                          struct problems *problems) {
    static const char *const keys[] = {"counter",       "x", "y", "reach", "employees",
                                       "employee_zone", NULL};
    if (!node_list(list, 1, SCENE_COUNTERS_MAX, problems)) return;
    for (const struct node *entry = list->first; entry; entry = entry->next) {
        struct counter_place *counter = &plan->counters[plan->counter_count++];
        if (!node_map(entry, keys, problems)) continue;
        (void)node_id(node_need(entry, "counter", problems), &counter->counter, problems);
        read_place(entry, &counter->at, problems);
        (void)node_number(node_need(entry, "reach", problems), 0.01, 1000, "m", &counter->reach_m,
                          problems);
        read_employees(entry, counter, problems);
    }
}

static const struct measure *find_measure(const struct driver_context *context, const char *id,
                                          struct problems *problems) {
    const struct measure *measure = measures_find(context->measures, id, strlen(id));
    if (!measure || measure->kind != MEASURE_SAMPLES)
        problems_add(problems, ERR_MISSING, NULL,
                     "measures.yaml has no measure \"%s\" of kind samples", id);
    return measure;
}

void floor_plan_read(struct floor_plan *plan, const struct node *counters,
                     const struct driver_context *context, const char *client_measure,
                     const char *bystander_measure, struct problems *problems) {
    read_counters(plan, counters, problems);
    plan->client = find_measure(context, client_measure, problems);
    plan->bystander = find_measure(context, bystander_measure, problems);
}

void floor_plan_watch(const struct floor_plan *plan, struct source *source, int64_t from_ms,
                      int64_t to_ms) {
    for (size_t i = 0; i < plan->counter_count; i++) {
        batching_watch(source, plan->client, &plan->counters[i].counter, from_ms, to_ms);
        batching_watch(source, plan->bystander, &plan->counters[i].counter, from_ms, to_ms);
    }
}

uint32_t floor_plan_tell(const struct floor_plan *plan, struct scene *scene, struct source *source,
                         int64_t t_ms) {
    uint32_t samples = 0;
    scene_sort(scene, plan->counters, plan->counter_count);
    for (size_t i = 0; i < plan->counter_count; i++) {
        const struct id *counter = &plan->counters[i].counter;
        struct distances seen = scene_measure(scene, &plan->counters[i]);
        if (!seen.has_client) continue;
        batching_sample(source, plan->client, counter, t_ms, seen.client_m, seen.client_confidence);
        samples++;
        if (seen.has_bystander)
            batching_sample(source, plan->bystander, counter, t_ms, seen.bystander_m,
                            seen.bystander_confidence);
        else if (plan->alone_m > 0)
            batching_sample(source, plan->bystander, counter, t_ms, plan->alone_m,
                            seen.client_confidence);
        samples += seen.has_bystander || plan->alone_m > 0;
    }
    return samples;
}
