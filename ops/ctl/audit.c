// tresenctl audit [BRANCH...]: cells = sum of contributions, and
// spooled = applied + dead + dropped + expired + held (balance.h).

#include "common/registry/branches.h"
#include "common/settings/file.h"
#include "ops/ctl/balance.h"
#include "ops/ctl/broker_link.h"
#include "ops/ctl/card.h"
#include "ops/ctl/ledger.h"
#include "worker/standards/standard.h"
#include "worker/store/state.h"

#include <string.h>

/// Add all encounters of a branch to the ledger; how many there are. -1: said why not.
static long long add_encounters(struct store_link *link, const char *branch, const json_t *days,
                                struct ledger *ledger, json_t *differences) {
    static struct contribution_standard standards[STANDARDS_MAX];
    struct contribution contribution;
    struct record_cells where;
    const json_t *day;
    long long count = 0;
    size_t d;
    json_array_foreach(days, d, day) {
        redisReply *ids = store_key_ask(link, "SMEMBERS", branch, "day:%s", json_string_value(day));
        if (!ids) return -1;
        for (size_t i = 0; i < ids->elements; i++, count++) {
            const char *id = ids->element[i]->str;
            redisReply *reply =
                store_key_ask(link, "HMGET % cells contribution", branch, "e:%s", id);
            if (!reply) {
                freeReplyObject(ids);
                return -1;
            }
            struct bytes bytes = reply_bytes(reply->element[1]);
            bool fine = bytes.size == 0 || // withdrawn
                        (!record_cells_read(reply_bytes(reply->element[0]), &where) &&
                         !contribution_read(bytes, &contribution, STANDARDS_MAX, standards) &&
                         ledger_add(ledger, &where, &contribution));
            if (!fine)
                json_array_append_new(
                    differences, json_sprintf("the contribution of encounter %s is damaged", id));
            freeReplyObject(reply);
        }
        freeReplyObject(ids);
    }
    return count;
}

static long long number(const json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

/// What a broker that does not answer may know better is as if it had not been reported.
static const json_t *report_of(const json_t *status, const char *branch, const char *gateway) {
    const json_t *item = brokers_gateway(status, branch, gateway);
    return brokers_know(status, item) ? json_object_get(item, "report") : NULL;
}

static json_t *balances(struct store_link *link, const char *branch, const json_t *status) {
    json_t *array = json_array();
    struct store_state state;
    redisReply *registry = store_key_ask(link, "GET", branch, "registry");
    redisReply *bytes = registry ? store_key_ask(link, "GET", branch, "state") : NULL;
    if (bytes && store_state_read(reply_bytes(registry), reply_bytes(bytes), &state) == ERR_NONE) {
        for (size_t i = 0; i < state.gateway_count; i++)
            json_array_append_new(
                array, balance_json(&state.gateways[i],
                                    report_of(status, branch, state.gateways[i].id.text)));
        store_state_free(&state);
    }
    if (registry) freeReplyObject(registry);
    if (bytes) freeReplyObject(bytes);
    return array;
}

/// NULL: said why it could not be audited.
static json_t *audit(struct store_link *link, const char *branch, const json_t *status) {
    struct ledger *ledger = ledger_new();
    json_t *days = card_days(link, branch, NULL), *differences = json_array(), *object = NULL;
    long long encounters =
        ledger && days ? add_encounters(link, branch, days, ledger, differences) : -1;
    size_t cells = 0;
    if (encounters >= 0 && ledger_compare(ledger, link, branch, differences, &cells))
        object = json_pack("{s:s, s:I, s:I, s:O, s:o}", "branch", branch, "encounters",
                           (json_int_t)encounters, "cells", (json_int_t)cells, "differences",
                           differences, "gateways", balances(link, branch, status));
    json_decref(differences);
    json_decref(days);
    ledger_free(ledger);
    return object;
}

/// Sums that differ are wrong; a balance that differs may only be in flight.
static bool is_fine(const json_t *branch) {
    return json_array_size(json_object_get(branch, "differences")) == 0;
}

static void print_branch(const json_t *branch) {
    const json_t *item;
    size_t i;
    printf("%s: %lld encounters, %lld cells, %s\n", standard_text(branch, "branch"),
           number(branch, "encounters"), number(branch, "cells"),
           is_fine(branch) ? "all sums agree" : "SUMS DIFFER");
    json_array_foreach(json_object_get(branch, "differences"), i, item) {
        printf("  %s\n", json_string_value(item));
    }
    json_array_foreach(json_object_get(branch, "gateways"), i, item) {
        balance_print(item);
    }
}

/// balanced: all brokers have told of their gateways.
static int report(struct ctl *ctl, json_t *branches, bool balanced) {
    const json_t *branch;
    bool fine = balanced;
    size_t i;
    json_array_foreach(branches, i, branch) fine = fine && is_fine(branch);
    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:b, s:o}", "fine", (int)fine, "brokers_answer",
                                 (int)balanced, "branches", branches));
    } else {
        json_array_foreach(branches, i, branch) print_branch(branch);
        json_decref(branches);
    }
    return fine ? CTL_OK : CTL_FAILED;
}

/// The branches named, or all that the configuration knows and the store has seen.
static bool audit_all(struct ctl *ctl, struct store_link *link, const json_t *status,
                      json_t *branches) {
    for (int i = 0; i < ctl->count; i++) {
        if (!id_valid(ctl->arguments[i], strlen(ctl->arguments[i]))) {
            ctl_fail("%s is no name of a branch", ctl->arguments[i]);
            return false;
        }
        json_t *object = audit(link, ctl->arguments[i], status);
        if (!object) return false;
        json_array_append_new(branches, object);
    }
    if (ctl->count > 0) return true;

    static struct problems problems;
    struct branches registry = {0};
    char folder[PATH_SIZE];
    bool done = path_join(ctl->settings.config_dir, "branches", folder, sizeof folder, &problems) &&
                branches_load(folder, &registry, &problems);
    if (!done) problems_print(&problems, stderr);
    for (size_t i = 0; done && i < registry.count; i++) {
        json_t *object = audit(link, registry.items[i].id.text, status);
        done = object != NULL;
        if (done && number(object, "encounters") +
                            (long long)json_array_size(json_object_get(object, "gateways")) >
                        0)
            json_array_append(branches, object);
        json_decref(object);
    }
    branches_free(&registry);
    return done;
}

int ctl_audit(struct ctl *ctl) {
    struct store_link *link = store_link_open(ctl);
    if (!link) return CTL_FAILED;
    json_t *status = brokers_status(ctl); // without it the balances lack the gateways' side
    bool balanced = brokers_tell(status);
    json_t *branches = json_array();
    int result = CTL_FAILED;
    if (audit_all(ctl, link, status, branches))
        result = report(ctl, branches, balanced);
    else
        json_decref(branches);
    json_decref(status);
    store_link_close(link);
    return result;
}
