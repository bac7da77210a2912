/*
 * Before anything is computed: every operation and elementary function over
 * numbers of all sizes, on the device and on the processor, must give the same
 * bits. A compiler flag or a device that flushes, approximates or contracts is
 * found here, and not in a receipt.
 */
#include "kernels/cuda.cuh"

enum { PROBES = 4096, KINDS = 14 };

__host__ __device__ static float probe(int kind, float x, float y)
{
	switch (kind) {
	case 0: return x + y;
	case 1: return x * y;
	case 2: return x / y;
	case 3: return sg_fmaf(x, y, x);
	case 4: return sg_sqrtf(x);
	case 5: return sg_rsqrtf(x);
	case 6: return sg_expf(x);
	case 7: return sg_logf(x);
	case 8: return sg_tanhf(x);
	case 9: return sg_erff(x);
	case 10: return sg_sinf(x);
	case 11: return sg_cosf(x);
	case 12: return x * y + x;			/* two roundings */
	default: return (float)((double)x * (double)x + (double)y);
	}
}

__global__ static void probe_all(float *out, const float *x)
{
	for (SG_EACH(i, (size_t)PROBES * KINDS))
		out[i] = probe((int)(i / PROBES), x[i % PROBES], x[(i + 1) % PROBES]);
}

/* Any bits for half of them, else numbers of common size. */
static void fill(float *x)
{
	uint64_t s = 1;

	for (size_t i = 0; i < PROBES; i++) {
		uint32_t u;

		s = s * 6364136223846793005u + 1442695040888963407u;
		u = (uint32_t)(s >> 32);
		x[i] = sg_f32_of(i & 1 ? u : (u & 0x83ffffffu) | 0x3c000000u);
	}
}

static int compare(const float *x, const float *got)
{
	for (size_t i = 0; i < (size_t)PROBES * KINDS; i++) {
		float a = x[i % PROBES], b = x[(i + 1) % PROBES], want = probe((int)(i / PROBES), a, b);

		if (sg_f32_bits(want) != sg_f32_bits(got[i]) && (want == want || got[i] == got[i]))
			return sg_fail(SG_E_DEVICE, "cuda: this GPU computes otherwise than the processor: operation %d of "
				       "%a and %a is %a there, %a here", (int)(i / PROBES), (double)a, (double)b,
				       (double)got[i], (double)want);
	}
	return 0;
}

static int run(struct sg_device *d, float *host, float *dev)
{
	float *in = dev + (size_t)PROBES * KINDS;

	fill(host);
	SG_TRY(d->be->put(d, in, host, PROBES * sizeof(float)));
	SG_RUN(sg_cuda(d), sg_blocks((size_t)PROBES * KINDS), SG_THREADS, probe_all, dev, in);
	SG_TRY(sg_cuda_get(d, host + PROBES, dev, (size_t)PROBES * KINDS * sizeof(float)));
	return compare(host, host + PROBES);
}

int sg_cuda_probe(struct sg_device *d)
{
	size_t bytes = (size_t)PROBES * (KINDS + 1) * sizeof(float);
	float *host = (float *)malloc(bytes);
	void *dev = NULL;
	int rc;

	if (!host)
		return sg_fail(SG_E_NOMEM, "cuda: out of host memory");
	rc = sg_cuda_room(d, &dev, bytes);
	if (rc >= 0)
		rc = run(d, host, (float *)dev);
	free(host);
	return rc;
}
