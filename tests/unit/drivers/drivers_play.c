// drivers_play CONFIG MEASURES ZONE INDEX RESTART_EVERY [KEY=VALUE]...: what one driver of a
// gateway's file yields, as text (play.h), for the tests in Python that compute the same
// independently. RESTART_EVERY: so many turns, 0: never.

#include "common/registry/measures.h"
#include "common/registry/zone.h"
#include "common/settings/file.h"
#include "tests/unit/drivers/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool set_all(struct document *document, int count, char **sets, struct problems *problems) {
    for (int i = 0; i < count; i++) {
        char *value = strchr(sets[i], '=');
        if (!value) return false;
        *value++ = '\0';
        if (!document_set(document, sets[i], value, problems)) return false;
    }
    return true;
}

static const struct node *entry_at(const struct document *document, unsigned long index) {
    const struct node *list = node_find(document_root(document), "drivers");
    const struct node *entry = list ? list->first : NULL;
    while (entry && index-- > 0)
        entry = entry->next;
    return entry;
}

int main(int argc, char **argv) {
    struct problems problems = {0};
    struct problem problem = {0};
    struct measure_catalogue catalogue;
    struct zone zone;
    struct played played = {0};
    if (argc < 6) {
        fprintf(stderr,
                "usage: drivers_play CONFIG MEASURES ZONE INDEX RESTART_EVERY [KEY=VALUE]...\n");
        return 2;
    }
    struct document *document = document_open(argv[1], &problems);
    if (!document || !measures_load(argv[2], &catalogue, &problems) ||
        !set_all(document, argc - 6, argv + 6, &problems)) {
        problems_print(&problems, stderr);
        return 2;
    }
    if (zone_load(argv[3], &zone, &problem)) {
        fprintf(stderr, "%s\n", problem.text);
        return 2;
    }
    struct play play = {.entry = entry_at(document, strtoul(argv[4], NULL, 10)),
                        .measures = &catalogue.measures,
                        .zone = &zone,
                        .budget = 4096,
                        .utc_ms = 1795424400000, // 2026-11-23 10:00 in Berlin
                        .restart_every = (uint32_t)strtoul(argv[5], NULL, 10)};
    if (!play.entry) {
        fprintf(stderr, "%s has no such driver\n", argv[1]);
        return 2;
    }
    play_run(&play, &played);
    printf("%s%s%s", played.facts, played.series, played.notes);
    if (played.err != ERR_END) fprintf(stderr, "%s\n", played.problem.text);
    int status = played.err == ERR_END ? 0 : 1;
    played_free(&played);
    zone_free(&zone);
    measures_free(&catalogue);
    document_free(document);
    return status;
}
