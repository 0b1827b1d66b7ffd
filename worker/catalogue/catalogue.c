#include "worker/catalogue/catalogue.h"

#include "common/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool standards_texts(const char *config_dir, bool measures, struct texts *texts,
                            struct problems *problems) {
    static const char *const names[] = {"measures.yaml",  "values.yaml",  "norms.yaml",
                                        "offerings.yaml", "scoring.yaml", NULL};
    static const char *const subfolders[] = {"standards", "overlays", NULL};
    return texts_open(config_dir, measures ? names : names + 1, subfolders, texts, problems);
}

bool catalogue_documents(const char *config_dir, struct texts *texts, struct problems *problems) {
    return standards_texts(config_dir, true, texts, problems);
}

static bool load_standards(const char *config_dir, struct catalogue *catalogue,
                           struct problems *problems) {
    struct texts texts;
    struct standards_file *files = NULL;
    bool done = standards_texts(config_dir, false, &texts, problems);
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

bool catalogue_plan(const struct standards *standards, const struct branch *branch,
                    struct standards_plan *plan, struct problems *problems) {
    struct standards_place where = {
        .branch = branch->id.text, .region = branch->region.text, .country = branch->country};
    return standards_plan(standards, &where, plan, problems) == ERR_NONE;
}

void plans_hash(const struct standards_plan *plans, size_t count, char text[PLANS_HASH_SIZE]) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < plans[i].count; k++) {
            const struct dated_set *dated = &plans[i].sets[k];
            uint64_t all[3] = {sum, (uint64_t)dated->from,
                               hash_fnv64(dated->set->hash, SET_HASH_SIZE)};
            sum = hash_fnv64(all, sizeof all);
        }
    snprintf(text, PLANS_HASH_SIZE, "%016" PRIx64, sum);
}

bool catalogue_registry(const char *config_dir, char text[PLANS_HASH_SIZE],
                        struct problems *problems) {
    static const char *const names[] = {"measures.yaml", NULL};
    static const char *const subfolders[] = {"branches", NULL};
    struct texts texts;
    bool done = texts_open(config_dir, names, subfolders, &texts, problems);
    uint64_t sum = 0;
    for (size_t i = 0; done && i < texts.count; i++) {
        struct bytes bytes = buffer_bytes(&texts.items[i].bytes);
        uint64_t all[3] = {sum, hash_fnv64(texts.items[i].name, strlen(texts.items[i].name)),
                           hash_fnv64(bytes.data, bytes.size)};
        sum = hash_fnv64(all, sizeof all);
    }
    texts_free(&texts);
    snprintf(text, PLANS_HASH_SIZE, "%016" PRIx64, sum);
    return done;
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
        if (!catalogue_plan(catalogue->standards, &catalogue->branches.items[i],
                            &catalogue->plans[i], problems))
            return false;
    plans_hash(catalogue->plans, count, catalogue->hash_text);
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
