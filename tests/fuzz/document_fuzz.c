// YAML of any bytes is refused with a reason, or every node knows its place and reads as something.

#include "common/settings/document.h"

#include <assert.h>

static void walk(const struct node *node, uint32_t depth) {
    struct problems problems = {0};
    char text[NODE_PATH_SIZE];
    const char *scalar;
    double number;
    assert(depth <= DOCUMENT_DEPTH_MAX && node->line > 0 && node->column > 0);
    assert(node_path(node, text) == text);
    (void)node_number(node, -1e300, 1e300, "", &number, &problems);
    bool is_text = node_text(node, 0, DOCUMENT_SIZE_MAX, &scalar, &problems);
    assert(is_text == (node->kind == NODE_SCALAR));
    size_t count = 0;
    for (const struct node *at = node->first; at; at = at->next, count++) {
        assert(at->parent == node && at->index == count);
        assert(!at->key || node_find(node, at->key) == at);
        walk(at, depth + 1);
    }
    assert(count == node->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct problems problems;
    problems = (struct problems){0};
    struct document *document =
        document_parse("fuzzed.yaml", (struct bytes){data, size}, &problems);
    assert(!document == (problems.count > 0));
    if (!document) return 0;
    const struct node *root = document_root(document);
    if (root->count > 0) walk(root, 1);
    document_free(document);
    return 0;
}
