#include "worker/catalogue/catalogue.h"

#include "common/base/hash.h"
#include "common/settings/texts.h"
#include "worker/standards/reach.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// A folder's texts as files of their names. false: reported; sources_free it anyway.
struct sources {
    struct texts texts;
    struct standards_file *files;
};

static bool sources_open(const char *config_dir, bool measures, struct sources *out,
                         struct problems *problems) {
    static const char *const names[] = {"measures.yaml",  "values.yaml",  "norms.yaml",
                                        "offerings.yaml", "scoring.yaml", NULL};
    static const char *const subfolders[] = {"standards", "overlays", NULL};
    *out = (struct sources){0};
    if (!texts_open(config_dir, measures ? names : names + 1, subfolders, &out->texts, problems))
        return false;
    out->files = calloc(out->texts.count + 1, sizeof *out->files);
    if (!out->files) problems_add(problems, ERR_NOMEM, config_dir, "out of memory");
    for (size_t i = 0; out->files && i < out->texts.count; i++)
        out->files[i] = (struct standards_file){out->texts.items[i].name,
                                                buffer_bytes(&out->texts.items[i].bytes)};
    return out->files != NULL;
}

static void sources_free(struct sources *sources) {
    free(sources->files);
    texts_free(&sources->texts);
}

/// How many files there are with this one among them; sources_open left room for it.
static size_t sources_put(struct sources *sources, const struct standards_file *instead) {
    size_t count = sources->texts.count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(sources->files[i].name, instead->name) != 0) continue;
        sources->files[i] = *instead;
        return count;
    }
    sources->files[count] = *instead;
    return count + 1;
}

static bool load_standards(const char *config_dir, const struct standards_file *instead,
                           bool measured, struct catalogue *catalogue, struct problems *problems) {
    struct sources sources;
    bool done = sources_open(config_dir, false, &sources, problems);
    size_t count = done && instead ? sources_put(&sources, instead) : sources.texts.count;
    done = done &&
           standards_read(sources.files, count, measured ? &catalogue->measures.measures : NULL,
                          &catalogue->standards, problems) == ERR_NONE;
    sources_free(&sources);
    return done;
}

bool catalogue_edition(const char *config_dir, struct edition *edition, struct problems *problems) {
    struct sources sources;
    struct problem problem = {0};
    *edition = (struct edition){0};
    bool done = sources_open(config_dir, true, &sources, problems);
    if (done && edition_init(edition, sources.files, sources.texts.count, &problem)) {
        problems_add(problems, problem.err, config_dir, "%s", problem.text);
        done = false;
    }
    sources_free(&sources);
    return done;
}

static bool read_measures(const struct standards_file *file, struct measure_catalogue *out,
                          struct problems *problems) {
    struct document *document = document_parse(file->name, file->text, problems);
    if (!document) return false;
    bool done = measures_read(document_root(document), out, problems);
    document_free(document);
    return done;
}

bool edition_standards(const struct edition *edition, struct measure_catalogue *measures,
                       struct standards **standards, struct problems *problems) {
    struct standards_file *files = calloc(edition->file_count + 1, sizeof *files);
    size_t count = 0;
    bool measured = false, good = files != NULL;
    if (!good) problems_add(problems, ERR_NOMEM, NULL, "out of memory");
    for (size_t i = 0; good && i < edition->file_count; i++) {
        if (strcmp(edition->files[i].name, "measures.yaml") != 0) {
            files[count++] = edition->files[i];
            continue;
        }
        measured = good = read_measures(&edition->files[i], measures, problems);
    }
    if (good && !measured)
        problems_add(problems, ERR_MISSING, "measures.yaml",
                     "is not among the documents; publish it with them");
    good = measured &&
           standards_read(files, count, &measures->measures, standards, problems) == ERR_NONE;
    free(files);
    return good;
}

bool catalogue_plan(const struct standards *standards, const struct branch *branch,
                    struct standards_plan *plan, struct problems *problems) {
    struct standards_place where = {
        .branch = branch->id.text, .region = branch->region.text, .country = branch->country};
    return standards_plan(standards, &where, plan, problems) == ERR_NONE;
}

/// Where all branches are; to be freed.
static struct standards_place *places_of(const struct branches *branches) {
    struct standards_place *places = calloc(branches->count ? branches->count : 1, sizeof *places);
    for (size_t i = 0; places && i < branches->count; i++) {
        const struct branch *branch = &branches->items[i];
        places[i] = (struct standards_place){
            .branch = branch->id.text, .region = branch->region.text, .country = branch->country};
    }
    return places;
}

static bool reaches(const struct catalogue *catalogue, struct problems *problems) {
    struct standards_place *places = places_of(&catalogue->branches);
    if (!places) problems_add(problems, ERR_NOMEM, NULL, "out of memory");
    bool good = places &&
                standards_reach(catalogue->standards, places, catalogue->branches.count, problems);
    free(places);
    return good;
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

static bool plan_all(struct catalogue *catalogue, struct problems *problems) {
    size_t count = catalogue->branches.count;
    catalogue->plans = calloc(count ? count : 1, sizeof catalogue->plans[0]);
    if (!catalogue->plans) problems_add(problems, ERR_NOMEM, NULL, "out of memory");
    bool done = catalogue->plans != NULL;
    for (size_t i = 0; done && i < count; i++)
        done = catalogue_plan(catalogue->standards, &catalogue->branches.items[i],
                              &catalogue->plans[i], problems);
    if (done) plans_hash(catalogue->plans, count, catalogue->hash_text);
    return done;
}

bool catalogue_load(const char *config_dir, struct catalogue *catalogue,
                    struct problems *problems) {
    return catalogue_load_instead(config_dir, NULL, catalogue, problems);
}

bool catalogue_load_instead(const char *config_dir, const struct standards_file *instead,
                            struct catalogue *catalogue, struct problems *problems) {
    char measures[512], branches[512];
    *catalogue = (struct catalogue){0};
    if (!path_join(config_dir, "measures.yaml", measures, sizeof measures, problems) ||
        !path_join(config_dir, "branches", branches, sizeof branches, problems))
        return false;

    bool measured = measures_load(measures, &catalogue->measures, problems);
    bool done = branches_load(branches, &catalogue->branches, problems) && measured;
    done = load_standards(config_dir, instead, measured, catalogue, problems) && done;
    if (!done || !reaches(catalogue, problems)) return false;

    return plan_all(catalogue, problems);
}

bool catalogue_load_edition(const char *config_dir, const struct edition *edition,
                            struct catalogue *catalogue, struct problems *problems) {
    char branches[512];
    *catalogue = (struct catalogue){0};
    return path_join(config_dir, "branches", branches, sizeof branches, problems) &&
           branches_load(branches, &catalogue->branches, problems) &&
           edition_standards(edition, &catalogue->measures, &catalogue->standards, problems) &&
           plan_all(catalogue, problems);
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
