// tresenctl status

#include "ops/ctl/broker_link.h"
#include "ops/ctl/card.h"
#include "ops/ctl/status_text.h"

#include <string.h>

/// Whether those who work judge by the same.
static bool standards_differ(const json_t *workers) {
    const char *first = NULL;
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) {
        const char *standards = json_string_value(json_object_get(worker, "set"));
        if (!json_is_true(json_object_get(worker, "ready")) || !standards) continue;
        if (first && strcmp(first, standards) != 0) return true;
        first = standards;
    }
    return false;
}

/// Whether Redis runs an older function library than one of them brings.
static bool library_older(const json_t *workers) {
    const json_t *worker;
    size_t i;
    json_array_foreach(workers, i, worker) if (library_is_older(worker)) return true;
    return false;
}

int ctl_status(struct ctl *ctl) {
    json_t *status = brokers_status(ctl);
    if (!status) return CTL_FAILED;
    bool differ = standards_differ(json_object_get(status, "workers"));
    json_object_set_new(status, "standards_differ", json_boolean(differ));
    bool older = library_older(json_object_get(status, "workers"));
    json_object_set_new(status, "library_older", json_boolean(older));
    int result = brokers_tell(status) ? CTL_OK : CTL_FAILED;
    if (ctl->json) return ctl_print_json(status) == CTL_OK ? result : CTL_FAILED;
    status_print(status);
    json_decref(status);
    return result;
}
