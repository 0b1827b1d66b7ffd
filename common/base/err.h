#pragma once
// What can go wrong, as a value; and the sentence that tells a person what to do about it.

#include <stdarg.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

enum err {
    ERR_NONE,
    ERR_NOMEM,    // out of memory
    ERR_RANGE,    // a number or size is outside its bounds
    ERR_FORMAT,   // bytes or text are not of the promised form
    ERR_VERSION,  // of a version that this program does not speak
    ERR_FULL,     // a bounded place has no room; nothing changed
    ERR_MISSING,  // what was named is not there
    ERR_CONFLICT, // two things that may not both hold
    ERR_REFUSED,  // a rule or a peer says no
    ERR_IO,       // file, socket or database failed
    ERR_AGAIN,    // not now; the same call may succeed later
    ERR_END,      // no more: end of a file, a stream, a recording
};

/// "range", "format" ...: for logs.
const char *err_name(enum err err);

/// An error with its sentence: names the file, line, key or peer, and the way out.
struct problem {
    enum err err;
    char text[512]; // UTF-8, one line, always terminated
};

/// Write the sentence (cut at the end of text) and return err, so that a caller can
/// `return problem_set(problem, ERR_RANGE, "...")`. problem may be NULL.
enum err problem_set(struct problem *problem, enum err err, const char *format, ...)
    PRINTF_LIKE(3, 4);
