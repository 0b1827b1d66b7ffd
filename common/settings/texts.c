#include "common/settings/texts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool add(struct texts *texts, const char *folder, const char *name,
                struct problems *problems) {
    char path[512];
    if (!path_join(folder, name, path, sizeof path, problems)) return false;
    if (texts->count == TEXTS_MAX || strlen(name) >= TEXT_NAME_SIZE) {
        problems_add(
            problems, ERR_FULL, path,
            "more than %d files, or a name of %d bytes or more; join files, or rename them",
            TEXTS_MAX, TEXT_NAME_SIZE);
        return false;
    }
    struct text *items = realloc(texts->items, (texts->count + 1) * sizeof *items);
    if (!items) {
        problems_add(problems, ERR_NOMEM, path, "out of memory");
        return false;
    }
    texts->items = items;
    struct text *text = &items[texts->count++];
    memcpy(text->name, name, strlen(name) + 1);
    buffer_init(&text->bytes, DOCUMENT_SIZE_MAX);
    return file_read(path, DOCUMENT_SIZE_MAX, &text->bytes, problems);
}

/// A subfolder that is not there has no files.
static bool add_subfolder(struct texts *texts, const char *folder, const char *subfolder,
                          struct problems *problems) {
    char path[512], name[TEXT_NAME_SIZE];
    struct folder_names names;
    if (!path_join(folder, subfolder, path, sizeof path, problems)) return false;
    if (access(path, F_OK) != 0) return true;
    bool done = folder_names(path, &names, problems);
    for (size_t i = 0; i < names.count; i++)
        done = path_join(subfolder, names.items[i], name, sizeof name, problems) &&
               add(texts, folder, name, problems) && done;
    folder_names_free(&names);
    return done;
}

bool texts_open(const char *folder, const char *const *files, const char *const *subfolders,
                struct texts *out, struct problems *problems) {
    char path[512];
    *out = (struct texts){0};
    bool done = true;
    for (; *files; files++) {
        if (!path_join(folder, *files, path, sizeof path, problems)) return false;
        if (access(path, F_OK) == 0) done = add(out, folder, *files, problems) && done;
    }
    for (; *subfolders; subfolders++)
        done = add_subfolder(out, folder, *subfolders, problems) && done;
    return done;
}

void texts_free(struct texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        buffer_fini(&texts->items[i].bytes);
    free(texts->items);
    *texts = (struct texts){0};
}
