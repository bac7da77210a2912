/* Causal attention inside segments: plain form. */
#include "kernels/cpu.h"

static float dot(const float *a, const float *b, size_t n)
{
	float s = 0;

	for (size_t i = 0; i < n; i++)
		s = sg_fmaf(a[i], b[i], s);
	return s;
}

int SG_CPU(attn_fwd)(struct sg_device *d, float *out, float *lse, const float *q, const float *k,
		     const float *v, const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	float scale = sg_rsqrtf((float)K), *p;

	SG_TRY(sg_pool_scratch(d->pool, 0, N * sizeof(float)));
	p = sg_pool_shared(d->pool);
	for (size_t i = 0; i < N; i++)
		for (size_t h = 0; h < H; h++) {
			size_t g = h / (H / G), b = (size_t)begin[i];
			float m = -__builtin_inff(), sum = 0, *o = out + (i * H + h) * K;

			for (size_t j = b; j <= i; j++) {
				p[j] = scale * dot(k + (j * G + g) * K, q + (i * H + h) * K, K);
				m = p[j] > m ? p[j] : m;
			}
			for (size_t c = 0; c < K; c++)
				o[c] = 0;
			for (size_t j = b; j <= i; j++) {
				float e = sg_expf(p[j] - m);

				sum += e;
				for (size_t c = 0; c < K; c++)
					o[c] = sg_fmaf(e, v[(j * G + g) * K + c], o[c]);
			}
			for (size_t c = 0; c < K; c++)
				o[c] = o[c] / sum;
			lse[i * H + h] = m + sg_logf(sum);
		}
	return 0;
}

int SG_CPU(attn_bwd)(struct sg_device *d, float *dq, float *dk, float *dv, const float *dout,
		     const float *out, const float *lse, const float *q, const float *k,
		     const float *v, const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	float scale = sg_rsqrtf((float)K);

	(void)d;
	for (size_t i = 0; i < N * G * K; i++) {
		if (dk)
			dk[i] = dv[i] = 0;
	}
	for (size_t h = 0; h < H; h++)
		for (size_t i = 0; i < N; i++) {
			size_t g = h / (H / G), at = (i * H + h) * K;
			float delta = dot(dout + at, out + at, K);

			for (size_t c = 0; c < K; c++)
				dq[at + c] = 0;
			for (size_t j = (size_t)begin[i]; j <= i; j++) {
				size_t kv = (j * G + g) * K;
				float p = sg_expf(sg_fmaf(scale, dot(k + kv, q + at, K), -lse[i * H + h]));
				float ds = p * (dot(v + kv, dout + at, K) - delta);

				for (size_t c = 0; c < K; c++) {
					dq[at + c] = sg_fmaf(ds, k[kv + c], dq[at + c]);
					if (dk) {
						dk[kv + c] = sg_fmaf(ds, q[at + c], dk[kv + c]);
						dv[kv + c] = sg_fmaf(p, dout[at + c], dv[kv + c]);
					}
				}
			}
			for (size_t c = 0; c < K; c++)
				dq[at + c] = dq[at + c] * scale;
		}
	if (dk)
		for (size_t i = 0; i < N * G * K; i++)
			dk[i] = dk[i] * scale;
	return 0;
}
