// tresenctl keys new NAME

#include "common/registry/keys.h"
#include "ops/ctl/ctl.h"

#include <string.h>

int ctl_keys_new(struct ctl *ctl) {
    const char *name = ctl->arguments[0];
    const char *dir = ctl->dir ? ctl->dir : ctl->settings.keys_dir;
    struct peer peer;
    struct problem problem;
    char public_key[KEY_TEXT_SIZE];
    if (!peer_parse(name, strlen(name), &peer))
        return ctl_fail("%s is no peer; use broker, worker.NAME or gateway.BRANCH.NAME", name);
    if (key_make(dir, name, public_key, &problem)) return ctl_fail("%s", problem.text);
    if (ctl->json)
        return ctl_print_json(json_pack("{s:s,s:s}", "name", name, "public", public_key));
    printf("%s/%s.key (secret) and %s.pub: %s\n", dir, name, name, public_key);
    return CTL_OK;
}
