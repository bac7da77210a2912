/* The optimiser's step, and the norm that clips gradients. */
#include "kernels/cpu.h"

struct adamw {
	float *w, *m, *v;
	const float *g;
	float gscale, beta1, beta2, eps, keep, rate, root2;
};

static void step_range(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct adamw a = *(const struct adamw *)arg;
	const float *g = a.g, c1 = 1.0f - a.beta1, c2 = 1.0f - a.beta2;
	float *w = a.w, *m = a.m, *v = a.v;

	(void)worker;
#pragma GCC ivdep
	for (size_t i = lo; i < hi; i++) {
		float gi = g[i] * a.gscale;
		float mi = sg_fmaf(a.beta1, m[i], c1 * gi);
		float vi = sg_fmaf(a.beta2, v[i], c2 * (gi * gi));

		m[i] = mi;
		v[i] = vi;
		w[i] = sg_fmaf(-a.rate, mi / (sg_sqrtf(vi) / a.root2 + a.eps), w[i] * a.keep);
	}
}

/* 1 - b^n by squaring, in f64: the same everywhere, which pow is not */
static double bias(float b, int64_t n)
{
	double p = 1, s = (double)b;

	for (; n > 0; n >>= 1) {
		if (n & 1)
			p *= s;
		s *= s;
	}
	return 1 - p;
}

int SG_CPU(adamw)(struct sg_device *d, float *w, float *m, float *v, const float *g, float gscale,
		  float lr, float beta1, float beta2, float eps, float decay, int64_t step, size_t n)
{
	struct adamw a = {
		.w = w, .m = m, .v = v, .g = g, .gscale = gscale,
		.beta1 = beta1, .beta2 = beta2, .eps = eps,
		.keep = 1.0f - lr * decay,
		.rate = (float)((double)lr / bias(beta1, step)),
		.root2 = sg_sqrtf((float)bias(beta2, step)),
	};

	sg_pool_for(d->pool, n, 8192, step_range, &a);
	return 0;
}

#define CHUNK 4096
#define ABREAST 8	/* chains at once: one alone would wait for each addition */

struct sumsq { double *sum; const float *x; size_t n; };

static void chunks(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct sumsq *a = arg;

	(void)worker;
	for (; lo + ABREAST <= hi && (lo + ABREAST) * CHUNK <= a->n; lo += ABREAST) {
		const float *x = a->x + lo * CHUNK;
		double s[ABREAST] = { 0 };

		for (size_t i = 0; i < CHUNK; i++)
			for (size_t k = 0; k < ABREAST; k++) {
				double v = (double)x[k * CHUNK + i];

				s[k] += v * v;	/* the product is exact */
			}
		memcpy(a->sum + lo, s, sizeof(s));
	}
	for (; lo < hi; lo++) {
		size_t end = SG_MIN(a->n, (lo + 1) * CHUNK);
		double s = 0;

		for (size_t i = lo * CHUNK; i < end; i++)
			s += (double)a->x[i] * (double)a->x[i];
		a->sum[lo] = s;
	}
}

int SG_CPU(sumsq)(struct sg_device *d, double *out, const float *x, size_t n)
{
	size_t k = n / CHUNK + (n % CHUNK != 0);
	struct sumsq a = { NULL, x, n };
	double s = 0;

	SG_TRY(sg_pool_scratch(d->pool, 0, k * sizeof(double)));
	a.sum = sg_pool_shared(d->pool);
	sg_pool_for(d->pool, k, ABREAST, chunks, &a);
	for (size_t i = 0; i < k; i++)
		s += a.sum[i];
	*out = s;
	return 0;
}
