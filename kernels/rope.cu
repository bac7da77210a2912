/* Rotary positions (Su and others 2021), halves paired. */
#include "kernels/cuda.cuh"

struct rope {
	float *x, sign;
	const int32_t *begin;
	const float *inv_freq;
	size_t N, heads, K, half, stride;
};

/* A thread turns one pair of every head of a token. */
__global__ static void rotate(struct rope r)
{
	for (SG_EACH(at, r.N * r.half)) {
		size_t i = at / r.half, k = at % r.half;
		float angle = (float)((int64_t)i - r.begin[i]) * r.inv_freq[k];
		float cs = sg_cosf(angle), sn = r.sign * sg_sinf(angle);

		for (size_t h = 0; h < r.heads; h++) {
			float *x = r.x + i * r.stride + h * r.K + k, a = x[0], b = x[r.half];

			x[0] = sg_fmaf(a, cs, -(b * sn));
			x[r.half] = sg_fmaf(b, cs, a * sn);
		}
	}
}

int sg_cuda_rope(struct sg_device *d, float *x, const int32_t *begin, const float *inv_freq, float sign, size_t N,
		 size_t heads, size_t K, size_t R, size_t stride)
{
	struct rope r = { x, sign, begin, inv_freq, N, heads, K, R / 2, stride };

	if (R % 2 || R > K)
		return sg_fail(SG_E_UNSUPPORTED, "rotary positions need an even width up to %zu, not %zu", K, R);
	SG_RUN(sg_cuda(d), sg_blocks(N * r.half), SG_THREADS, rotate, r);
	return 0;
}
