#include "common/io/log.h"

#include "common/base/hash.h"
#include "common/domain/time.h"
#include "common/io/clock.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096, // one write, so that lines of several processes do not mix
    VALUE_MAX_BYTES = 1024,
    EVENTS_MAX = 256, // a power of two; events beyond it are not limited
};

struct text {
    char *bytes;
    size_t size, capacity; // what does not fit is left out
};

/// How often one event was written in the current window.
struct event_rate {
    const char *name;
    uint64_t window_start_ms;
    uint32_t lines, left_out;
};

static struct {
    struct log_settings settings;
    bool ready;
    struct event_rate rates[EVENTS_MAX];
    size_t rate_count;
} state;

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const int level_priorities[] = {7, 6, 4, 3}; // of syslog

/// $JOURNAL_STREAM holds device:inode of the stream that the journal reads.
static bool is_journal(int fd) {
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(fd, &status) &&
           status.st_dev == device && status.st_ino == inode;
}

struct log_settings log_settings_default(void) {
    return (struct log_settings){.least = LOG_LEVEL_INFO,
                                 .fd = STDERR_FILENO,
                                 .priority = is_journal(STDERR_FILENO),
                                 .lines_max = 100,
                                 .window_ms = 10000};
}

void log_setup(const struct log_settings *settings) {
    memset(&state, 0, sizeof state);
    state.settings = *settings;
    state.ready = true;
}

static void put(struct text *text, const char *bytes, size_t size) {
    size_t room = text->capacity - text->size;
    if (size > room) size = room;
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void put_text(struct text *text, const char *bytes) {
    put(text, bytes, strlen(bytes));
}

/// Bytes of the printable UTF-8 character at the front; 0: a control character or not UTF-8.
static size_t printable(const unsigned char *at, size_t left) {
    if (at[0] < 0x80) return at[0] >= 0x20 && at[0] != 0x7f;
    size_t size = at[0] >= 0xc2 && at[0] <= 0xdf   ? 2
                  : at[0] >= 0xe0 && at[0] <= 0xef ? 3
                  : at[0] >= 0xf0 && at[0] <= 0xf4 ? 4
                                                   : 0;
    if (size == 0 || size > left) return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    bool control = at[0] == 0xc2 && at[1] < 0xa0; // C1: some terminals obey them
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool beyond = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    return control || overlong || beyond ? 0 : size;
}

static bool is_plain(const struct text *value) {
    for (size_t i = 0; i < value->size; i++) {
        unsigned char byte = (unsigned char)value->bytes[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\') return false;
    }
    return value->size > 0;
}

static void put_value(struct text *line, const struct text *value) {
    if (is_plain(value)) {
        put(line, value->bytes, value->size);
        return;
    }
    put_text(line, "\"");
    const unsigned char *bytes = (const unsigned char *)value->bytes;
    for (size_t i = 0; i < value->size;) {
        size_t size = printable(bytes + i, value->size - i);
        char escaped[5] = {'\\', (char)bytes[i]};
        if (bytes[i] == '"' || bytes[i] == '\\') {
            put_text(line, escaped);
        } else if (size > 0) {
            put(line, value->bytes + i, size);
        } else {
            snprintf(escaped, sizeof escaped, "\\x%02x", bytes[i]);
            put_text(line, bytes[i] == '\n'   ? "\\n"
                           : bytes[i] == '\r' ? "\\r"
                           : bytes[i] == '\t' ? "\\t"
                                              : escaped);
        }
        i += size > 0 ? size : 1;
    }
    put_text(line, "\"");
}

struct arguments {
    va_list list; // in a struct: an array type cannot be passed by reference portably
};

static intmax_t take_signed(struct arguments *arguments, const char *length) {
    switch (length[0]) {
    case 'l':
        return length[1] == 'l' ? va_arg(arguments->list, long long)
                                : va_arg(arguments->list, long);
    case 'z':
        return va_arg(arguments->list, ssize_t);
    case 'j':
        return va_arg(arguments->list, intmax_t);
    default:
        return va_arg(arguments->list, int);
    }
}

static uintmax_t take_unsigned(struct arguments *arguments, const char *length) {
    switch (length[0]) {
    case 'l':
        return length[1] == 'l' ? va_arg(arguments->list, unsigned long long)
                                : va_arg(arguments->list, unsigned long);
    case 'z':
        return va_arg(arguments->list, size_t);
    case 'j':
        return va_arg(arguments->list, uintmax_t);
    default:
        return va_arg(arguments->list, unsigned);
    }
}

/// One conversion, `at` behind its '%'; returns where it ends. We read the format ourselves because
/// only so the bytes that came from a value are told from those of the format.
static const char *put_conversion(struct text *value, const char *at, struct arguments *arguments) {
    char spec[48] = "%", length[3] = "";
    size_t size = 1, length_size = 0;
    for (; *at && strchr("-+ #0123456789.*", *at); at++) {
        if (*at == '*')
            size += (size_t)snprintf(spec + size, 12, "%d", va_arg(arguments->list, int));
        else
            spec[size++] = *at;
        assert(size < sizeof spec - 16);
    }
    for (; *at && strchr("lzj", *at) && length_size < 2; at++)
        length[length_size++] = *at;

    char *out = value->bytes + value->size;
    size_t room = value->capacity - value->size;
    int written = 0;
    switch (*at) {
    case 'd':
    case 'i':
        memcpy(spec + size, "jd", 3);
        written = snprintf(out, room, spec, take_signed(arguments, length));
        break;
    case 'u':
    case 'x':
        spec[size] = 'j';
        spec[size + 1] = *at;
        written = snprintf(out, room, spec, take_unsigned(arguments, length));
        break;
    case 'c':
    case 'f':
    case 'g':
    case 'e':
        spec[size] = *at;
        written = *at == 'c' ? snprintf(out, room, spec, va_arg(arguments->list, int))
                             : snprintf(out, room, spec, va_arg(arguments->list, double));
        break;
    case 's': {
        const char *text = va_arg(arguments->list, const char *);
        spec[size] = 's';
        written = snprintf(out, room, spec, text ? text : "");
        break;
    }
    case '%':
        put_text(value, "%");
        break;
    default:
        assert(!"a conversion that log.h does not promise");
    }
    if (written > 0) value->size += (size_t)written < room ? (size_t)written : room - 1;
    return at + 1;
}

static void put_fields(struct text *line, const char *at, struct arguments *arguments) {
    for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
        size_t key = strcspn(at, "= ");
        put_text(line, " ");
        put(line, at, key);
        at += key;
        if (*at == '=') {
            put(line, at++, 1);
            char bytes[VALUE_MAX_BYTES];
            struct text value = {.bytes = bytes, .capacity = sizeof bytes};
            while (*at && *at != ' ') {
                if (*at == '%')
                    at = put_conversion(&value, at + 1, arguments);
                else
                    put(&value, at++, 1);
            }
            put_value(line, &value);
        }
    }
}

static struct event_rate *rate_of(const char *event) {
    uint32_t slot = hash_fnv32(event, strlen(event)) % EVENTS_MAX;
    for (;; slot = (slot + 1) % EVENTS_MAX) {
        struct event_rate *rate = &state.rates[slot];
        if (rate->name && !strcmp(rate->name, event)) return rate;
        if (rate->name) continue;
        if (state.rate_count == EVENTS_MAX - 1) return NULL;
        state.rate_count++;
        rate->name = event;
        return rate;
    }
}

/// Whether one more line of that event may be written; *left_out of them were not before it.
static bool allowed(const char *event, uint32_t *left_out) {
    *left_out = 0;
    struct event_rate *rate = rate_of(event);
    if (!rate) return true;
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - rate->window_start_ms >= state.settings.window_ms) {
        rate->window_start_ms = now_ms;
        rate->lines = 0;
    }
    if (rate->lines >= state.settings.lines_max) {
        rate->left_out++;
        return false;
    }
    rate->lines++;
    *left_out = rate->left_out;
    rate->left_out = 0;
    return true;
}

static void put_head(struct text *line, enum log_level level, const char *event) {
    char head[128];
    if (state.settings.priority) {
        snprintf(head, sizeof head, "<%d>level=%s event=", level_priorities[level],
                 level_names[level]); // the journal has its own time
    } else {
        char now[TIME_TEXT_SIZE];
        time_text(clock_utc_ms(), now);
        snprintf(head, sizeof head, "time=%s level=%s event=", now, level_names[level]);
    }
    put_text(line, head);
    put_text(line, event);
}

void log_event(enum log_level level, const char *event, const char *fields, ...) {
    if (!state.ready) {
        struct log_settings settings = log_settings_default();
        log_setup(&settings);
    }
    uint32_t left_out;
    if (level < state.settings.least || !allowed(event, &left_out)) return;

    char bytes[LINE_MAX_BYTES];
    struct text line = {.bytes = bytes, .capacity = sizeof bytes - 1};
    put_head(&line, level, event);
    if (left_out > 0) {
        char count[32];
        snprintf(count, sizeof count, " left_out=%u", left_out);
        put_text(&line, count);
    }
    struct arguments arguments;
    va_start(arguments.list, fields);
    put_fields(&line, fields, &arguments);
    va_end(arguments.list);
    bytes[line.size++] = '\n';
    ssize_t ignored = write(state.settings.fd, bytes, line.size); // nowhere left to complain to
    (void)ignored;
}
