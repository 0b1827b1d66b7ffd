// The spool of a gateway: rows, and what a commit makes of them; its disk, which may refuse. It
// follows sensors-gw/shell/spool.c: a write that failed is the process' last, and what it was to
// keep is not there, or all of it.

#include "tests/simulation/simulation.h"

#include <assert.h>
#include <string.h>

// The disk ---------------------------------------------------------------------------------------

/// false: it was refused, and the gateway ends.
bool spool_write(struct simulation *s, struct gateway *g, const char *what) {
    bool full = s->now_ms < g->disk.full_until_ms;
    if (!full && !g->disk.fails_next) return true;
    g->disk.fails_next = false;
    trace(s, "gateway %u: its disk %s as it %s", g->identity, full ? "is full" : "fails", what);
    s->faults[FAULT_DISK]++;
    g->failed = s->plant != PLANT_DEAF_DISK;
    return false;
}

/// A disk that fails as it syncs may have written all the same.
static bool written(struct simulation *s, struct gateway *g) {
    bool full = s->now_ms < g->disk.full_until_ms;
    if (spool_write(s, g, "commits")) return true;
    if (s->plant == PLANT_CURSOR_ALONE) g->spool.disk.cursor = g->head.cursor;
    return !full && chance_permille(&s->chance, 300);
}

// Rows -------------------------------------------------------------------------------------------

void spool_make(struct simulation *s, struct gateway *g) {
    g->spool.disk = (struct spool_head){.first = 1, .watermark_ms = TIME_NONE, .session = 1};
    chance_fill(&s->chance, g->spool.disk.id.bytes, sizeof g->spool.disk.id.bytes);
    g->spool.disk.tag = tag_start(&g->spool.disk.id);
    g->spool.synced = g->spool.disk;
}

void spool_copy(struct spool *to, const struct spool *from) {
    uint64_t last = from->disk.last > from->synced.last ? from->disk.last : from->synced.last;
    to->disk = from->disk;
    to->synced = from->synced;
    memcpy(to->rows, from->rows, last * sizeof *to->rows);
}

/// --new-spool: a new id, no epoch, everything still held from number 1 again.
void spool_renew(struct simulation *s, struct gateway *g) {
    struct spool_head *disk = &g->spool.disk;
    size_t kept = disk->last + 1 - disk->first;
    memmove(g->spool.rows, g->spool.rows + disk->first - 1, kept * sizeof *g->spool.rows);
    disk->first = 1;
    disk->last = kept;
    disk->epoch = disk->applied = disk->dropped = 0; // the store counts anew as well
    disk->fenced = false;
    chance_fill(&s->chance, disk->id.bytes, sizeof disk->id.bytes);
    disk->tag = tag_start(&disk->id);
    for (size_t i = 0; i < kept; i++)
        disk->tag = g->spool.rows[i].tag = tag_behind(g->spool.rows[i].tag, disk->tag);
    g->spool.synced = *disk;
}

bool spool_append(struct simulation *s, struct gateway *g, struct bytes body, size_t to,
                  bool poison) {
    // Most of what is appended reaches the disk only with the commit.
    bool spills = g->disk.fails_next && chance_permille(&s->chance, 300);
    if (spills && !spool_write(s, g, "appends") && g->failed) return false;
    assert(body.size <= s->broker_bytes); // or no broker would ever take it
    assert(g->head.last < ROWS && s->bodies_used + body.size <= BODIES_SIZE);
    uint8_t *data = s->bodies + s->bodies_used;
    memcpy(data, body.data, body.size);
    s->bodies_used += body.size;
    struct row *row = &g->spool.rows[g->head.last++];
    *row = (struct row){.body = data, .size = body.size, .from = g->items_cut, .to = to};
    row->poison = poison;
    chance_fill(&s->chance, row->tag.bytes, sizeof row->tag.bytes);
    g->head.tag = row->tag = tag_behind(row->tag, g->head.tag);
    g->items_cut = to;
    return true;
}

/// Applied ones make room first; a small spool then drops what nobody has seen.
static void make_room(struct simulation *s, struct gateway *g) {
    while (g->head.last + 1 - g->head.first > s->spool_rows_max) {
        if (g->head.first > g->head.applied) {
            g->head.dropped++;
            s->faults[FAULT_SMALL_SPOOL]++;
        }
        g->head.first++;
    }
}

/// As the gateway's own: what was dropped under way may have been applied all the same.
void spool_applied(const struct simulation *s, struct gateway *g, uint64_t number,
                   uint64_t passed_over) {
    uint64_t end = number < g->head.first ? number : g->head.first - 1;
    uint64_t lost = g->head.applied + passed_over;
    uint64_t applied = end > lost ? end - lost : 0;
    if (s->plant != PLANT_DROPPED_TWICE)
        g->head.dropped -= applied < g->head.dropped ? applied : g->head.dropped;
    g->head.applied = number;
}

/// Each batch goes on where the one before it ended; those on disk were looked at when they came.
static void check_rows(struct simulation *s, const struct gateway *g) {
    if (s->skewed[g->identity]) return; // what it stamps behind its own promise is in no batch
    uint64_t n = g->spool.disk.last > g->head.first ? g->spool.disk.last : g->head.first;
    for (; n < g->head.last; n++)
        if (g->spool.rows[n].from != g->spool.rows[n - 1].to)
            wrong(s, "spool of gateway %u: batch %llu begins at reading %zu, %llu ended at %zu",
                  g->identity, (unsigned long long)n + 1, g->spool.rows[n].from,
                  (unsigned long long)n, g->spool.rows[n - 1].to);
}

bool spool_commit(struct simulation *s, struct gateway *g) {
    make_room(s, g);
    check_rows(s, g);
    if (written(s, g)) {
        g->spool.disk = g->head;
        if (chance_permille(&s->chance, 700)) g->spool.synced = g->head;
    }
    if (g->failed) return false;
    g->first_written = g->head.first;
    g->last_written = g->head.last;
    return true;
}
