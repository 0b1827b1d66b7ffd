// Preloaded into a program under test: from its main on, the allocation of number TRESEN_NO_MEMORY
// and all after it fail; without that, the number of allocations is said at the end.

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long count;
static int main_has_begun; // what libraries do before is not ours

// The names are the C library's.
// NOLINTBEGIN(bugprone-reserved-identifier)
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end) {
    int (*real)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    main_has_begun = 1;
    return real(main, argc, argv, init, fini, loader_fini, stack_end);
}

static int refused(void) {
    static long from = -1;
    if (!main_has_begun) return 0;
    if (from < 0) {
        const char *text = getenv("TRESEN_NO_MEMORY");
        from = text ? atol(text) : 0;
    }
    return ++count >= (unsigned long)from && from > 0;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t items, size_t size);
void *__libc_realloc(void *memory, size_t size);
// NOLINTEND(bugprone-reserved-identifier)

void *malloc(size_t size) {
    return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
    return refused() ? NULL : __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size) {
    return refused() ? NULL : __libc_realloc(memory, size);
}

__attribute__((destructor)) static void say(void) {
    if (!getenv("TRESEN_NO_MEMORY")) fprintf(stderr, "allocations: %lu\n", count);
}
