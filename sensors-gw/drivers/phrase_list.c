#include "sensors-gw/drivers/phrase_list.h"

#include "common/settings/file.h"

#include <string.h>

static void read_words(struct phrase_list *phrases, const struct node *entry, struct name label,
                       double threshold, struct problems *problems) {
    const struct node *list = node_need(entry, "en", problems);
    if (!list || !node_list(list, 1, PHRASES_MAX, problems)) return;
    for (const struct node *node = list->first; node; node = node->next) {
        const char *words;
        if (!node_text(node, 1, PHRASE_WORDS_SIZE - 1, &words, problems)) continue;
        if (phrases->count == PHRASES_MAX) {
            node_problem(node, problems, ERR_FULL, "more than %d wordings", PHRASES_MAX);
            return;
        }
        struct phrase *phrase = &phrases->items[phrases->count++];
        *phrase = (struct phrase){.label = label, .threshold = threshold};
        strcpy(phrase->words, words);
    }
}

enum err phrase_list_read(const char *path, struct phrase_list *phrases, struct problem *problem) {
    static const char *const keys[] = {"phrase", "en", "threshold", NULL};
    struct problems problems = {0};
    struct document *document = document_open(path, &problems);
    const struct node *list = document ? document_root(document) : NULL;
    phrases->count = 0;
    if (list && node_list(list, 1, PHRASES_MAX, &problems))
        for (const struct node *entry = list->first; entry; entry = entry->next) {
            struct name label;
            double threshold = 0;
            if (!node_map(entry, keys, &problems) ||
                !node_name(node_need(entry, "phrase", &problems), &label, &problems))
                continue;
            const struct node *number = node_find(entry, "threshold");
            if (number) (void)node_number(number, -100, -1, "", &threshold, &problems);
            read_words(phrases, entry, label, threshold, &problems);
        }
    document_free(document);
    return problems.count > 0 ? problems_first(&problems, problem) : ERR_NONE;
}
