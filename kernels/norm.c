/*
 * Root mean square norm. With r = 1 / sqrt(mean(x^2) + eps) and g = w dy:
 *   y = x r w      dx = r g - x r^3 mean(g x)      dw += dy x r
 * Sums over a row have the shape of struct lanes; dw is a chain over tokens.
 */
#include "kernels/cpu.h"

struct norm {
	float *y, *r, *dw;
	const float *x, *w, *dy, *rstd;
	float eps;
	size_t N, D;
	bool add;
};

static void fwd(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct norm *a = arg;
	size_t D = a->D;

	(void)worker;
	for (size_t i = lo; i < hi; i++) {
		const float *x = a->x + i * D, *w = a->w;
		float *y = a->y + i * D, r;

		r = sg_rsqrtf(lanes_dot(x, x, D) / (float)D + a->eps);
		a->r[i] = r;
		if (w) {
#pragma GCC ivdep
			for (size_t k = 0; k < D; k++)
				y[k] = x[k] * r * w[k];
		} else {
#pragma GCC ivdep
			for (size_t k = 0; k < D; k++)
				y[k] = x[k] * r;
		}
	}
}

int SG_CPU(rmsnorm_fwd)(struct sg_device *d, float *y, float *rstd, const float *x, const float *w,
			float eps, size_t N, size_t D)
{
	sg_pool_for(d->pool, N, grain_rows(D, 8192), fwd,
		    &(struct norm){ .y = y, .r = rstd, .x = x, .w = w, .eps = eps, .D = D });
	return 0;
}

/* g is the worker's own row */
static void bwd_row(const struct norm *a, float *restrict g, size_t i)
{
	size_t D = a->D;
	const float *x = a->x + i * D, *dy = a->dy + i * D, *w = a->w;
	float *dx = a->y + i * D, r = a->rstd[i], k;

	for (size_t j = 0; j < D; j++)
		g[j] = w ? dy[j] * w[j] : dy[j];
	k = -(r * r * r * (lanes_dot(g, x, D) / (float)D));
	if (a->add) {
#pragma GCC ivdep
		for (size_t j = 0; j < D; j++)
			dx[j] += sg_fmaf(k, x[j], r * g[j]);
	} else {
#pragma GCC ivdep
		for (size_t j = 0; j < D; j++)
			dx[j] = sg_fmaf(k, x[j], r * g[j]);
	}
}

struct norm_bwd { const struct norm *a; struct sg_pool *pool; };

static void bwd(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct norm_bwd *b = arg;

	for (size_t i = lo; i < hi; i++)
		bwd_row(b->a, sg_pool_own(b->pool, worker), i);
}

static void bwd_dw(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct norm *a = arg;
	float *restrict dw = a->dw;

	(void)worker;
	for (size_t i = 0; i < a->N; i++) {
		const float *x = a->x + i * a->D, *dy = a->dy + i * a->D, r = a->rstd[i];

		for (size_t j = lo; j < hi; j++)
			dw[j] = sg_fmaf(dy[j], x[j] * r, dw[j]);
	}
}

int SG_CPU(rmsnorm_bwd)(struct sg_device *d, float *dx, float *dw, const float *dy, const float *x,
			const float *w, const float *rstd, size_t N, size_t D, bool add)
{
	struct norm a = { .y = dx, .dw = dw, .dy = dy, .x = x, .w = w, .rstd = rstd,
			  .N = N, .D = D, .add = add };

	SG_TRY(sg_pool_scratch(d->pool, D * sizeof(float), 0));
	/* dw first: dx may overwrite dy */
	if (dw)
		sg_pool_for(d->pool, D, 128, bwd_dw, &a);
	sg_pool_for(d->pool, N, grain_rows(D, 8192), bwd, &(struct norm_bwd){ &a, d->pool });
	return 0;
}
