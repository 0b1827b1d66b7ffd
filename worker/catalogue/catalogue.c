#include "worker/catalogue/catalogue.h"

#include "common/base/hash.h"
#include "common/settings/texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool load_standards(const char *config_dir, struct catalogue *catalogue,
                           struct problems *problems) {
    static const char *const names[] = {"values.yaml", "norms.yaml", "offerings.yaml",
                                        "scoring.yaml", NULL};
    static const char *const subfolders[] = {"standards", "overlays", NULL};
    struct texts texts;
    struct standards_file *files = NULL;
    bool done = texts_open(config_dir, names, subfolders, &texts, problems);
    if (done) {
        files = calloc(texts.count ? texts.count : 1, sizeof *files);
        if (!files) {
            problems_add(problems, ERR_NOMEM, config_dir, "out of memory");
            done = false;
        }
    }
    for (size_t i = 0; done && i < texts.count; i++)
        files[i] =
            (struct standards_file){texts.items[i].name, buffer_bytes(&texts.items[i].bytes)};
    done = done && standards_read(files, texts.count, &catalogue->measures.measures,
                                  &catalogue->standards, problems) == ERR_NONE;
    free(files);
    texts_free(&texts);
    return done;
}

static bool plan_branch(struct catalogue *catalogue, size_t place, struct problems *problems) {
    const struct branch *branch = &catalogue->branches.items[place];
    struct standards_place where = {
        .branch = branch->id.text, .region = branch->region.text, .country = branch->country};
    return standards_plan(catalogue->standards, &where, &catalogue->plans[place], problems) ==
           ERR_NONE;
}

/// Branches may have sets of their own, and others from some day on; one hash stands for all.
static void sum_up_sets(struct catalogue *catalogue) {
    uint64_t sum = 0;
    for (size_t i = 0; i < catalogue->branches.count; i++)
        for (size_t k = 0; k < catalogue->plans[i].count; k++) {
            const struct dated_set *dated = &catalogue->plans[i].sets[k];
            uint64_t all[3] = {sum, (uint64_t)dated->from,
                               hash_fnv64(dated->set->hash, SET_HASH_SIZE)};
            sum = hash_fnv64(all, sizeof all);
        }
    snprintf(catalogue->hash_text, sizeof catalogue->hash_text, "%016" PRIx64, sum);
}

bool catalogue_load(const char *config_dir, struct catalogue *catalogue,
                    struct problems *problems) {
    char measures[512], branches[512];
    *catalogue = (struct catalogue){0};
    if (!path_join(config_dir, "measures.yaml", measures, sizeof measures, problems) ||
        !path_join(config_dir, "branches", branches, sizeof branches, problems))
        return false;

    bool done = measures_load(measures, &catalogue->measures, problems);
    done = branches_load(branches, &catalogue->branches, problems) && done;
    done = load_standards(config_dir, catalogue, problems) && done;
    if (!done) return false;

    size_t count = catalogue->branches.count;
    catalogue->plans = calloc(count ? count : 1, sizeof catalogue->plans[0]);
    if (!catalogue->plans) {
        problems_add(problems, ERR_NOMEM, config_dir, "out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!plan_branch(catalogue, i, problems)) return false;
    sum_up_sets(catalogue);
    return true;
}

void catalogue_free(struct catalogue *catalogue) {
    if (catalogue->plans)
        for (size_t i = 0; i < catalogue->branches.count; i++)
            standards_plan_fini(&catalogue->plans[i]);
    free(catalogue->plans);
    standards_free(catalogue->standards);
    branches_free(&catalogue->branches);
    measures_free(&catalogue->measures);
    *catalogue = (struct catalogue){0};
}
