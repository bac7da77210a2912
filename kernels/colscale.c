/*
 * One factor for each column: y = x (v - c), and the gradient of v, a chain over
 * rows. Taking c away first makes a factor that has not moved from c an exact zero.
 */
#include "kernels/cpu.h"

struct cols {
	float *y;
	const float *x, *v, *dy;
	float c;
	size_t N, D;
	bool add;
};

static void fwd(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct cols *a = arg;
	const float *v = a->v;
	size_t D = a->D;

	(void)worker;
	for (size_t i = lo; i < hi; i++) {
		const float *x = a->x + i * D;
		float *y = a->y + i * D;

		if (a->add) {
#pragma GCC ivdep
			for (size_t k = 0; k < D; k++)
				y[k] = sg_fmaf(x[k], v[k] - a->c, y[k]);
		} else {
#pragma GCC ivdep
			for (size_t k = 0; k < D; k++)
				y[k] = x[k] * (v[k] - a->c);
		}
	}
}

int SG_CPU(colscale)(struct sg_device *d, float *y, const float *x, const float *v, float c, size_t N, size_t D,
		     bool add)
{
	sg_pool_for(d->pool, N, grain_rows(D, 16384), fwd,
		    &(struct cols){ .y = y, .x = x, .v = v, .c = c, .D = D, .add = add });
	return 0;
}

static void bwd(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct cols *a = arg;

	(void)worker;
	for (size_t i = 0; i < a->N; i++) {
		const float *x = a->x + i * a->D, *dy = a->dy + i * a->D;

#pragma GCC ivdep
		for (size_t k = lo; k < hi; k++)
			a->y[k] = sg_fmaf(dy[k], x[k], a->y[k]);
	}
}

int SG_CPU(colscale_dv)(struct sg_device *d, float *dv, const float *dy, const float *x, size_t N, size_t D)
{
	sg_pool_for(d->pool, D, SG_MAX(16384 / SG_MAX(N, 1), 16), bwd,
		    &(struct cols){ .y = dv, .x = x, .dy = dy, .N = N, .D = D });
	return 0;
}
