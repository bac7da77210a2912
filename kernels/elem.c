/* Element by element: the vectors of the engine. */
#include "kernels/cpu.h"

#define GRAIN 16384

struct elem { float *y; const float *x; float a; };

/* `expr` of y[i], x[i] and a; y may be x itself, so no iteration needs another. */
#define ELEM(name, expr) \
	static void run_##name(void *arg, size_t lo, size_t hi, unsigned w) \
	{ \
		const struct elem *e = arg; \
		const float *x = e->x, a = e->a; \
		float *y = e->y; \
		(void)w; \
		(void)a; \
		_Pragma("GCC ivdep") \
		for (size_t i = lo; i < hi; i++) \
			y[i] = (expr); \
	}

ELEM(copy, x[i])
ELEM(add, y[i] + x[i])
ELEM(axpy, sg_fmaf(a, x[i], y[i]))
ELEM(scale, a * x[i])

int SG_CPU(copy)(struct sg_device *d, float *y, const float *x, size_t n)
{
	if (y != x)
		sg_pool_for(d->pool, n, GRAIN, run_copy, &(struct elem){ y, x, 0 });
	return 0;
}

int SG_CPU(add)(struct sg_device *d, float *y, const float *x, size_t n)
{
	sg_pool_for(d->pool, n, GRAIN, run_add, &(struct elem){ y, x, 0 });
	return 0;
}

int SG_CPU(axpy)(struct sg_device *d, float *y, const float *x, float a, size_t n)
{
	sg_pool_for(d->pool, n, GRAIN, run_axpy, &(struct elem){ y, x, a });
	return 0;
}

int SG_CPU(scale)(struct sg_device *d, float *y, const float *x, float a, size_t n)
{
	sg_pool_for(d->pool, n, GRAIN, run_scale, &(struct elem){ y, x, a });
	return 0;
}

static void run_zero(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct elem *e = arg;

	(void)w;
	memset(e->y + lo, 0, (hi - lo) * sizeof(float));
}

int SG_CPU(zero)(struct sg_device *d, float *y, size_t n)
{
	sg_pool_for(d->pool, n, 4 * GRAIN, run_zero, &(struct elem){ y, NULL, 0 });
	return 0;
}
