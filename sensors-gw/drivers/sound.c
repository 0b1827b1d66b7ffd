#include "sensors-gw/drivers/sound.h"

#include "common/base/bytes.h"
#include "sensors-gw/drivers/ear.h"
#include "sensors-gw/drivers/feed.h"
#include "sensors-gw/drivers/wave.h"

#include <assert.h>
#include <errno.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = WAVE_HEADER_MAX };

struct sound {
    char *name;    // for sentences
    SNDFILE *file; // NULL: a pipe whose header has not come
    SF_INFO info;
    uint64_t at; // frames read
    bool piped;
    struct feed feed;
    enum err feed_err; // why the last reading of the feed gave nothing
    uint64_t left;     // bytes of sound that the feed still brings
    size_t frame_size; // bytes; 0: not known yet
    size_t pending;    // bytes that have come and were not read
    uint8_t buffer[];  // PENDING_MAX of a pipe
};

static struct sound *sound_new(const char *name, size_t room) {
    struct sound *sound = calloc(1, sizeof *sound + room);
    if (!sound) return NULL;
    sound->feed = FEED_CLOSED;
    sound->name = strdup(name);
    if (sound->name) return sound;
    free(sound);
    return NULL;
}

static enum err opened(enum err err, struct sound *sound, struct sound **sound_out) {
    if (err)
        sound_close(sound);
    else
        *sound_out = sound;
    return err;
}

static enum err check(const struct sound *sound, struct problem *problem) {
    if (sound->info.samplerate < EAR_RATE_LEAST_HZ || sound->info.samplerate > EAR_RATE_MOST_HZ)
        return problem_set(problem, ERR_RANGE, "%s: %d values a second; %d to %d are taken",
                           sound->name, sound->info.samplerate, EAR_RATE_LEAST_HZ,
                           EAR_RATE_MOST_HZ);
    if (sound->info.channels < 1 || sound->info.channels > EAR_CHANNELS_MAX)
        return problem_set(problem, ERR_RANGE, "%s: %d channels; 1 to %d are taken", sound->name,
                           sound->info.channels, EAR_CHANNELS_MAX);
    return ERR_NONE;
}

static enum err no_sound(const struct sound *sound, struct problem *problem) {
    return problem_set(problem, ERR_FORMAT, "%s: cannot be read as sound: %s", sound->name,
                       sf_strerror(NULL));
}

// ------------------------------------------------------------------ a file

/// The bare values behind a header, as the header describes them.
static SF_INFO bare(const SF_INFO *info) {
    return (SF_INFO){.samplerate = info->samplerate,
                     .channels = info->channels,
                     .format =
                         SF_FORMAT_RAW | SF_ENDIAN_LITTLE | (info->format & SF_FORMAT_SUBMASK)};
}

/// A WAVE file that says it holds nothing: whatever stands behind its header.
static enum err open_interrupted(struct sound *sound, struct problem *problem) {
    uint8_t header[4096];
    uint64_t size;
    size_t offset;
    FILE *file = fopen(sound->name, "rbe");
    size_t got = file ? fread(header, 1, sizeof header, file) : 0;
    if (file) fclose(file);
    if (wave_header((struct bytes){header, got}, &offset, &size) != ERR_NONE) return ERR_NONE;
    SF_INFO info = bare(&sound->info);
    SNDFILE *values = sf_open(sound->name, SFM_READ, &info);
    if (!values) return no_sound(sound, problem);
    sf_close(sound->file);
    sound->file = values;
    sound->info = info;
    sf_count_t start = (sf_count_t)offset;
    if (sf_command(values, SFC_SET_RAW_START_OFFSET, &start, sizeof start) != 0 ||
        sf_seek(values, 0, SF_SEEK_SET) != 0)
        return no_sound(sound, problem);
    return ERR_NONE;
}

enum err sound_open_file(const char *path, struct sound **sound_out, struct problem *problem) {
    struct sound *sound = sound_new(path, 0);
    enum err err = ERR_NONE;
    if (!sound) return ERR_NOMEM;
    errno = 0;
    sound->file = sf_open(path, SFM_READ, &sound->info);
    if (!sound->file && errno == ENOENT)
        err = problem_set(problem, ERR_MISSING, "%s: there is no such file", path);
    else if (!sound->file)
        err = no_sound(sound, problem);
    if (!err) err = check(sound, problem);
    if (!err && sound->info.frames == 0) err = open_interrupted(sound, problem);
    return opened(err, sound, sound_out);
}

// ------------------------------------------------------------------ a pipe

enum err sound_open_pipe(const char *path, struct sound **sound_out, struct problem *problem) {
    struct sound *sound = sound_new(path, PENDING_MAX);
    if (!sound) return ERR_NOMEM;
    sound->piped = true;
    return opened(feed_open_pipe(&sound->feed, path, problem), sound, sound_out);
}

enum err sound_open_command(const char *command, struct sound **sound_out,
                            struct problem *problem) {
    struct sound *sound = sound_new(command, PENDING_MAX);
    if (!sound) return ERR_NOMEM;
    sound->piped = true;
    return opened(feed_open_command(&sound->feed, command, problem), sound, sound_out);
}

static enum err fill(struct sound *sound) {
    size_t got = 0;
    enum err err =
        feed_read(&sound->feed, sound->buffer + sound->pending, PENDING_MAX - sound->pending, &got);
    sound->pending += got;
    return err;
}

static void take(struct sound *sound, size_t size) {
    sound->pending -= size;
    memmove(sound->buffer, sound->buffer + size, sound->pending);
}

// What libsndfile asks of a pipe behind its header: whole frames, as many as are there.

static sf_count_t pipe_length(void *user) {
    (void)user;
    return INT64_MAX / 16;
}

static sf_count_t pipe_seek(sf_count_t offset, int whence, void *user) {
    (void)whence;
    (void)user;
    return offset;
}

static sf_count_t pipe_tell(void *user) {
    (void)user;
    return 0;
}

static sf_count_t pipe_read(void *to, sf_count_t room, void *user) {
    struct sound *sound = user;
    uint64_t most = (uint64_t)room < sound->left ? (uint64_t)room : sound->left;
    if (sound->pending < most && sound->pending < PENDING_MAX) sound->feed_err = fill(sound);
    if (sound->pending < most) most = sound->pending;
    size_t size = (size_t)(most - most % sound->frame_size);
    memcpy(to, sound->buffer, size);
    take(sound, size);
    sound->left -= size;
    return (sf_count_t)size;
}

/// A header in memory, for libsndfile to say what it describes.
struct header {
    struct bytes bytes;
    sf_count_t at;
};

static sf_count_t header_length(void *user) {
    return (sf_count_t)((struct header *)user)->bytes.size;
}

static sf_count_t header_seek(sf_count_t offset, int whence, void *user) {
    struct header *header = user;
    sf_count_t from = whence == SEEK_SET   ? 0
                      : whence == SEEK_CUR ? header->at
                                           : (sf_count_t)header->bytes.size;
    header->at = from + offset;
    return header->at;
}

static sf_count_t header_tell(void *user) {
    return ((struct header *)user)->at;
}

static sf_count_t header_read(void *to, sf_count_t room, void *user) {
    struct header *header = user;
    sf_count_t left = (sf_count_t)header->bytes.size - header->at;
    if (header->at < 0 || left <= 0) return 0;
    sf_count_t size = room < left ? room : left;
    memcpy(to, header->bytes.data + header->at, (size_t)size);
    header->at += size;
    return size;
}

static enum err read_header(struct sound *sound, size_t size, struct problem *problem) {
    SF_VIRTUAL_IO memory = {header_length, header_seek, header_read, NULL, header_tell};
    struct header header = {.bytes = {sound->buffer, size}};
    SNDFILE *file = sf_open_virtual(&memory, SFM_READ, &sound->info, &header);
    if (!file) return no_sound(sound, problem);
    sf_close(file);
    sound->info = bare(&sound->info);
    return check(sound, problem);
}

static size_t value_size(int format) {
    switch (format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_U8:
    case SF_FORMAT_ULAW:
    case SF_FORMAT_ALAW:
        return 1;
    case SF_FORMAT_PCM_16:
        return 2;
    case SF_FORMAT_PCM_24:
        return 3;
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_FLOAT:
        return 4;
    case SF_FORMAT_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

/// ERR_AGAIN, ERR_END: the header is not whole yet.
static enum err open_piped(struct sound *sound, struct problem *problem) {
    SF_VIRTUAL_IO pipe = {pipe_length, pipe_seek, pipe_read, NULL, pipe_tell};
    size_t offset;
    enum err err;
    while ((err = wave_header((struct bytes){sound->buffer, sound->pending}, &offset,
                              &sound->left)) == ERR_AGAIN) {
        err = fill(sound);
        if (err == ERR_IO)
            return problem_set(problem, ERR_IO, "%s: %s", sound->name, strerror(errno));
        if (err) return err;
    }
    if (err)
        return problem_set(problem, err, "%s: does not begin with the header of a WAVE file",
                           sound->name);
    err = read_header(sound, offset, problem);
    if (err) return err;
    sound->frame_size = value_size(sound->info.format) * (size_t)sound->info.channels;
    if (sound->frame_size == 0)
        return problem_set(problem, ERR_FORMAT, "%s: compressed sound cannot be read from a pipe",
                           sound->name);
    take(sound, offset);
    sound->file = sf_open_virtual(&pipe, SFM_READ, &sound->info, sound);
    return sound->file ? ERR_NONE : no_sound(sound, problem);
}

// ------------------------------------------------------------------ both

void sound_close(struct sound *sound) {
    if (!sound) return;
    if (sound->file) sf_close(sound->file);
    feed_close(&sound->feed);
    free(sound->name);
    free(sound);
}

enum err sound_format(struct sound *sound, struct sound_format *format, struct problem *problem) {
    enum err err = sound->file ? ERR_NONE : open_piped(sound, problem);
    if (err) return err;
    *format =
        (struct sound_format){(uint32_t)sound->info.samplerate, (uint32_t)sound->info.channels};
    return ERR_NONE;
}

static enum err piped_end(struct sound *sound, struct problem *problem) {
    int status;
    if (sound->feed_err == ERR_IO)
        return problem_set(problem, ERR_IO, "%s: cannot be read on", sound->name);
    if (sound->left == 0) return ERR_END;
    if (sound->feed_err != ERR_END) return ERR_AGAIN; // nothing, or less than a frame
    enum err err = feed_exit_status(&sound->feed, &status);
    if (!err && status != 0)
        return problem_set(problem, ERR_IO, "%s: ended with status %d", sound->name, status);
    return err ? err : ERR_END;
}

enum err sound_read(struct sound *sound, float *values, size_t count, size_t *got,
                    struct problem *problem) {
    assert(sound->file && count > 0);
    sound->feed_err = ERR_AGAIN;
    sf_count_t frames = sf_readf_float(sound->file, values, (sf_count_t)count);
    if (frames > 0) {
        sound->at += (uint64_t)frames;
        *got = (size_t)frames;
        return ERR_NONE;
    }
    if (sound->piped) return piped_end(sound, problem);
    if (sf_error(sound->file) != SF_ERR_NO_ERROR)
        return problem_set(problem, ERR_IO, "%s: cannot be read on: %s", sound->name,
                           sf_strerror(sound->file));
    return ERR_END;
}

enum err sound_seek(struct sound *sound, uint64_t frame, struct problem *problem) {
    if (sound->piped)
        return problem_set(problem, ERR_REFUSED, "%s: a pipe cannot go back", sound->name);
    uint64_t frames = (uint64_t)sound->info.frames;
    if (frame > frames) frame = frames;
    if (sf_seek(sound->file, (sf_count_t)frame, SF_SEEK_SET) < 0)
        return problem_set(problem, ERR_IO, "%s: cannot be read from frame %llu on", sound->name,
                           (unsigned long long)frame);
    sound->at = frame;
    return ERR_NONE;
}

int sound_fd(const struct sound *sound) {
    return sound->feed.fd;
}

uint32_t sound_permille(const struct sound *sound) {
    if (sound->piped || sound->info.frames <= 0) return 0;
    return (uint32_t)(sound->at * 1000 / (uint64_t)sound->info.frames);
}
