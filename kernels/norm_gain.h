#ifndef SG_KERNELS_NORM_GAIN_H
#define SG_KERNELS_NORM_GAIN_H
/*
 * Row norms of W + s B A without that matrix: with w the row of W, c = A w and
 * b the row of B, |w + s A^T b|^2 = |w|^2 + 2 s c b + s^2 b (A A^T) b. Where B is
 * zero this is |w|^2 to the bit, and the gain of m = |w| is exactly 1.
 */
#include "base/fmath.h"

#define SG_GAIN_LEAST 1e-30f	/* a row of zeros has a direction all the same: none */

struct sg_gain {
	float *gain, *inv;
	const float *m, *w2, *wa, *aa, *b;
	float s;
	size_t E, R;
};

SG_HD float sg_gain_norm2(const struct sg_gain *a, size_t i)
{
	const float *b = a->b + i * a->R;
	float cross = 0, quad = 0;

	for (size_t k = 0; k < a->R; k++) {
		float t = 0;

		for (size_t j = 0; j < a->R; j++)
			t = sg_fmaf(a->aa[k * a->R + j], b[j], t);
		quad = sg_fmaf(t, b[k], quad);
		cross = sg_fmaf(a->wa[k * a->E + i], b[k], cross);
	}
	return sg_fmaf(a->s, sg_fmaf(a->s, quad, 2.0f * cross), a->w2[i]);
}

/* Row i; wa NULL: the norm stays. */
SG_HD void sg_gain_one(const struct sg_gain *a, size_t i)
{
	float n2, n;

	if (!a->wa) {
		a->gain[i] = a->m[i] * a->inv[i];
		return;
	}
	n2 = sg_gain_norm2(a, i);
	n = sg_sqrtf(n2 > SG_GAIN_LEAST ? n2 : SG_GAIN_LEAST);
	a->gain[i] = a->m[i] / n;
	a->inv[i] = 1.0f / n;
}
#endif
