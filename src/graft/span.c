#include "graft/span.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

#define SMALL 1e-6		/* of the largest direction: rounding of f32 */
#define SWEEPS 60

void sg_span_release(struct sg_span *s)
{
	free(s->q);
	*s = (struct sg_span){ 0 };
}

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* v -= (q.v) q for each of r basis vectors; twice, since once leaves rounding in. c, of
 * r numbers, gets what was taken away. */
static void take_away(double *v, double *c, const double *q, size_t r, size_t n)
{
	for (size_t k = 0; k < r; k++)
		c[k] = 0;
	for (int twice = 0; twice < 2; twice++)
		for (size_t k = 0; k < r; k++) {
			double d = dot(q + k * n, v, n);

			c[k] += d;
			for (size_t i = 0; i < n; i++)
				v[i] -= d * q[k * n + i];
		}
}

static double longest(const double *v, size_t r, size_t n)
{
	double most = 0;

	for (size_t k = 0; k < r; k++)
		most = fmax(most, dot(v + k * n, v + k * n, n));
	return sqrt(most);
}

/* Makes r vectors of n orthonormal in place; returns how many are left. t [r,r], may be
 * NULL: vector j was the sum of t[j][k] times basis vector k. */
static size_t orthonormal(double *v, double *t, double *c, size_t r, size_t n)
{
	double least = longest(v, r, n) * SMALL;
	size_t kept = 0;

	for (size_t j = 0; j < r; j++) {
		double *x = v + kept * n, len;

		memmove(x, v + j * n, n * sizeof(*x));
		take_away(x, c, v, kept, n);
		len = sqrt(dot(x, x, n));
		for (size_t k = 0; t && k < kept; k++)
			t[j * r + k] = c[k];
		if (!(len > least))
			continue;
		for (size_t i = 0; i < n; i++)
			x[i] /= len;
		if (t)
			t[j * r + kept] = len;
		kept++;
	}
	return kept;
}

/* What sum_j a_j b_j^T spans on a's side: b = T q with orthonormal q, so that side is
 * spanned by T^T a. a [r,n], b [r,m], vectors one behind the other. */
static int one_side(struct sg_span *out, const double *a, const double *b, size_t r, size_t n, size_t m)
{
	double *q = NULL, *t = NULL, *c = NULL;
	struct sg_span s = { .n = n };
	size_t kept = 0;
	int rc = SG_NEW(q, SG_MAX(r * m, (size_t)1));

	if (rc >= 0)
		rc = SG_NEW(t, SG_MAX(r * r, (size_t)1));
	if (rc >= 0)
		rc = SG_NEW(c, r + 1);
	if (rc >= 0)
		rc = SG_NEW(s.q, SG_MAX(r * n, (size_t)1));
	if (rc >= 0) {
		memcpy(q, b, r * m * sizeof(*q));
		kept = orthonormal(q, t, c, r, m);
		for (size_t k = 0; k < kept; k++)
			for (size_t j = 0; j < r; j++)
				for (size_t i = 0; i < n; i++)
					s.q[k * n + i] += t[j * r + k] * a[j * n + i];
		s.r = orthonormal(s.q, NULL, c, kept, n);
	}
	free(q);
	free(t);
	free(c);
	if (rc < 0)
		sg_span_release(&s);
	else
		*out = s;
	return rc;
}

int sg_span_of(struct sg_span *columns, struct sg_span *rows, const float *left, const float *right, size_t out,
	       size_t rank, size_t in)
{
	struct sg_span c = { 0 }, r = { 0 };
	double *a = NULL, *b = NULL;
	size_t na, nb;
	int rc;

	if (rank > SG_SPAN_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "a change of rank %zu has no angles here, %d is the most", rank, SG_SPAN_MAX);
	if (!sg_mul(&na, rank, out) || !sg_mul(&nb, rank, in))
		return -SG_E_NOMEM;
	rc = SG_NEW(a, SG_MAX(na, (size_t)1));
	if (rc >= 0)
		rc = SG_NEW(b, SG_MAX(nb, (size_t)1));
	for (size_t i = 0; rc >= 0 && i < out; i++)
		for (size_t k = 0; k < rank; k++)
			a[k * out + i] = left[i * rank + k];
	for (size_t i = 0; rc >= 0 && i < nb; i++)
		b[i] = right[i];
	if (rc >= 0)
		rc = one_side(&c, a, b, rank, out, in);
	if (rc >= 0)
		rc = one_side(&r, b, a, rank, in, out);
	free(a);
	free(b);
	if (rc < 0) {
		sg_span_release(&c);
		sg_span_release(&r);
	} else {
		*columns = c;
		*rows = r;
	}
	return rc;
}

/* One Jacobi rotation that makes rows p and q of m [r,n] orthogonal; were they not? */
static bool rotate(double *p, double *q, size_t n)
{
	double pp = dot(p, p, n), qq = dot(q, q, n), pq = dot(p, q, n), z, t, c, s;

	if (fabs(pq) <= 1e-15 * sqrt(pp * qq) || pq == 0)
		return false;
	z = (qq - pp) / (2 * pq);
	t = (z < 0 ? -1 : 1) / (fabs(z) + sqrt(1 + z * z));
	c = 1 / sqrt(1 + t * t);
	s = c * t;
	for (size_t i = 0; i < n; i++) {
		double x = p[i], y = q[i];

		p[i] = c * x - s * y;
		q[i] = s * x + c * y;
	}
	return true;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int sg_span_angles(double **deg, size_t *n, const struct sg_span *a, const struct sg_span *b)
{
	const struct sg_span *small = a->r <= b->r ? a : b, *big = small == a ? b : a;
	bool more = true;
	double *m, *d;
	int rc;

	if (a->n != b->n)
		return sg_fail(SG_E_ERROR, "spaces of %zu and %zu dimensions have no angles", a->n, b->n);
	SG_TRY(SG_NEW(m, SG_MAX(small->r * big->r, (size_t)1)));
	rc = SG_NEW(d, SG_MAX(small->r, (size_t)1));
	if (rc < 0) {
		free(m);
		return rc;
	}
	for (size_t i = 0; i < small->r; i++)
		for (size_t k = 0; k < big->r; k++)
			m[i * big->r + k] = dot(small->q + i * a->n, big->q + k * a->n, a->n);
	for (int sweep = 0; more && sweep < SWEEPS; sweep++) {
		more = false;
		for (size_t i = 0; i < small->r; i++)
			for (size_t k = i + 1; k < small->r; k++)
				more |= rotate(m + i * big->r, m + k * big->r, big->r);
	}
	for (size_t i = 0; i < small->r; i++)
		d[i] = acos(fmin(1, sqrt(dot(m + i * big->r, m + i * big->r, big->r)))) * (180 / acos(-1.0));
	qsort(d, small->r, sizeof(*d), by_size);
	free(m);
	*deg = d;
	*n = small->r;
	return 0;
}
