#include "common/settings/problems.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

/// One problem is one line, whatever a file's text or name contains.
static void one_line(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = '?';
}

void problems_add(struct problems *problems, enum err err, const char *where, const char *format,
                  ...) {
    assert(err != ERR_NONE);
    if (problems->count++ >= PROBLEMS_MAX) return;
    struct problem *problem = &problems->items[problems->count - 1];
    problem->err = err;
    int used = where ? snprintf(problem->text, sizeof problem->text, "%s: ", where) : 0;
    if (used < 0) used = 0;
    if ((size_t)used < sizeof problem->text) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(problem->text + used, sizeof problem->text - (size_t)used, format, arguments);
        va_end(arguments);
    }
    one_line(problem->text);
    size_t count = problems->count--;
    if (!problems_told(problems, problem->text)) problems->count = count; // many branches, one text
}

bool problems_told(const struct problems *problems, const char *text) {
    size_t kept = problems->count < PROBLEMS_MAX ? problems->count : PROBLEMS_MAX;
    for (size_t i = 0; i < kept; i++)
        if (strcmp(problems->items[i].text, text) == 0) return true;
    return false;
}

enum err problems_first(const struct problems *problems, struct problem *problem) {
    if (!problems->count) return ERR_NONE;
    const struct problem *first = &problems->items[0];
    if (problems->count == 1) return problem_set(problem, first->err, "%s", first->text);
    return problem_set(problem, first->err, "%.460s (and %zu more)", first->text,
                       problems->count - 1);
}

void problems_print(const struct problems *problems, FILE *out) {
    size_t kept = problems->count < PROBLEMS_MAX ? problems->count : PROBLEMS_MAX;
    for (size_t i = 0; i < kept; i++)
        fprintf(out, "%s\n", problems->items[i].text);
    if (problems->count > kept)
        fprintf(out, "... and %zu more; mend these first\n", problems->count - kept);
}
