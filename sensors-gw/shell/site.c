#include "sensors-gw/shell/site.h"

#include "common/settings/file.h"

#include <stdlib.h>

bool site_load(const struct gateway_settings *settings, struct site *site,
               struct problems *problems) {
    *site = (struct site){0};
    char measures[PATH_SIZE], branches[PATH_SIZE];
    if (!path_join(settings->config_dir, "measures.yaml", measures, sizeof measures, problems) ||
        !path_join(settings->config_dir, "branches", branches, sizeof branches, problems) ||
        !measures_load(measures, &site->catalogue, problems) ||
        !branches_load(branches, &site->branches, problems))
        return false;

    site->branch = branches_find(&site->branches, &settings->branch);
    if (!site->branch) {
        problems_add(problems, ERR_MISSING, branches, "there is no branch '%s'",
                     settings->branch.text);
        return false;
    }
    const struct branch_gateway *gateway = branch_gateway(site->branch, &settings->gateway);
    if (!gateway) {
        problems_add(problems, ERR_MISSING, branches,
                     "branch '%s' has no gateway '%s'; add it to the branch's file",
                     settings->branch.text, settings->gateway.text);
        return false;
    }
    site->counters = calloc(gateway->counter_count + 1, sizeof *site->counters);
    if (!site->counters) {
        problems_add(problems, ERR_NOMEM, NULL, "out of memory");
        return false;
    }
    for (size_t i = 0; i < gateway->counter_count; i++)
        site->counters[site->counter_count++] = site->branch->counters[gateway->counters[i]];
    return true;
}

void site_free(struct site *site) {
    measures_free(&site->catalogue);
    branches_free(&site->branches);
    free(site->counters);
    *site = (struct site){0};
}
