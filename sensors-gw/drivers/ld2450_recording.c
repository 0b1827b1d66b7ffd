#include "sensors-gw/drivers/ld2450_recording.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { BYTES_A_CALL = 4096 };

enum err ld2450_recording_open(struct ld2450_recording *recording, const char *path,
                               uint64_t offset, struct problem *problem) {
    *recording = (struct ld2450_recording){.path = path, .offset = offset};
    recording->file = gzopen(path, "rbe");
    if (!recording->file)
        return problem_set(problem, errno == ENOENT ? ERR_MISSING : ERR_IO,
                           "%s: cannot be opened: %s", path, strerror(errno));
    if (gzseek(recording->file, (z_off_t)offset, SEEK_SET) < 0)
        return problem_set(problem, ERR_IO, "%s: is shorter than it was", path);
    return ERR_NONE;
}

void ld2450_recording_close(struct ld2450_recording *recording) {
    if (recording->file) gzclose_r(recording->file);
    recording->file = NULL;
}

static enum err end(const struct ld2450_recording *recording, struct problem *problem) {
    int state = Z_OK;
    const char *why = gzerror(recording->file, &state);
    if (state == Z_OK || state == Z_STREAM_END) return ERR_END;
    return problem_set(problem, ERR_IO, "%s: cannot be read: %s", recording->path, why);
}

enum err ld2450_recording_next(struct ld2450_recording *recording, struct ld2450_frame *frame,
                               uint64_t *at, struct problem *problem) {
    for (size_t i = 0; i < BYTES_A_CALL; i++) {
        int byte = gzgetc(recording->file);
        if (byte < 0) return end(recording, problem);
        recording->offset++;
        if (!ld2450_push(&recording->parser, (uint8_t)byte, frame)) continue;
        *at = recording->offset - LD2450_FRAME_SIZE;
        return ERR_NONE;
    }
    return ERR_AGAIN;
}

uint64_t ld2450_recording_place(const struct ld2450_recording *recording) {
    return recording->offset - recording->parser.count;
}

uint32_t ld2450_recording_permille(const struct ld2450_recording *recording) {
    struct stat status;
    if (!recording->file || stat(recording->path, &status) != 0 || status.st_size == 0) return 0;
    int64_t read_bytes = gzoffset(recording->file);
    return read_bytes >= status.st_size ? 1000 : (uint32_t)(read_bytes * 1000 / status.st_size);
}
