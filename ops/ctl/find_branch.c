#include "ops/ctl/local_day.h"
#include "ops/ctl/store_link.h"

#include <stdlib.h>
#include <string.h>

char *find_branch(struct ctl *ctl, struct store_link *link, const char *id) {
    struct branches branches = {0};
    char *found = NULL;
    bool asked = local_branches(ctl, &branches);
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
