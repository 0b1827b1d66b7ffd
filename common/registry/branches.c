#include "common/registry/branches.h"

#include "common/base/hash.h"
#include "common/settings/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/// Branches of one zone share its table.
struct branch_zone {
    char name[ZONE_NAME_SIZE];
    struct zone zone;
};

static int compare_ids(const void *a, const void *b) {
    return strcmp(((const struct id *)a)->text, ((const struct id *)b)->text);
}

static int compare_gateways(const void *a, const void *b) {
    return compare_ids(&((const struct branch_gateway *)a)->id,
                       &((const struct branch_gateway *)b)->id);
}

static int compare_branches(const void *a, const void *b) {
    return compare_ids(&((const struct branch *)a)->id, &((const struct branch *)b)->id);
}

static int compare_places(const void *a, const void *b) {
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

// --- looking up

const struct branch *branches_find(const struct branches *branches, const struct id *id) {
    if (!branches->count) return NULL;
    struct branch wanted = {.id = *id};
    return bsearch(&wanted, branches->items, branches->count, sizeof wanted, compare_branches);
}

const struct branch_gateway *branch_gateway(const struct branch *branch, const struct id *id) {
    if (!branch->gateway_count) return NULL;
    struct branch_gateway wanted = {.id = *id};
    return bsearch(&wanted, branch->gateways, branch->gateway_count, sizeof wanted,
                   compare_gateways);
}

int branch_counter(const struct branch *branch, const struct id *id) {
    if (!branch->counter_count) return -1;
    const struct id *found =
        bsearch(id, branch->counters, branch->counter_count, sizeof *id, compare_ids);
    return found ? (int)(found - branch->counters) : -1;
}

bool branch_gateway_serves(const struct branch_gateway *gateway, size_t counter) {
    uint16_t wanted = (uint16_t)counter;
    return counter <= UINT16_MAX && gateway->counter_count &&
           bsearch(&wanted, gateway->counters, gateway->counter_count, sizeof wanted,
                   compare_places);
}

// --- the hash

/// Link a piece to the hash of what came before, byte by byte the same on every machine.
static uint64_t link_piece(uint64_t hash, const char *piece) {
    uint8_t block[sizeof hash + BRANCH_NAME_SIZE];
    size_t size = strlen(piece);
    assert(size <= sizeof block - sizeof hash);
    for (size_t i = 0; i < sizeof hash; i++)
        block[i] = (uint8_t)(hash >> (8 * i));
    memcpy(block + sizeof hash, piece, size);
    return hash_fnv64(block, sizeof hash + size);
}

uint64_t branch_hash(const struct branch *branch) {
    uint64_t hash = link_piece(link_piece(0, branch->id.text), branch->zone_name);
    for (size_t i = 0; i < branch->counter_count; i++)
        hash = link_piece(hash, branch->counters[i].text);
    for (size_t i = 0; i < branch->gateway_count; i++) {
        const struct branch_gateway *gateway = &branch->gateways[i];
        hash = link_piece(hash, gateway->office  ? "+gateway+office"
                                : gateway->opens ? "+gateway+opens"
                                                 : "+gateway");
        hash = link_piece(hash, gateway->id.text);
        for (size_t j = 0; j < gateway->counter_count; j++)
            hash = link_piece(hash, branch->counters[gateway->counters[j]].text);
    }
    return hash ? hash : 1;
}

// --- reading one branch

static bool out_of_memory(const struct node *node, struct problems *problems) {
    node_problem(node, problems, ERR_NOMEM, "out of memory");
    return false;
}

/// Report an id that stands twice in a list. `key` is where the entries have it; NULL: they are it.
static bool ids_differ(const struct node *list, const char *key, struct problems *problems) {
    bool differ = true;
    for (const struct node *entry = list->first; entry; entry = entry->next) {
        const struct node *id = key ? node_find(entry, key) : entry;
        for (const struct node *other = list->first; id && other != entry; other = other->next) {
            const struct node *twin = key ? node_find(other, key) : other;
            if (!twin || !twin->text || !id->text || strcmp(twin->text, id->text) != 0) continue;
            char where[NODE_WHERE_SIZE];
            node_problem(id, problems, ERR_CONFLICT,
                         "'%.32s' stands here a second time (first: %s); remove one of them",
                         id->text, node_where(twin, where));
            differ = false;
            break;
        }
    }
    return differ;
}

static bool read_counters(const struct node *list, struct branch *branch,
                          struct problems *problems) {
    if (!node_list(list, 1, BRANCH_COUNTERS_MAX, problems)) return false;
    branch->counters = calloc(list->count, sizeof *branch->counters);
    if (!branch->counters) return out_of_memory(list, problems);
    bool ok = true;
    for (const struct node *entry = list->first; entry; entry = entry->next)
        ok = node_id(entry, &branch->counters[branch->counter_count++], problems) && ok;
    ok = ids_differ(list, NULL, problems) && ok;
    qsort(branch->counters, branch->counter_count, sizeof *branch->counters, compare_ids);
    return ok;
}

static bool read_gateway_counter(const struct node *node, const struct branch *branch,
                                 struct branch_gateway *gateway, struct problems *problems) {
    struct id id;
    if (!node_id(node, &id, problems)) return false;
    int place = branch_counter(branch, &id);
    if (place >= 0) {
        gateway->counters[gateway->counter_count++] = (uint16_t)place;
        return true;
    }
    const char *names[BRANCH_COUNTERS_MAX + 1] = {0};
    for (size_t i = 0; i < branch->counter_count; i++)
        names[i] = branch->counters[i].text;
    const char *nearest = nearest_name(id.text, names);
    if (nearest)
        node_problem(node, problems, ERR_MISSING,
                     "'%s' is not one of the branch's counters; did you mean '%s'?", id.text,
                     nearest);
    else
        node_problem(node, problems, ERR_MISSING,
                     "'%s' is not one of the branch's counters; add it to them", id.text);
    return false;
}

/// list NULL: all counters of the branch.
static bool read_gateway_counters(const struct node *list, const struct node *node,
                                  const struct branch *branch, struct branch_gateway *gateway,
                                  struct problems *problems) {
    if (list && !node_list(list, 1, BRANCH_COUNTERS_MAX, problems)) return false;
    size_t room = list ? list->count : branch->counter_count;
    gateway->counters = calloc(room ? room : 1, sizeof *gateway->counters);
    if (!gateway->counters) return out_of_memory(node, problems);
    if (!list) {
        for (; gateway->counter_count < room; gateway->counter_count++)
            gateway->counters[gateway->counter_count] = (uint16_t)gateway->counter_count;
        return true;
    }
    bool ok = true;
    for (const struct node *entry = list->first; entry; entry = entry->next)
        ok = read_gateway_counter(entry, branch, gateway, problems) && ok;
    ok = ids_differ(list, NULL, problems) && ok;
    qsort(gateway->counters, gateway->counter_count, sizeof *gateway->counters, compare_places);
    return ok;
}

/// What stands beside `office: true` and does not go with it; NULL: nothing.
static bool serves_nothing(const struct node *beside, struct problems *problems) {
    if (!beside) return true;
    node_problem(beside, problems, ERR_CONFLICT,
                 "the office watches no counter and opens no encounter; remove 'counters' and "
                 "'opens'");
    return false;
}

static bool read_gateway(const struct node *node, const struct branch *branch,
                         struct branch_gateway *gateway, struct problems *problems) {
    static const char *const keys[] = {"gateway", "counters", "opens", "office", NULL};
    bool ok = node_map(node, keys, problems);
    if (node->kind != NODE_MAP) return false;
    ok = node_id(node_need(node, "gateway", problems), &gateway->id, problems) && ok;
    gateway->key = gateway_key(&gateway->id);
    const struct node *opens = node_find(node, "opens");
    if (opens) ok = node_bool(opens, &gateway->opens, problems) && ok;
    const struct node *office = node_find(node, "office");
    if (office) ok = node_bool(office, &gateway->office, problems) && ok;
    const struct node *counters = node_find(node, "counters");
    if (gateway->office) return serves_nothing(counters ? counters : opens, problems) && ok;
    return read_gateway_counters(counters, node, branch, gateway, problems) && ok;
}

/// In the minute logs a gateway is known by its short key alone.
static bool keys_differ(const struct node *list, const struct branch *branch,
                        struct problems *problems) {
    for (size_t i = 0; i < branch->gateway_count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct branch_gateway *a = &branch->gateways[j], *b = &branch->gateways[i];
            if (a->key != b->key || id_equal(&a->id, &b->id)) continue;
            node_problem(list, problems, ERR_CONFLICT,
                         "gateways '%s' and '%s' have the same short key; rename one of them",
                         a->id.text, b->id.text);
            return false;
        }
    return true;
}

/// What nobody watches could never become final.
static bool all_counters_served(const struct node *list, const struct branch *branch,
                                struct problems *problems) {
    bool all = true;
    for (size_t i = 0; i < branch->counter_count; i++) {
        bool served = false;
        for (size_t j = 0; j < branch->gateway_count && !served; j++)
            served = branch_gateway_serves(&branch->gateways[j], i);
        if (served) continue;
        node_problem(list, problems, ERR_MISSING,
                     "no gateway serves counter '%s'; add it to one, or remove the counter",
                     branch->counters[i].text);
        all = false;
    }
    return all;
}

static bool read_gateways(const struct node *list, struct branch *branch,
                          struct problems *problems) {
    if (!node_list(list, 1, BRANCH_GATEWAYS_MAX, problems)) return false;
    branch->gateways = calloc(list->count, sizeof *branch->gateways);
    if (!branch->gateways) return out_of_memory(list, problems);
    bool ok = true;
    for (const struct node *entry = list->first; entry; entry = entry->next)
        ok =
            read_gateway(entry, branch, &branch->gateways[branch->gateway_count++], problems) && ok;
    ok = ids_differ(list, "gateway", problems) && ok;
    if (!ok) return false;
    qsort(branch->gateways, branch->gateway_count, sizeof *branch->gateways, compare_gateways);
    return keys_differ(list, branch, problems) && all_counters_served(list, branch, problems);
}

static void read_country(const struct node *node, struct branch *branch,
                         struct problems *problems) {
    const char *text = NULL;
    if (!node_text(node, 2, 2, &text, problems)) return;
    if (text[0] < 'A' || text[0] > 'Z' || text[1] < 'A' || text[1] > 'Z')
        node_problem(node, problems, ERR_FORMAT,
                     "'%s' is not a country; write two capital letters such as DE", text);
    else
        memcpy(branch->country, text, 2);
}

static void read_zone(const struct node *node, struct branches *branches, struct branch *branch,
                      struct problems *problems) {
    const char *name = NULL;
    if (!node_text(node, 1, ZONE_NAME_SIZE - 1, &name, problems)) return;
    size_t at = 0;
    while (at < branches->zone_count && strcmp(branches->zones[at].name, name) != 0)
        at++;
    struct branch_zone *zone = &branches->zones[at]; // there is one for every branch
    struct problem problem;
    if (at == branches->zone_count) {
        enum err err = zone_load(name, &zone->zone, &problem);
        if (err) {
            node_problem(node, problems, err, "%s", problem.text);
            return;
        }
        memcpy(zone->name, name, strlen(name) + 1);
        branches->zone_count++;
    }
    memcpy(branch->zone_name, name, strlen(name) + 1);
    branch->zone = zone->zone;
}

static void read_branch(const struct node *root, struct branches *branches, struct branch *branch,
                        struct problems *problems) {
    static const char *const keys[] = {"branch", "name",     "region",   "country",
                                       "zone",   "counters", "gateways", NULL};
    node_map(root, keys, problems);
    if (root->kind != NODE_MAP) return;
    const char *name = "";
    node_id(node_need(root, "branch", problems), &branch->id, problems);
    node_text(node_need(root, "name", problems), 1, BRANCH_NAME_SIZE - 1, &name, problems);
    memcpy(branch->name, name, strlen(name));
    node_id(node_need(root, "region", problems), &branch->region, problems);
    read_country(node_need(root, "country", problems), branch, problems);
    read_zone(node_need(root, "zone", problems), branches, branch, problems);
    const struct node *gateways = node_need(root, "gateways", problems);
    if (read_counters(node_need(root, "counters", problems), branch, problems))
        read_gateways(gateways, branch, problems);
    branch->hash = branch_hash(branch);
}

// --- reading all

static void find_twins(const struct node *const *roots, size_t count, struct problems *problems) {
    for (size_t i = 0; i < count; i++) {
        const struct node *id = node_find(roots[i], "branch");
        for (size_t j = 0; id && id->text && j < i; j++) {
            const struct node *twin = node_find(roots[j], "branch");
            if (!twin || !twin->text || strcmp(id->text, twin->text) != 0) continue;
            char where[NODE_WHERE_SIZE];
            node_problem(id, problems, ERR_CONFLICT,
                         "branch '%.32s' is there already (%s); give it an id of its own", id->text,
                         node_where(twin, where));
            break;
        }
    }
}

bool branches_read(const struct node *const *roots, size_t count, struct branches *out,
                   struct problems *problems) {
    size_t before = problems->count;
    *out = (struct branches){0};
    if (count > BRANCHES_MAX) {
        problems_add(problems, ERR_FULL, NULL, "%zu branches; at most %d are possible", count,
                     BRANCHES_MAX);
        return false;
    }
    out->items = calloc(count ? count : 1, sizeof *out->items);
    out->zones = calloc(count ? count : 1, sizeof *out->zones);
    if (!out->items || !out->zones) {
        problems_add(problems, ERR_NOMEM, NULL, "out of memory");
        branches_free(out);
        return false;
    }
    for (; out->count < count; out->count++)
        read_branch(roots[out->count], out, &out->items[out->count], problems);
    find_twins(roots, count, problems);
    qsort(out->items, out->count, sizeof *out->items, compare_branches);
    if (problems->count == before) return true;
    branches_free(out);
    return false;
}

/// A branch is found by its file, and a file by its branch.
static void check_file_name(const struct node *root, struct problems *problems) {
    const struct node *id = node_find(root, "branch");
    const char *slash = strrchr(root->file, '/');
    const char *file = slash ? slash + 1 : root->file;
    size_t size = strlen(file) - (sizeof ".yaml" - 1);
    if (!id || !id->text || (id->size == size && memcmp(id->text, file, size) == 0)) return;
    node_problem(id, problems, ERR_CONFLICT,
                 "branch '%.32s' stands in a file of another name; call it %.32s.yaml", id->text,
                 id->text);
}

bool branches_load(const char *folder, struct branches *out, struct problems *problems) {
    struct documents documents;
    size_t before = problems->count;
    *out = (struct branches){0};
    bool opened = documents_open(folder, &documents, problems);
    const struct node **roots = calloc(documents.count ? documents.count : 1, sizeof *roots);
    if (!roots) {
        problems_add(problems, ERR_NOMEM, folder, "out of memory");
    } else if (opened && !documents.count) {
        problems_add(problems, ERR_MISSING, folder, "holds no branch; add BRANCH.yaml");
    } else {
        for (size_t i = 0; i < documents.count; i++) {
            roots[i] = document_root(documents.items[i]);
            check_file_name(roots[i], problems);
        }
        branches_read(roots, documents.count, out, problems);
    }
    free(roots);
    documents_free(&documents);
    if (problems->count == before) return true;
    branches_free(out);
    return false;
}

void branches_free(struct branches *branches) {
    for (size_t i = 0; i < branches->count; i++) {
        struct branch *branch = &branches->items[i];
        for (size_t j = 0; j < branch->gateway_count; j++)
            free(branch->gateways[j].counters);
        free(branch->gateways);
        free(branch->counters);
    }
    for (size_t i = 0; i < branches->zone_count; i++)
        zone_free(&branches->zones[i].zone);
    free(branches->items);
    free(branches->zones);
    *branches = (struct branches){0};
}
