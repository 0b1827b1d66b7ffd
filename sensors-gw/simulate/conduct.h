#pragma once
// How an employee truly serves a client: what every perfect sensor would see of it.

#include "sensors-gw/simulate/course.h"
#include "sensors-gw/simulate/traits.h"

enum quantity {
    QUANTITY_CLIENT,    // distance to the client
    QUANTITY_BYSTANDER, // from the client to the nearest other person
    QUANTITY_SMILE,
    QUANTITY_FACING,
    QUANTITY_GAZE,
    QUANTITY_LOUDNESS,
    QUANTITY_BADGE,
    QUANTITY_UNIFORM,
    QUANTITY_TIDINESS,
    QUANTITY_COUNT
};
struct quantity_form {
    const char *measure;
    double grain;    // of a level, in the measure's unit
    int32_t every_s; // between two samples
};
extern const struct quantity_form quantity_forms[QUANTITY_COUNT];

enum phrase {
    PHRASE_GREETING,
    PHRASE_FAREWELL,
    PHRASE_THANKS,
    PHRASE_IDENTITY_CHECK,
    PHRASE_FORBIDDEN,
    PHRASE_COUNT
};
extern const char *const phrase_names[PHRASE_COUNT];
#define PHRASE_MEASURE "audio.phrase"

struct conduct {
    struct course courses[QUANTITY_COUNT];
    int32_t said_s[PHRASE_COUNT]; // from the start; -1: never
};

/// By the traits of a person in one encounter that lasts service_s > 0.
void conduct_draw(const struct traits *traits, uint32_t person, int64_t day, uint32_t visit,
                  int32_t service_s, struct conduct *conduct);
