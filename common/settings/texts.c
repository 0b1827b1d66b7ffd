#include "common/settings/texts.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool add(struct texts *texts, const char *folder, const char *name,
                struct problems *problems) {
    char path[512];
    if (!path_join(folder, name, path, sizeof path, problems)) return false;
    if (texts->count == TEXTS_MAX || strlen(name) >= TEXT_NAME_SIZE) {
        problems_add(problems, ERR_FULL, path, "more than %d files, or a name of %d bytes or more",
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

static int is_yaml(const struct dirent *entry) {
    size_t size = strlen(entry->d_name);
    return entry->d_name[0] != '.' && size > 5 && strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

static bool add_subfolder(struct texts *texts, const char *folder, const char *subfolder,
                          struct problems *problems) {
    char path[512], name[TEXT_NAME_SIZE];
    struct dirent **entries = NULL;
    if (!path_join(folder, subfolder, path, sizeof path, problems)) return false;
    int count = scandir(path, &entries, is_yaml, alphasort);
    if (count < 0 && errno == ENOENT) return true;
    if (count < 0) {
        problems_add(problems, ERR_IO, path, "cannot be read: %s", strerror(errno));
        return false;
    }
    bool done = true;
    for (int i = 0; i < count; i++) {
        done = done && path_join(subfolder, entries[i]->d_name, name, sizeof name, problems) &&
               add(texts, folder, name, problems);
        free(entries[i]);
    }
    free(entries);
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
