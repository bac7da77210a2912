/* Rotary positions (Su and others 2021), halves paired. */
#include "kernels/cpu.h"

struct rope {
	float *x, sign;
	const int32_t *begin;
	const float *inv_freq;
	size_t heads, K, R, stride;
};

static void rotate(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct rope *r = arg;
	size_t half = r->R / 2;
	float cs[64], sn[64];

	(void)w;
	for (size_t i = lo; i < hi; i++) {
		float pos = (float)((int64_t)i - r->begin[i]);

		/* angles in pieces of 64, each used by every head */
		for (size_t k0 = 0; k0 < half; k0 += 64) {
			size_t n = SG_MIN(half - k0, 64);

			for (size_t k = 0; k < n; k++) {
				float a = pos * r->inv_freq[k0 + k];

				cs[k] = sg_cosf(a);
				sn[k] = r->sign * sg_sinf(a);
			}
			for (size_t h = 0; h < r->heads; h++) {
				float *restrict x = r->x + i * r->stride + h * r->K + k0;

				for (size_t k = 0; k < n; k++) {
					float a = x[k], b = x[k + half];

					x[k] = sg_fmaf(a, cs[k], -(b * sn[k]));
					x[k + half] = sg_fmaf(b, cs[k], a * sn[k]);
				}
			}
		}
	}
}

int SG_CPU(rope)(struct sg_device *d, float *x, const int32_t *begin, const float *inv_freq,
		 float sign, size_t N, size_t heads, size_t K, size_t R, size_t stride)
{
	if (R % 2 || R > K)
		return sg_fail(SG_E_UNSUPPORTED, "rotary positions need an even width up to %zu, not %zu", K, R);
	sg_pool_for(d->pool, N, grain_rows(heads * K, 8192), rotate,
		    &(struct rope){ x, sign, begin, inv_freq, heads, K, R, stride });
	return 0;
}
