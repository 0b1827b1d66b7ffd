#include "common/registry/branches.h"
#include "common/settings/file.h"
#include "ops/ctl/store_link.h"

#include <stdlib.h>
#include <string.h>

char *find_branch(struct ctl *ctl, struct store_link *link, const char *id) {
    static struct problems problems;
    struct branches branches = {0};
    char folder[PATH_SIZE], *found = NULL;
    bool asked =
        path_join(ctl->settings.config_dir, "branches", folder, sizeof folder, &problems) &&
        branches_load(folder, &branches, &problems);
    if (!asked) problems_print(&problems, stderr);
    for (size_t i = 0; asked && i < branches.count; i++) {
        const char *branch = branches.items[i].id.text;
        redisReply *reply = store_key_ask(link, "EXISTS", branch, "e:%s", id);
        asked = reply != NULL;
        bool has = reply && reply->integer == 1;
        if (has && found) {
            asked = false;
            ctl_fail("branches %s and %s both have an encounter %s: name the branch before it",
                     found, branch, id);
        }
        if (has && !found) found = strdup(branch);
        if (reply) freeReplyObject(reply);
    }
    if (asked && !found) ctl_fail("no branch has an encounter %s", id);
    branches_free(&branches);
    if (asked) return found;
    free(found);
    return NULL;
}
