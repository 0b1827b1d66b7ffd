#pragma once
// Which of the example company's standards an encounter truly meets: from how the people truly
// behaved, by the sentences of config/standards, told once more here and independently of the
// engine that judges what sensors saw. Of what the simulated people never do there is no truth here.

#include "sensors-gw/simulate/day.h"

enum { TRUTHS = 20 };

enum truth_says {
    TRUTH_NOT_APPLICABLE,
    TRUTH_MET,
    TRUTH_NOT_MET,
};

struct truth {
    const char *standard;
    enum truth_says says;
    double value; // the true figure in the standard's unit; NaN: what was asked for never happened
};

/// All of them, in the order of the standards' ids.
void truth_tell(const struct visit *visit, struct truth truths[TRUTHS]);
