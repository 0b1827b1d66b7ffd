#include "sensors-gw/drivers/truth_file.h"

#include "sensors-gw/simulate/truth.h"

#include <inttypes.h>
#include <math.h>

static void put_time(FILE *file, const char *key, int64_t opened_ms, int32_t second) {
    char text[TIME_TEXT_SIZE] = "";
    if (second >= 0) time_text(opened_ms + (int64_t)second * 1000, text);
    fprintf(file, second >= 0 ? ", \"%s\": \"%s\"" : ", \"%s\": null", key, text);
}

static void put_standard(FILE *file, const struct truth *truth, const char *separator) {
    fprintf(file, "%s\"%s\": {\"met\": %s, \"value\": ", separator, truth->standard,
            truth->says == TRUTH_MET ? "true" : "false");
    if (isnan(truth->value))
        fprintf(file, "null}");
    else
        fprintf(file, "%.9g}", truth->value);
}

void truth_file_put(FILE *file, const struct name *encounter, const struct id *counter, int64_t day,
                    int64_t opened_ms, const struct visit *visit) {
    struct truth truths[TRUTHS];
    const char *separator = "";
    truth_tell(visit, truths);
    fprintf(file, "{\"encounter\": \"%s\", \"counter\": \"%s\", \"day\": %" PRId64, encounter->text,
            counter->text, day);
    if (visit->started_s >= 0) fprintf(file, ", \"employee\": %u", visit->employee);
    put_time(file, "started", opened_ms, visit->started_s);
    put_time(file, "ended", opened_ms, visit->ended_s);
    fprintf(file, ", \"outcome\": \"%s\", \"standards\": {", outcome_name(visit->outcome));
    for (size_t i = 0; i < TRUTHS; i++) {
        if (truths[i].says == TRUTH_NOT_APPLICABLE) continue;
        put_standard(file, &truths[i], separator);
        separator = ", ";
    }
    fprintf(file, "}}\n");
}
