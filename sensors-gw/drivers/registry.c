#include "sensors-gw/drivers/registry.h"

#include <string.h>

extern const struct driver driver_audio, driver_decisions, driver_form, driver_jsonl, driver_ld2450,
    driver_phrases, driver_queue, driver_simulate, driver_tracks, driver_vision;

static const struct driver *const drivers[] = {
    &driver_audio,   &driver_decisions, &driver_form,   &driver_jsonl, &driver_ld2450,
#ifdef TRESEN_PHRASES
    &driver_phrases,
#endif
    &driver_queue,   &driver_simulate,  &driver_tracks, &driver_vision};

const struct driver *driver_at(size_t index) {
    return index < sizeof drivers / sizeof drivers[0] ? drivers[index] : NULL;
}

const struct driver *driver_find(const char *name, size_t size) {
    const struct driver *driver;
    for (size_t i = 0; (driver = driver_at(i)); i++)
        if (strlen(driver->name) == size && memcmp(driver->name, name, size) == 0) return driver;
    return NULL;
}
