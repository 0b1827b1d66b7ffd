#pragma once
// A notice for machines: what is measured and judged in a branch, for what purpose, how long kept.

#include "ops/ctl/shown.h"

struct notice {
    const struct shown *shown;
    const struct ctl_settings *settings;
    const char *branch, *language;
    char day[DAY_TEXT_SIZE];
    const struct standard_set *set;
};

json_t *notice_json(const struct notice *notice);
