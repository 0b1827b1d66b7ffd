#include "broker/shell/peers.h"

#include <stdlib.h>
#include <string.h>

static bool gateways_fill(struct peers *peers, const struct branches *branches) {
    uint32_t number = 0;
    for (uint32_t b = 0; b < branches->count; b++)
        for (size_t g = 0; g < branches->items[b].gateway_count; g++, number++) {
            const struct branch *branch = &branches->items[b];
            struct peer peer = {PEER_GATEWAY, branch->id, branch->gateways[g].id};
            char name[KEY_NAME_SIZE];
            peer_name(&peer, name);
            struct gateway *gateway = &peers->gateways[number];
            connection_init(&gateway->connection);
            gateway->branch = branch;
            gateway->branch_number = b;
            gateway->registered = &branch->gateways[g];
            if (!idmap_put(peers->gateways_by_name, name, strlen(name), number)) return false;
        }
    return true;
}

enum err peers_init(struct peers *peers, const struct branches *branches, uint32_t workers_max) {
    *peers = (struct peers){.worker_count = workers_max};
    for (size_t i = 0; i < branches->count; i++)
        peers->gateway_count += (uint32_t)branches->items[i].gateway_count;
    size_t gateways = peers->gateway_count ? peers->gateway_count : 1;
    peers->gateways = calloc(gateways, sizeof *peers->gateways);
    peers->workers = calloc(workers_max, sizeof *peers->workers);
    peers->gateways_by_name = idmap_new(gateways, KEY_NAME_SIZE);
    peers->workers_by_name = idmap_new(workers_max, ID_MAX);
    bool fine = peers->gateways && peers->workers && peers->gateways_by_name &&
                peers->workers_by_name && gateways_fill(peers, branches);
    if (!fine) {
        peers_fini(peers);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < workers_max; i++)
        connection_init(&peers->workers[i].connection);
    return ERR_NONE;
}

void peers_fini(struct peers *peers) {
    for (uint32_t i = 0; peers->gateways && i < peers->gateway_count; i++)
        connection_fini(&peers->gateways[i].connection);
    for (uint32_t i = 0; peers->workers && i < peers->worker_count; i++)
        connection_fini(&peers->workers[i].connection);
    idmap_free(peers->gateways_by_name);
    idmap_free(peers->workers_by_name);
    free(peers->gateways);
    free(peers->workers);
    *peers = (struct peers){0};
}

uint32_t peers_gateway(const struct peers *peers, struct bytes name) {
    uint32_t number;
    bool known = idmap_get(peers->gateways_by_name, (const char *)name.data, name.size, &number);
    return known ? number : NO_PEER;
}

uint32_t peers_worker(const struct peers *peers, const struct id *name) {
    uint32_t number;
    bool known = idmap_get(peers->workers_by_name, name->text, strlen(name->text), &number);
    return known ? number : NO_PEER;
}

uint32_t peers_worker_add(struct peers *peers, const struct id *name) {
    for (uint32_t i = 0; i < peers->worker_count; i++) { // once in a worker's life
        struct worker *worker = &peers->workers[i];
        if (worker->name.text[0]) continue;
        if (!idmap_put(peers->workers_by_name, name->text, strlen(name->text), i)) return NO_PEER;
        worker->name = *name;
        return i;
    }
    return NO_PEER;
}

void peers_worker_remove(struct peers *peers, uint32_t number) {
    struct worker *worker = &peers->workers[number];
    idmap_remove(peers->workers_by_name, worker->name.text, strlen(worker->name.text));
    worker->name = (struct id){0};
    worker->set[0] = '\0';
    worker->connection.known = false;
    worker->connection.changes = 0;
}
