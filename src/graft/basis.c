#include "graft/basis.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/linalg.h"
#include <math.h>

/* Rows of q [n,len] made orthonormal in order (Gram-Schmidt, each row twice). A
 * row that depends on those before it is replaced by a unit vector's remainder. */
static void orthonormal(double *q, size_t n, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		double *a = q + i * len, norm = 0;
		size_t tries = 0;

		for (;;) {
			for (int twice = 0; twice < 2; twice++)
				for (size_t j = 0; j < i; j++) {
					const double *b = q + j * len;
					double dot = 0;

					for (size_t k = 0; k < len; k++)
						dot += a[k] * b[k];
					for (size_t k = 0; k < len; k++)
						a[k] -= dot * b[k];
				}
			norm = 0;
			for (size_t k = 0; k < len; k++)
				norm += a[k] * a[k];
			norm = sqrt(norm);
			if (norm > 1e-12 || tries == len)
				break;
			memset(a, 0, len * sizeof(*a));
			a[(i + tries++) % len] = 1;
		}
		for (size_t k = 0; k < len; k++)
			a[k] /= norm;
	}
}

static int gaussian(double *q, size_t n, uint64_t seed, uint64_t stream)
{
	float *f;

	SG_TRY(SG_NEW(f, n));
	sg_rng_normal(f, n, seed, stream);
	for (size_t i = 0; i < n; i++)
		q[i] = f[i];
	free(f);
	return 0;
}

/* u [out,r] from rows of a [r,out]; v [r,in] from rows of b. */
static void store(float *u, float *v, const double *a, const double *b, size_t out, size_t in, size_t r)
{
	for (size_t i = 0; i < r; i++)
		for (size_t j = 0; j < out; j++)
			u[j * r + i] = (float)a[i * out + j];
	for (size_t i = 0; i < r * in; i++)
		v[i] = (float)b[i];
}

int sg_basis_random(float *u, float *v, size_t out, size_t in, size_t r, uint64_t seed, uint64_t stream)
{
	double *a = NULL, *b = NULL;
	int rc = SG_NEW(a, r * out);

	if (rc >= 0)
		rc = SG_NEW(b, r * in);
	if (rc >= 0)
		rc = gaussian(a, r * out, seed, stream);
	if (rc >= 0)
		rc = gaussian(b, r * in, seed, stream + 1);
	if (rc >= 0) {
		orthonormal(a, r, out);
		orthonormal(b, r, in);
		store(u, v, a, b, out, in, r);
	}
	free(a);
	free(b);
	return rc;
}

/* a [n,out] = b [n,in] w^T */
static void times(double *a, const double *b, const double *w, size_t n, size_t out, size_t in)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < out; j++) {
			double s = 0;

			for (size_t k = 0; k < in; k++)
				s += b[i * in + k] * w[j * in + k];
			a[i * out + j] = s;
		}
}

/* b [n,in] = a [n,out] w */
static void times_t(double *b, const double *a, const double *w, size_t n, size_t out, size_t in)
{
	memset(b, 0, n * in * sizeof(*b));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < out; j++)
			for (size_t k = 0; k < in; k++)
				b[i * in + k] += a[i * out + j] * w[j * in + k];
}

int sg_basis_svd(float *u, float *v, const struct sg_mat *m, size_t r, uint64_t seed, uint64_t stream)
{
	enum { STEPS = 8, SPARE = 8 };
	size_t out = m->rows, in = m->cols, n = SG_MIN(r + SPARE, SG_MIN(out, in));
	double *w = NULL, *a = NULL, *b = NULL;
	float *row = NULL;
	int rc = SG_NEW(w, out * in);

	if (rc >= 0)
		rc = SG_NEW(a, n * out);
	if (rc >= 0)
		rc = SG_NEW(b, n * in);
	if (rc >= 0)
		rc = gaussian(b, n * in, seed, stream);
	if (rc >= 0)
		rc = SG_NEW(row, in);
	for (size_t i = 0; rc >= 0 && i < out; i++) {
		sg_mat_widen(row, m, i);
		for (size_t k = 0; k < in; k++)
			w[i * in + k] = row[k];
	}
	for (int i = 0; rc >= 0 && i < STEPS; i++) {
		orthonormal(b, n, in);
		times(a, b, w, n, out, in);
		orthonormal(a, n, out);
		times_t(b, a, w, n, out, in);
	}
	if (rc >= 0) {
		orthonormal(b, n, in);
		store(u, v, a, b, out, in, r);
	}
	free(w);
	free(row);
	free(a);
	free(b);
	return rc;
}

/* b [n,d], orthonormal rows that span the leading eigenvectors of c, becomes these, largest
 * first (Rayleigh, Ritz); a [n,d] is room. */
static int ritz(double *b, double *a, const double *c, size_t n, size_t d)
{
	double *t = NULL, *v = NULL, *sigma = NULL;
	int rc = SG_NEW(t, n * n);

	if (rc >= 0)
		rc = SG_NEW(v, n * n);
	if (rc >= 0)
		rc = SG_NEW(sigma, n);
	if (rc >= 0) {
		times_t(a, b, c, n, d, d);
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				for (size_t k = 0; k < d; k++)
					t[i * n + j] += a[i * d + k] * b[j * d + k];
		sg_svd(sigma, t, v, n, n);
		memset(a, 0, n * d * sizeof(*a));
		for (size_t k = 0; k < n; k++)
			for (size_t i = 0; i < n; i++)
				for (size_t j = 0; j < d; j++)
					a[k * d + j] += v[i * n + k] * b[i * d + j];
		memcpy(b, a, n * d * sizeof(*a));
		orthonormal(b, n, d);
	}
	free(t);
	free(v);
	free(sigma);
	return rc;
}

int sg_basis_top(float *v, const double *c, size_t d, size_t r, uint64_t seed, uint64_t stream)
{
	enum { STEPS = 16, SPARE = 8 };
	size_t n = SG_MIN(r + SPARE, d);
	double *a = NULL, *b = NULL;
	int rc = SG_NEW(a, n * d);

	if (rc >= 0)
		rc = SG_NEW(b, n * d);
	if (rc >= 0)
		rc = gaussian(b, n * d, seed, stream);
	for (int i = 0; rc >= 0 && i < STEPS; i++) {
		orthonormal(b, n, d);
		times_t(a, b, c, n, d, d);
		memcpy(b, a, n * d * sizeof(*a));
	}
	if (rc >= 0) {
		orthonormal(b, n, d);
		rc = ritz(b, a, c, n, d);
	}
	for (size_t i = 0; rc >= 0 && i < r * d; i++)
		v[i] = (float)b[i];
	free(a);
	free(b);
	return rc;
}
