/* The optimiser's step, and the norm that clips gradients. */
#include "kernels/adamw.h"
#include "kernels/cpu.h"

static void step_range(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct sg_adamw a = *(const struct sg_adamw *)arg;
	float *w = a.w, *m = a.m, *v = a.v;
	const float *g = a.g;

	(void)worker;
#pragma GCC ivdep
	for (size_t i = lo; i < hi; i++)
		sg_adamw_one(&a, w + i, m + i, v + i, g[i]);
}

int SG_CPU(adamw)(struct sg_device *d, float *w, float *m, float *v, const float *g, float gscale,
		  float lr, float beta1, float beta2, float eps, float decay, int64_t step, size_t n)
{
	struct sg_adamw a = sg_adamw_of(w, m, v, g, gscale, lr, beta1, beta2, eps, decay, step);

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
