#include "worker/engine/degree.h"

static wide divided_down(wide numerator, wide denominator) {
    wide quotient = numerator / denominator;
    return quotient - (numerator % denominator < 0);
}

int32_t degree_at(const struct standard *standard, struct figure figure) {
    if (standard->degree_count == 0 || figure.absent) return 0;
    const struct degree_point *points = standard->degree;
    if (figure_compare(figure, points[0].at) <= 0) return points[0].millionths;
    for (size_t i = 1; i < standard->degree_count; i++) {
        if (figure_compare(figure, points[i].at) > 0) continue;
        wide beyond = figure.numerator - (wide)points[i - 1].at * figure.denominator;
        wide width = (wide)(points[i].at - points[i - 1].at) * figure.denominator;
        wide rise = points[i].millionths - points[i - 1].millionths;
        return points[i - 1].millionths + (int32_t)divided_down(rise * beyond, width);
    }
    return points[standard->degree_count - 1].millionths;
}
