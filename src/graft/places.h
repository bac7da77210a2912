#ifndef SG_GRAFT_PLACES_H
#define SG_GRAFT_PLACES_H
#include "base/base.h"
SG_C_BEGIN
/*
 * A few places of a matrix [rows,cols], as at [2,n]: rows, then columns, as whole numbers,
 * each place once and in the order of the matrix. A float holds whole numbers to 2^24.
 */
#define SG_PLACES_SIDE ((size_t)1 << 24)

/* The n places of the largest scores [rows,cols], n at least 1 and no more than there are; of
 * equals the earlier. */
int sg_places_choose(float *at, size_t n, const float *score, size_t rows, size_t cols);
/* m [rows,cols] += v[i] at place i. */
void sg_places_add(float *m, const float *at, const float *v, size_t n, size_t cols);
/* Places may come from anywhere. CORRUPT: outside the matrix, no whole numbers, out of order. */
int sg_places_check(const float *at, size_t n, size_t rows, size_t cols, const char *site);
SG_C_END
#endif
