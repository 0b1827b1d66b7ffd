// A file of standards (FUZZED_FILE names which) of any bytes, beside the shipped values, norms and
// offerings: it is refused with a reason, or the set that holds at a branch can be resolved.

#include "common/settings/file.h"
#include "worker/standards/standards.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES = 5 };

static struct measure measures[] = {
    {.id = {"audio.phrase"}, .kind = MEASURE_EVENTS, .resolution = 1},
    {.id = {"distance.bystander"}, .unit = "m", .resolution = 0.01, .least = 0, .most = 20},
    {.id = {"distance.client"}, .unit = "m", .resolution = 0.01, .least = 0, .most = 20},
};
static const struct measures declared = {sizeof measures / sizeof measures[0], measures};

/// The shipped file, read once; the program's end frees it.
static struct bytes shipped(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", SHIPPED_CONFIG, name);
    FILE *file = fopen(path, "rb");
    uint8_t *text = malloc(DOCUMENT_SIZE_MAX);
    assert(file && text);
    size_t size = fread(text, 1, DOCUMENT_SIZE_MAX, file);
    fclose(file);
    return (struct bytes){text, size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct standards_file files[FILES] = {
        {.name = "values.yaml"},  {.name = "norms.yaml"}, {.name = "offerings.yaml"},
        {.name = "scoring.yaml"}, {.name = FUZZED_FILE},
    };
    static struct problems problems;
    for (size_t i = 0; i + 1 < FILES; i++)
        if (!files[i].text.data) files[i].text = shipped(files[i].name);
    files[FILES - 1].text = (struct bytes){data, size};
    problems = (struct problems){0};
    struct standards *standards = NULL;
    enum err err = standards_read(files, FILES, &declared, &standards, &problems);
    assert(!err == (problems.count == 0));
    if (err) return 0;
    struct standards_place place = {.branch = "b", .region = "north", .country = "DE"};
    struct standard_set *set = NULL;
    err = standards_resolve(standards, &place, &set, &problems);
    assert(!err == (problems.count == 0));
    if (!err) standard_set_free(set);
    standards_free(standards);
    return 0;
}
