#include "worker/catalogue/loading.h"

#include <stdlib.h>
#include <string.h>

struct loading {
    struct editions *editions;
    const struct branches *branches;
    const struct measures *own;
    size_t edition, branch; // the next step
    bool read;              // the edition's documents are
    struct measure_catalogue measures;
    struct standards *standards;
    struct plans *plans;
};

void plans_free(struct plans *plans) {
    if (!plans) return;
    for (size_t i = 0; i < plans->count; i++)
        standards_plan_fini(&plans->items[i]);
    free(plans->items);
    free(plans);
}

struct loading *loading_new(struct editions **editions, const struct branches *branches,
                            const struct measures *measures) {
    struct loading *loading = calloc(1, sizeof *loading);
    struct plans *plans = calloc(1, sizeof *plans);
    if (plans) plans->items = calloc(branches->count ? branches->count : 1, sizeof *plans->items);
    if (!loading || !plans || !plans->items) {
        free(loading);
        plans_free(plans);
        return NULL;
    }
    *loading = (struct loading){
        .editions = *editions, .branches = branches, .own = measures, .plans = plans};
    plans->count = branches->count;
    *editions = NULL;
    return loading;
}

static void forget_documents(struct loading *loading) {
    standards_free(loading->standards);
    measures_free(&loading->measures);
    loading->standards = NULL;
    loading->read = false;
}

void loading_free(struct loading *loading) {
    if (!loading) return;
    forget_documents(loading);
    editions_free(loading->editions);
    plans_free(loading->plans);
    free(loading);
}

/// Series come as integers of this program's resolution: judged by another they would be wrong.
static bool measures_agree(const struct measures *own, const struct measures *others,
                           struct problems *problems) {
    size_t before = problems->count;
    for (size_t i = 0; i < others->count; i++) {
        const struct measure *other = &others->items[i];
        const struct measure *mine = measures_find(own, other->id.text, strlen(other->id.text));
        if (mine && (mine->kind != other->kind || mine->resolution != other->resolution ||
                     strcmp(mine->unit, other->unit) != 0))
            problems_add(problems, ERR_CONFLICT, "measures.yaml",
                         "%s has another kind, unit or resolution than in measures.yaml of "
                         "config_dir, by which series are read; give what is new another id",
                         other->id.text);
    }
    return problems->count == before;
}

static bool read_documents(struct loading *loading, struct problems *problems) {
    const struct edition *edition = &loading->editions->items[loading->edition];
    loading->read = edition_standards(edition, &loading->measures, &loading->standards, problems) &&
                    measures_agree(loading->own, &loading->measures.measures, problems);
    return loading->read;
}

static bool plan_branch(struct loading *loading, struct problems *problems) {
    struct standards_plan *plan = &loading->plans->items[loading->branch], next;
    const struct branch *branch = &loading->branches->items[loading->branch++];
    if (loading->edition == 0) return catalogue_plan(loading->standards, branch, plan, problems);
    if (!catalogue_plan(loading->standards, branch, &next, problems)) return false;
    int32_t from = loading->editions->items[loading->edition].from;
    if (standards_plan_follow(plan, from, &next) == ERR_NONE) return true;
    standards_plan_fini(&next);
    problems_add(problems, ERR_NOMEM, branch->id.text, "out of memory");
    return false;
}

enum loading_state loading_step(struct loading *loading, struct problems *problems) {
    if (loading->edition == loading->editions->count) return LOADING_DONE;
    if (!loading->read) return read_documents(loading, problems) ? LOADING_MORE : LOADING_FAILED;
    if (loading->branch < loading->branches->count)
        return plan_branch(loading, problems) ? LOADING_MORE : LOADING_FAILED;
    forget_documents(loading);
    loading->branch = 0;
    if (++loading->edition < loading->editions->count) return LOADING_MORE;
    plans_hash(loading->plans->items, loading->plans->count, loading->plans->hash);
    return LOADING_DONE;
}

bool loading_finish(struct loading *loading, struct problems *problems) {
    enum loading_state state;
    do {
        state = loading_step(loading, problems);
    } while (state == LOADING_MORE);
    return state == LOADING_DONE;
}

struct plans *loading_take(struct loading *loading) {
    struct plans *plans = loading->plans;
    loading->plans = NULL;
    return plans;
}
