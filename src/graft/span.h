#ifndef SG_GRAFT_SPAN_H
#define SG_GRAFT_SPAN_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Subspaces that a low-rank change of a weight reads from and writes to, and the
 * angles between two such. In f64, sums in a fixed order.
 */

/* An orthonormal basis: r vectors of n numbers, one behind the other. {0} is empty. */
struct sg_span { double *q; size_t n, r; };
void sg_span_release(struct sg_span *s);

/*
 * Of dW = left [out,rank] right [rank,in]: what its columns span (what it writes) and
 * what its rows span (what it reads). Directions that are smaller than 1e-6 of the
 * largest are rounding and are left out. UNSUPPORTED past SG_SPAN_MAX.
 */
#define SG_SPAN_MAX 512
int sg_span_of(struct sg_span *columns, struct sg_span *rows, const float *left, const float *right, size_t out,
	       size_t rank, size_t in);
/* The principal angles between two, in degrees, least first; min(a->r, b->r) of them,
 * which *deg, yours, has room for. */
int sg_span_angles(double **deg, size_t *n, const struct sg_span *a, const struct sg_span *b);
SG_C_END
#endif
