#pragma once
// Where people stand at one instant, and the distances that matter at a counter. Pure.
//
// All distances are sqrt(dx * dx + dy * dy) in double, never fused. "Nearest" is the least
// distance; of equal ones the person who stands earlier in the frame.
//
//   employees  A person named in any counter's `employees`, or within `radius` (<=) of the centre
//              of any counter's `employee_zone`. Everybody else is a visitor.
//   employee   of a counter: of its named employees that are within `reach` (<=) of its position
//              the one nearest to its position; with an employee_zone: of the persons within the
//              zone the one nearest to the zone's centre.
//   client     of a counter with an employee: of the visitors within `reach` of its position the
//              one nearest to the employee.
//   bystander  of a counter with a client: of the other visitors within `reach` of its position
//              the one nearest to the client.
//
//   distance.client    = distance from employee to client
//   distance.bystander = distance from client to bystander
// The confidence of a distance is the lesser of its two persons'.

#include "common/domain/ids.h"

enum { PERSON_SIZE = 32, SCENE_PERSONS_MAX = 512, SCENE_COUNTERS_MAX = 64, EMPLOYEES_MAX = 16 };

struct place {
    double x_m, y_m;
};

struct person {
    char name[PERSON_SIZE]; // as the recording names it
    struct place at;
    uint8_t confidence; // percent
};

struct counter_place {
    struct id counter;
    struct place at;
    double reach_m;
    size_t employee_count; // 0: by zone
    char employees[EMPLOYEES_MAX][PERSON_SIZE];
    struct place zone;
    double zone_radius_m;
};

struct scene {
    size_t count;
    struct person persons[SCENE_PERSONS_MAX];
    bool employee[SCENE_PERSONS_MAX]; // written by scene_sort
};

struct distances {
    bool has_client, has_bystander;
    double client_m, bystander_m;
    uint8_t client_confidence, bystander_confidence; // percent
};

/// Tell employees from visitors; before scene_measure.
void scene_sort(struct scene *scene, const struct counter_place *counters, size_t count);
struct distances scene_measure(const struct scene *scene, const struct counter_place *counter);
