/* Gains of rows from their norms; norm_gain.h has the formula. */
#include "kernels/norm_gain.h"
#include "kernels/cuda.cuh"

__global__ static void gains(struct sg_gain a)
{
	for (SG_EACH(i, a.E))
		sg_gain_one(&a, i);
}

int sg_cuda_norm_gain(struct sg_device *d, float *gain, float *inv, const float *m, const float *w2, const float *wa,
		      const float *aa, const float *b, float s, size_t E, size_t R)
{
	struct sg_gain a = { gain, inv, m, w2, wa, aa, b, s, E, R };

	SG_RUN(sg_cuda(d), sg_blocks(E), SG_THREADS, gains, a);
	return 0;
}
