/*
 * Row norms of W + s B A without that matrix: with w the row of W, c = A w and
 * b the row of B, |w + s A^T b|^2 = |w|^2 + 2 s c b + s^2 b (A A^T) b. Where B is
 * zero this is |w|^2 to the bit, and the gain of m = |w| is exactly 1.
 */
#include "kernels/cpu.h"

#define LEAST 1e-30f	/* a row of zeros has a direction all the same: none */

struct gain {
	float *gain, *inv;
	const float *m, *w2, *wa, *aa, *b;
	float s;
	size_t E, R;
};

static float norm2(const struct gain *a, size_t i)
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

static void run(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct gain *a = arg;

	(void)worker;
	for (size_t i = lo; i < hi; i++) {
		float n2, n;

		if (!a->wa) {
			a->gain[i] = a->m[i] * a->inv[i];
			continue;
		}
		n2 = norm2(a, i);
		n = __builtin_sqrtf(n2 > LEAST ? n2 : LEAST);
		a->gain[i] = a->m[i] / n;
		a->inv[i] = 1.0f / n;
	}
}

int SG_CPU(norm_gain)(struct sg_device *d, float *gain, float *inv, const float *m, const float *w2, const float *wa,
		      const float *aa, const float *b, float s, size_t E, size_t R)
{
	sg_pool_for(d->pool, E, SG_MAX(8192 / SG_MAX(R * R, 1), 1), run,
		    &(struct gain){ gain, inv, m, w2, wa, aa, b, s, E, R });
	return 0;
}
