#pragma once
// The function library in Redis, and the one that this program brings: the newest revision wins,
// once. A library without revisions, and none at all, is revision 0.
//
// It is replaced only if it is still older when that happens: who loads sets a key in the same
// transaction, and whoever was about to do so watches it and looks again. So of several workers
// that come at once none puts an older one over a newer one.

#include "common/io/redis.h"

#define LIBRARY_KEY "t:{.standards}:loading" // there only while it is loaded; not in a slot more

enum { LIBRARY_UNKNOWN = -1, LIBRARY_REASON_SIZE = 240 };

struct library_state {
    int64_t brings;           // revision of this program's
    int64_t runs;             // of Redis'; LIBRARY_UNKNOWN
    enum redis_class refused; // OK, or why Redis keeps an older one, as `refusal` says
    char refusal[LIBRARY_REASON_SIZE];
};

/// Whoever waits until the newest library is there, or it is known why not.
struct library_wait {
    struct library_wait *next;
    void (*told)(struct library_wait *wait, enum redis_class class, const char *reason);
};

struct library {
    struct redis *redis;
    struct bytes text;
    struct library_state state;
    void *context; // of `news`
    void (*news)(void *context, const struct library_state *state, int64_t found);
    struct library_wait *waiting;
    bool asking;
    int64_t found;            // by the present look, before it loaded; LIBRARY_UNKNOWN
    enum redis_class refused; // by what belongs to the present load
    char refusal[LIBRARY_REASON_SIZE];
    uint64_t load_at_ms; // not before, after a refusal that lasts
};

/// news: when something else runs than was told, or is refused; found: what ran before. It comes
/// before those who wait are told. text must live as long.
void library_init(struct library *library, struct redis *redis, struct bytes text, int64_t revision,
                  void (*news)(void *context, const struct library_state *state, int64_t found),
                  void *context);
/// Look, and load if Redis' is older. Redis must be up. told comes once, perhaps from within this
/// call: OK, or why the newest is not there.
void library_bring(struct library *library, struct library_wait *wait);
/// The same for nobody, and only once a minute where a person has to help. Does nothing while one
/// look is on its way, or Redis is not up.
void library_look(struct library *library);
