#include "graft/linalg.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

/* --- singular values ----------------------------------------------------------- */

/* Turns columns p and q of a [n,m] by the angle (c, s). */
static void turn(double *a, size_t n, size_t m, size_t p, size_t q, double c, double s)
{
	for (size_t i = 0; i < n; i++) {
		double x = a[i * m + p], y = a[i * m + q];

		a[i * m + p] = c * x - s * y;
		a[i * m + q] = s * x + c * y;
	}
}

/* Makes two columns orthogonal; false when they are as good as that. */
static bool rotate(double *a, double *v, size_t n, size_t m, size_t p, size_t q)
{
	double x = 0, y = 0, d = 0, zeta, t, c;

	for (size_t i = 0; i < n; i++) {
		x += a[i * m + p] * a[i * m + p];
		y += a[i * m + q] * a[i * m + q];
		d += a[i * m + p] * a[i * m + q];
	}
	if (!(fabs(d) > 1e-15 * sqrt(x * y)) || d == 0)
		return false;
	zeta = (y - x) / (2 * d);
	t = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
	c = 1 / sqrt(1 + t * t);
	turn(a, n, m, p, q, c, c * t);
	if (v)
		turn(v, m, m, p, q, c, c * t);
	return true;
}

static void swap_columns(double *a, size_t n, size_t m, size_t p, size_t q)
{
	for (size_t i = 0; i < n; i++) {
		double x = a[i * m + p];

		a[i * m + p] = a[i * m + q];
		a[i * m + q] = x;
	}
}

static void sort_columns(double *sigma, double *a, double *v, size_t n, size_t m)
{
	for (size_t i = 0; i + 1 < m; i++) {
		size_t best = i;
		double s;

		for (size_t j = i + 1; j < m; j++)
			if (sigma[j] > sigma[best])
				best = j;
		if (best == i)
			continue;
		s = sigma[i];
		sigma[i] = sigma[best];
		sigma[best] = s;
		swap_columns(a, n, m, i, best);
		if (v)
			swap_columns(v, m, m, i, best);
	}
}

void sg_svd(double *sigma, double *a, double *v, size_t n, size_t m)
{
	enum { SWEEPS = 60 };
	bool moved = true;

	for (size_t i = 0; v && i < m * m; i++)
		v[i] = i % (m + 1) == 0;
	for (int sweep = 0; moved && sweep < SWEEPS; sweep++) {
		moved = false;
		for (size_t p = 0; p + 1 < m; p++)
			for (size_t q = p + 1; q < m; q++)
				moved |= rotate(a, v, n, m, p, q);
	}
	for (size_t j = 0; j < m; j++) {
		double s = 0;

		for (size_t i = 0; i < n; i++)
			s += a[i * m + j] * a[i * m + j];
		sigma[j] = sqrt(s);
	}
	sort_columns(sigma, a, v, n, m);
}

/* --- least squares -------------------------------------------------------------- */

int sg_lsq_init(struct sg_lsq *q, size_t n, size_t m)
{
	*q = (struct sg_lsq){ .n = n, .m = m };
	return SG_NEW(q->r, (n + SG_LSQ_ROWS) * (n + m));
}

void sg_lsq_release(struct sg_lsq *q)
{
	free(q->r);
	*q = (struct sg_lsq){ 0 };
}

/* One reflection that leaves of column k, rows k and n.., only its row k. Rows between
 * are zero there already. */
static void reflect(struct sg_lsq *q, size_t k)
{
	size_t w = q->n + q->m, n = q->n;
	double *top = q->r + k * w, sum = top[k] * top[k], alpha, beta;

	for (size_t i = n; i < n + q->fill; i++)
		sum += q->r[i * w + k] * q->r[i * w + k];
	if (sum == top[k] * top[k])
		return;
	alpha = top[k] > 0 ? -sqrt(sum) : sqrt(sum);
	top[k] -= alpha;	/* the vector is (top[k], the rows below) */
	beta = -1 / (alpha * top[k]);
	for (size_t j = k + 1; j < w; j++) {
		double d = top[k] * top[j];

		for (size_t i = n; i < n + q->fill; i++)
			d += q->r[i * w + k] * q->r[i * w + j];
		d *= beta;
		top[j] -= d * top[k];
		for (size_t i = n; i < n + q->fill; i++)
			q->r[i * w + j] -= d * q->r[i * w + k];
	}
	top[k] = alpha;
}

static void take_in(struct sg_lsq *q)
{
	for (size_t k = 0; q->fill && k < q->n; k++)
		reflect(q, k);
	q->fill = 0;
}

void sg_lsq_add(struct sg_lsq *q, const float *x, const float *t, size_t rows)
{
	size_t w = q->n + q->m;

	for (size_t i = 0; i < rows; i++) {
		double *to = q->r + (q->n + q->fill) * w;

		for (size_t j = 0; j < q->n; j++)
			to[j] = x[i * q->n + j];
		for (size_t j = 0; j < q->m; j++)
			to[q->n + j] = t[i * q->m + j];
		if (++q->fill == SG_LSQ_ROWS)
			take_in(q);
	}
}

void sg_lsq_triangle(double *r, struct sg_lsq *q)
{
	take_in(q);
	for (size_t i = 0; i < q->n; i++)
		for (size_t j = 0; j < q->n; j++)
			r[i * q->n + j] = j < i ? 0 : q->r[i * (q->n + q->m) + j];
}

/* w += the part along right singular vector k, whose left one times sigma is column k of u. */
static void add_direction(double *w, const struct sg_lsq *q, const double *u, const double *v, double sigma, size_t k)
{
	size_t n = q->n;

	for (size_t i = 0; i < q->m; i++) {
		double d = 0;

		for (size_t l = 0; l < n; l++)
			d += u[l * n + k] * q->r[l * (n + q->m) + n + i];
		d /= sigma * sigma;
		for (size_t j = 0; j < n; j++)
			w[i * n + j] += d * v[j * n + k];
	}
}

int sg_lsq_solve(double *w, size_t *rank, struct sg_lsq *q, double tol)
{
	size_t n = q->n;
	double *u = NULL, *v = NULL, *sigma = NULL;
	int rc = SG_NEW(u, n * n);

	if (rc >= 0)
		rc = SG_NEW(v, n * n);
	if (rc >= 0)
		rc = SG_NEW(sigma, n);
	if (rc >= 0) {
		sg_lsq_triangle(u, q);
		sg_svd(sigma, u, v, n, n);
		memset(w, 0, q->m * n * sizeof(*w));
		for (*rank = 0; *rank < n && sigma[*rank] > tol * sigma[0]; ++*rank)
			add_direction(w, q, u, v, sigma[*rank], *rank);
	}
	free(u);
	free(v);
	free(sigma);
	return rc;
}
