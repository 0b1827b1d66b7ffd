#pragma once
// The documents that stand beside every standard, as short as they can be: the value `respect`, its
// norm `space`, the offering `cash`.

#define VALUES_YAML                                                                                \
    "- value: respect\n"                                                                           \
    "  text: {de: Achtung, en: Respect}\n"
#define NORMS_YAML                                                                                 \
    "- norm: space\n"                                                                              \
    "  value: respect\n"                                                                           \
    "  text: {de: Abstand, en: Distance}\n"
#define OFFERINGS_YAML                                                                             \
    "other: {opening_s: 15, closing_s: 15}\n"                                                      \
    "offerings:\n"                                                                                 \
    "  - {offering: cash, opening_s: 10, closing_s: 10, text: {de: Kasse, en: Cash}}\n"
#define SCORING_YAML "coverage_floor: 0.5\n"
