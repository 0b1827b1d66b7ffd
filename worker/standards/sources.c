#include "worker/standards/sources.h"

#include <string.h>

static bool below(const char *name, const char *folder) {
    return strncmp(name, folder, strlen(folder)) == 0;
}

static struct source *single(struct sources *sources, const char *name) {
    if (strcmp(name, "values.yaml") == 0) return &sources->values;
    if (strcmp(name, "norms.yaml") == 0) return &sources->norms;
    if (strcmp(name, "offerings.yaml") == 0) return &sources->offerings;
    if (strcmp(name, "scoring.yaml") == 0) return &sources->scoring;
    return NULL;
}

/// Where the document of a file belongs; NULL: nowhere.
static struct document **place_of(struct sources *sources, const char *name) {
    struct source *source = single(sources, name);
    if (source && source->given) return NULL;
    if (source) {
        source->given = true;
        return &source->document;
    }
    if (below(name, "standards/") && sources->standard_count < SOURCES_MAX)
        return &sources->standards[sources->standard_count++];
    if (below(name, "overlays/") && sources->overlay_count < SOURCES_MAX)
        return &sources->overlays[sources->overlay_count++];
    return NULL;
}

void sources_parse(struct reading *reading, const struct standards_file *files, size_t count,
                   struct sources *out) {
    for (size_t i = 0; i < count; i++) {
        struct document **place = place_of(out, files[i].name);
        if (!place) {
            problems_add(reading->problems, ERR_CONFLICT, files[i].name,
                         "not a file of standards, there twice, or more than %d of them; remove it",
                         SOURCES_MAX);
            continue;
        }
        *place = document_parse(files[i].name, files[i].text, reading->problems);
    }
}

void sources_free(struct sources *sources) {
    document_free(sources->values.document);
    document_free(sources->norms.document);
    document_free(sources->offerings.document);
    document_free(sources->scoring.document);
    for (size_t i = 0; i < sources->standard_count; i++)
        document_free(sources->standards[i]);
    for (size_t i = 0; i < sources->overlay_count; i++)
        document_free(sources->overlays[i]);
}

const struct node *source_root(struct reading *reading, const struct source *source,
                               const char *name) {
    if (source->document) return document_root(source->document);
    if (!source->given)
        problems_add(reading->problems, ERR_MISSING, name, "is missing; write this file");
    return NULL;
}
