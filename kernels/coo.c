/*
 * A sparse matrix by coordinates: y += S x and back. Places are whole numbers in
 * floats, ordered by row, then column, which is the order of every sum.
 */
#include "kernels/cpu.h"

struct coo {
	float *out;
	const float *x, *dy, *row, *col, *v;
	size_t N, E, D, n;
};

/* out row += v in row from[] of x at to[] */
static void spread(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct coo *a = arg;

	(void)worker;
	for (size_t i = lo; i < hi; i++) {
		const float *x = a->x + i * a->D;
		float *y = a->out + i * a->E;

		for (size_t j = 0; j < a->n; j++) {
			size_t r = (size_t)a->row[j], c = (size_t)a->col[j];

			y[r] = sg_fmaf(a->v[j], x[c], y[r]);
		}
	}
}

static void gather(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct coo *a = arg;

	(void)worker;
	for (size_t i = 0; i < a->N; i++) {
		const float *x = a->x + i * a->D, *dy = a->dy + i * a->E;

		for (size_t j = lo; j < hi; j++)
			a->out[j] = sg_fmaf(dy[(size_t)a->row[j]], x[(size_t)a->col[j]], a->out[j]);
	}
}

int SG_CPU(coo_fwd)(struct sg_device *d, float *y, const float *x, const float *at, const float *v, size_t N, size_t E,
		    size_t D, size_t n)
{
	sg_pool_for(d->pool, N, grain_rows(n, 8192), spread,
		    &(struct coo){ .out = y, .x = x, .row = at, .col = at + n, .v = v, .E = E, .D = D, .n = n });
	return 0;
}

/* the same with rows and columns changed about */
int SG_CPU(coo_dx)(struct sg_device *d, float *dx, const float *dy, const float *at, const float *v, size_t N, size_t E,
		   size_t D, size_t n)
{
	sg_pool_for(d->pool, N, grain_rows(n, 8192), spread,
		    &(struct coo){ .out = dx, .x = dy, .row = at + n, .col = at, .v = v, .E = D, .D = E, .n = n });
	return 0;
}

int SG_CPU(coo_dv)(struct sg_device *d, float *dv, const float *dy, const float *x, const float *at, size_t N, size_t E,
		   size_t D, size_t n)
{
	sg_pool_for(d->pool, n, SG_MAX(8192 / SG_MAX(N, 1), 16), gather,
		    &(struct coo){ .out = dv, .x = x, .dy = dy, .row = at, .col = at + n, .N = N, .E = E, .D = D, .n = n });
	return 0;
}
