/*
 * Layer norm. With m = mean(x), c = x - m, r = 1 / sqrt(mean(c^2) + eps), z = c r
 * and g = w dy:
 *   y = z w + b      dx = r (g - mean(g) - z mean(g z))      dw += dy z      db += dy
 * Sums over a row have the shape of struct lanes; dw and db are chains over tokens.
 */
#include "kernels/cpu.h"

struct ln {
	float *y, *mean_out, *rstd_out, *dw, *db;
	const float *x, *w, *b, *dy, *mean, *rstd;
	float eps;
	size_t N, D;
	bool add;
	struct sg_pool *pool;
};

static void fwd(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct ln *a = arg;
	size_t D = a->D;

	(void)worker;
	for (size_t i = lo; i < hi; i++) {
		const float *x = a->x + i * D, *w = a->w, *b = a->b;
		float *restrict y = a->y + i * D, m = lanes_sum(x, D) / (float)D, r;

		for (size_t k = 0; k < D; k++)
			y[k] = x[k] - m;
		r = sg_rsqrtf(lanes_dot(y, y, D) / (float)D + a->eps);
		a->mean_out[i] = m;
		a->rstd_out[i] = r;
		for (size_t k = 0; k < D; k++)
			y[k] = sg_fmaf(y[k] * r, w ? w[k] : 1.0f, b ? b[k] : 0.0f);
	}
}

int SG_CPU(layernorm_fwd)(struct sg_device *d, float *y, float *mean, float *rstd, const float *x,
			  const float *w, const float *b, float eps, size_t N, size_t D)
{
	sg_pool_for(d->pool, N, grain_rows(D, 8192), fwd,
		    &(struct ln){ .y = y, .mean_out = mean, .rstd_out = rstd, .x = x, .w = w, .b = b, .eps = eps, .D = D });
	return 0;
}

/* g and z are the worker's own rows */
static void bwd_row(const struct ln *a, float *restrict g, float *restrict z, size_t i)
{
	size_t D = a->D;
	const float *x = a->x + i * D, *dy = a->dy + i * D, *w = a->w;
	float *dx = a->y + i * D, m = a->mean[i], r = a->rstd[i], mg, mgz;

	for (size_t j = 0; j < D; j++) {
		g[j] = w ? dy[j] * w[j] : dy[j];
		z[j] = (x[j] - m) * r;
	}
	mg = lanes_sum(g, D) / (float)D;
	mgz = lanes_dot(g, z, D) / (float)D;
	if (a->add) {
#pragma GCC ivdep
		for (size_t j = 0; j < D; j++)
			dx[j] += r * sg_fmaf(-mgz, z[j], g[j] - mg);
	} else {
#pragma GCC ivdep
		for (size_t j = 0; j < D; j++)
			dx[j] = r * sg_fmaf(-mgz, z[j], g[j] - mg);
	}
}

static void bwd(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct ln *a = arg;
	float *own = sg_pool_own(a->pool, worker);

	for (size_t i = lo; i < hi; i++)
		bwd_row(a, own, own + a->D, i);
}

static void bwd_params(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct ln *a = arg;
	float *restrict dw = a->dw, *restrict db = a->db;

	(void)worker;
	for (size_t i = 0; i < a->N; i++) {
		const float *x = a->x + i * a->D, *dy = a->dy + i * a->D, m = a->mean[i], r = a->rstd[i];

		for (size_t j = lo; dw && j < hi; j++)
			dw[j] = sg_fmaf(dy[j], (x[j] - m) * r, dw[j]);
		for (size_t j = lo; db && j < hi; j++)
			db[j] += dy[j];
	}
}

int SG_CPU(layernorm_bwd)(struct sg_device *d, float *dx, float *dw, float *db, const float *dy, const float *x,
			  const float *w, const float *mean, const float *rstd, size_t N, size_t D, bool add)
{
	struct ln a = { .y = dx, .dw = dw, .db = db, .dy = dy, .x = x, .w = w, .mean = mean, .rstd = rstd,
			.N = N, .D = D, .add = add, .pool = d->pool };

	SG_TRY(sg_pool_scratch(d->pool, 2 * D * sizeof(float), 0));
	/* these first: dx may overwrite dy */
	if (dw || db)
		sg_pool_for(d->pool, D, 128, bwd_params, &a);
	sg_pool_for(d->pool, N, grain_rows(D, 8192), bwd, &a);
	return 0;
}
