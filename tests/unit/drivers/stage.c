#include "tests/unit/drivers/stage.h"

#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

static struct measure measures[] = {
    {.id = {"appearance.badge"}, .unit = "1", .resolution = 0.01, .least = 0, .most = 1},
    {.id = {"appearance.tidiness"}, .unit = "points", .resolution = 0.1, .least = 1, .most = 5},
    {.id = {"audio.phrase"}, .kind = MEASURE_EVENTS, .resolution = 1},
    {.id = {"distance.bystander"}, .unit = "m", .resolution = 0.01, .least = 0, .most = 20},
    {.id = {"distance.client"}, .unit = "m", .resolution = 0.01, .least = 0, .most = 20},
    {.id = {"vision.facing"}, .unit = "deg", .resolution = 1, .least = 0, .most = 180},
    {.id = {"vision.gaze"}, .unit = "1", .resolution = 0.01, .least = 0, .most = 1},
    {.id = {"vision.nod"}, .kind = MEASURE_EVENTS, .resolution = 1},
    {.id = {"vision.smile"}, .unit = "1", .resolution = 0.01, .least = 0, .most = 1},
};
const struct measures stage_measures = {sizeof measures / sizeof measures[0], measures};

static const int64_t transitions_ms[] = {INT64_MIN, 1774746000000, 1792890000000};
static const int32_t offsets_s[] = {3600, 7200, 3600};
const struct zone stage_zone = {3, transitions_ms, offsets_s};

const char *stage_file(const char *text, bool gzip) {
    static char paths[64][32];
    static size_t count;
    if (count == sizeof paths / sizeof paths[0]) abort();
    char *path = paths[count++];
    int fd = memfd_create("stage", MFD_CLOEXEC);
    if (fd < 0) abort();
    snprintf(path, sizeof paths[0], "/proc/self/fd/%d", fd);
    size_t size = strlen(text);
    if (gzip) {
        gzFile file = gzdopen(dup(fd), "wb");
        if (!file || gzwrite(file, text, (unsigned)size) != (int)size || gzclose(file)) abort();
    } else if (write(fd, text, size) != (ssize_t)size) {
        abort();
    }
    return path;
}

struct played stage_play(const struct play *options, const char *format, ...) {
    char yaml[8192];
    struct problems problems = {0};
    struct played played;
    struct play play = {.budget = 64};
    if (options) play = *options;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(yaml, sizeof yaml, format, arguments);
    va_end(arguments);
    struct document *document = document_parse("entry.yaml", bytes_of_text(yaml), &problems);
    if (!document) {
        problems_print(&problems, stderr);
        abort();
    }
    play.entry = document_root(document);
    play.measures = &stage_measures;
    play.zone = &stage_zone;
    play_run(&play, &played);
    document_free(document);
    return played;
}

void stage_refused(const char *entry, const char *text, const char *more, const char *told) {
    struct played played = stage_play(NULL, entry, stage_file(text, false), more);
    if (played.err == ERR_END || !strstr(played.problem.text, told)) {
        fprintf(stderr, "it said: %s, and not: %s\n", played.problem.text, told);
        abort();
    }
    played_free(&played);
}
