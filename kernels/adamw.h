#ifndef SG_KERNELS_ADAMW_H
#define SG_KERNELS_ADAMW_H
/* The optimiser's step of one element, for every backend. */
#include "base/fmath.h"

struct sg_adamw {
	float *w, *m, *v;
	const float *g;
	float gscale, beta1, beta2, eps, keep, rate, root2;
};

SG_HD void sg_adamw_one(const struct sg_adamw *a, float *w, float *m, float *v, float g)
{
	float gi = g * a->gscale;
	float mi = sg_fmaf(a->beta1, *m, (1.0f - a->beta1) * gi);
	float vi = sg_fmaf(a->beta2, *v, (1.0f - a->beta2) * (gi * gi));

	*m = mi;
	*v = vi;
	*w = sg_fmaf(-a->rate, mi / (sg_sqrtf(vi) / a->root2 + a->eps), *w * a->keep);
}

/* 1 - b^n by squaring, in f64: the same everywhere, which pow is not */
static inline double sg_adamw_bias(float b, int64_t n)
{
	double p = 1, s = (double)b;

	for (; n > 0; n >>= 1) {
		if (n & 1)
			p *= s;
		s *= s;
	}
	return 1 - p;
}

static inline struct sg_adamw sg_adamw_of(float *w, float *m, float *v, const float *g, float gscale, float lr,
					  float beta1, float beta2, float eps, float decay, int64_t step)
{
	struct sg_adamw a = { w, m, v, g, gscale, beta1, beta2, eps, 0, 0, 0 };

	a.keep = 1.0f - lr * decay;
	a.rate = (float)((double)lr / sg_adamw_bias(beta1, step));
	a.root2 = sg_sqrtf((float)sg_adamw_bias(beta2, step));
	return a;
}
#endif
