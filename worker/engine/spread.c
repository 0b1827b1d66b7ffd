#include "worker/engine/spread.h"

#include <math.h>

#define Z_95 1.959963984540054 // normal quantile of 0.975

enum err wilson_interval(uint64_t met, uint64_t all, double *low, double *high) {
    if (all == 0 || met > all) return ERR_RANGE;
    double n = (double)all, share = (double)met / n, z2 = Z_95 * Z_95;
    double middle = (share + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n));
    *low = met == 0 ? 0 : middle - half;
    *high = met == all ? 1 : middle + half;
    return ERR_NONE;
}
