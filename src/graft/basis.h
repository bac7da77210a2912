#ifndef SG_GRAFT_BASIS_H
#define SG_GRAFT_BASIS_H
#include "base/base.h"
#include "base/dtype.h"
SG_C_BEGIN
/*
 * Orthonormal bases of a linear map's output and input space, in f64 with plain
 * operations in a fixed order: the same bytes on every machine.
 * u [out,r] has orthonormal columns, v [r,in] orthonormal rows.
 */

/* Gaussian numbers made orthonormal. */
int sg_basis_random(float *u, float *v, size_t out, size_t in, size_t r, uint64_t seed, uint64_t stream);
/* Leading singular vectors of w by subspace iteration (Halko, Martinsson, Tropp
 * 2011, algorithm 4.4) with 8 steps and 8 spare columns. */
int sg_basis_svd(float *u, float *v, const struct sg_mat *w, size_t r, uint64_t seed, uint64_t stream);
/* Leading eigenvectors of c [d,d], symmetric and without negative eigenvalues, as rows of v
 * [r,d], by 16 steps of the same and a rotation of what they span (Rayleigh, Ritz). */
int sg_basis_top(float *v, const double *c, size_t d, size_t r, uint64_t seed, uint64_t stream);
SG_C_END
#endif
