/* Gains of rows from their norms; norm_gain.h has the formula. */
#include "kernels/norm_gain.h"
#include "kernels/cpu.h"

static void run(void *arg, size_t lo, size_t hi, unsigned worker)
{
	(void)worker;
	for (size_t i = lo; i < hi; i++)
		sg_gain_one(arg, i);
}

int SG_CPU(norm_gain)(struct sg_device *d, float *gain, float *inv, const float *m, const float *w2, const float *wa,
		      const float *aa, const float *b, float s, size_t E, size_t R)
{
	sg_pool_for(d->pool, E, SG_MAX(8192 / SG_MAX(R * R, 1), 1), run,
		    &(struct sg_gain){ gain, inv, m, w2, wa, aa, b, s, E, R });
	return 0;
}
