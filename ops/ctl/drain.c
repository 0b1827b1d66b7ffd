// tresenctl drain WORKER

#include "ops/ctl/broker_link.h"

int ctl_drain(struct ctl *ctl) {
    int status = brokers_drain(ctl, ctl->arguments[0]);
    if (status != CTL_OK) return status;
    if (ctl->json) return ctl_print_json(json_pack("{s:s}", "draining", ctl->arguments[0]));
    printf("%s takes no more work and stops when it has finished\n", ctl->arguments[0]);
    return CTL_OK;
}
