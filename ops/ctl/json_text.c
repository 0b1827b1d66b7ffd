#include "ops/ctl/json_text.h"

const char *standard_text(const json_t *standard, const char *key) {
    const char *text = json_string_value(json_object_get(standard, key));
    return text ? text : "";
}
