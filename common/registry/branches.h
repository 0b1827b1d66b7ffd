#pragma once
// The registry, config/branches/BRANCH.yaml: which branches there are, their counters, and which
// gateways the final mark of a counter has to wait for.
//
//   branch: musterstadt           # also the file's name
//   name: Tresen Musterstadt
//   region: north
//   country: DE
//   zone: Europe/Berlin
//   counters: [desk-1, desk-2]
//   gateways:
//     - gateway: desk             # its key is gateway.musterstadt.desk
//       opens: true               # reports encounters
//     - gateway: office          # decisions of people; serves no counter
//       office: true
//     - gateway: floor
//       counters: [desk-1]        # default: all

#include "common/domain/ids.h"
#include "common/domain/time.h"
#include "common/registry/zone.h"
#include "common/settings/document.h"

enum {
    BRANCHES_MAX = 16384,
    BRANCH_COUNTERS_MAX = 256,
    BRANCH_GATEWAYS_MAX = 64,
    BRANCH_NAME_SIZE = 129,
};

struct branch_gateway {
    struct id id;
    uint16_t key; // gateway_key(id), alone in its branch
    bool opens;   // reports encounters
    bool office;  // brings what people decide, and nothing else; serves no counter
    size_t counter_count;
    uint16_t *counters; // places in the branch's counters, ascending
};

struct branch {
    struct id id;
    char name[BRANCH_NAME_SIZE];
    struct id region;
    char country[3]; // ISO 3166-1 alpha-2
    char zone_name[ZONE_NAME_SIZE];
    struct zone zone; // belongs to struct branches
    size_t counter_count;
    struct id *counters; // sorted
    size_t gateway_count;
    struct branch_gateway *gateways; // sorted by id
    uint64_t hash;                   // branch_hash
};

/// All branches, sorted by id.
struct branches {
    size_t count;
    struct branch *items;
    size_t zone_count; // each zone is loaded once
    struct branch_zone *zones;
};

/// Read every *.yaml of the folder. false: reported, and *out is empty. Loads time zones: only
/// while the process has one thread.
bool branches_load(const char *folder, struct branches *out, struct problems *problems);
/// The same from documents in hand. file names are not compared with branch ids then.
bool branches_read(const struct node *const *roots, size_t count, struct branches *out,
                   struct problems *problems);
void branches_free(struct branches *branches);

const struct branch *branches_find(const struct branches *branches, const struct id *id);
/// NULL: no such gateway in the branch.
const struct branch_gateway *branch_gateway(const struct branch *branch, const struct id *id);
/// Its place in branch->counters, or -1.
int branch_counter(const struct branch *branch, const struct id *id);
bool branch_gateway_serves(const struct branch_gateway *gateway, size_t counter);

/// FNV-64 of what the store keeps of a branch: its id, zone, counters, and gateways with their
/// counters and `opens`, whatever their order in the file. The name, the region and the country
/// are not in it: changing them need not configure the store anew. Never 0.
uint64_t branch_hash(const struct branch *branch);
