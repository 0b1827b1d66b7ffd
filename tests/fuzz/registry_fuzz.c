// A branch, or the measures, of any bytes: read, or refused with file and line.

#include "common/registry/branches.h"
#include "common/registry/measures.h"

#include <assert.h>
#include <string.h>

static void read_branch(const struct node *root, struct problems *problems) {
    struct branches branches = {0};
    if (!branches_read(&root, 1, &branches, problems)) {
        assert(problems->count > 0);
        return;
    }
    assert(branches.count == 1);
    const struct branch *branch = &branches.items[0];
    assert(branches_find(&branches, &branch->id) == branch && branch->counter_count > 0);
    for (size_t i = 0; i < branch->gateway_count; i++)
        for (size_t k = 0; k < branch->gateways[i].counter_count; k++)
            assert(branch->gateways[i].counters[k] < branch->counter_count);
    branches_free(&branches);
}

static void read_measures(const struct node *root, struct problems *problems) {
    struct measure_catalogue measures = {0};
    if (!measures_read(root, &measures, problems)) {
        assert(problems->count > 0);
        return;
    }
    for (size_t i = 0; i < measures.measures.count; i++) {
        const char *id = measures.measures.items[i].id.text;
        assert(measures_find(&measures.measures, id, strlen(id)) == &measures.measures.items[i]);
    }
    measures_free(&measures);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct problems problems, others;
    problems = others = (struct problems){0};
    struct document *document =
        document_parse("fuzzed.yaml", (struct bytes){data, size}, &problems);
    if (!document) return 0;
    read_branch(document_root(document), &problems);
    read_measures(document_root(document), &others);
    document_free(document);
    return 0;
}
