#ifndef SG_GRAFT_LINALG_H
#define SG_GRAFT_LINALG_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Small dense problems in f64, plain operations in a fixed order: the same bytes on
 * every machine. Matrices are row-major.
 */

/*
 * Singular values by one-sided Jacobi rotations (Hestenes 1958): columns of a [n,m],
 * n >= m, become those of U diag(sigma), largest first; v [m,m], NULL if not wanted,
 * has the right singular vectors as its columns. A = U diag(sigma) V^T.
 */
void sg_svd(double *sigma, double *a, double *v, size_t n, size_t m);

/*
 * Linear least squares over any number of rows in bounded memory: a QR factorisation
 * (Householder) that takes in LSQ rows at a time, so that the result depends on the
 * rows and their order, not on how they are handed over.
 */
struct sg_lsq {
	size_t n, m;			/* numbers of x, of t */
	size_t fill;			/* rows that wait */
	double *r;			/* [n + SG_LSQ_ROWS, n + m]: R of the rows so far, then those that wait */
};
#define SG_LSQ_ROWS 64
int sg_lsq_init(struct sg_lsq *q, size_t n, size_t m);
void sg_lsq_release(struct sg_lsq *q);
/* x [rows,n], t [rows,m], t NULL where m is 0 */
void sg_lsq_add(struct sg_lsq *q, const float *x, const float *t, size_t rows);
/* The triangle of x alone, [n,n] = */
void sg_lsq_triangle(double *r, struct sg_lsq *q);
/* w [m,n] = the smallest that minimises sum |w x - t|^2, along directions of x whose
 * singular value is more than tol of the largest; *rank of them. */
int sg_lsq_solve(double *w, size_t *rank, struct sg_lsq *q, double tol);
SG_C_END
#endif
