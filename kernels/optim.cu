/* The optimiser's step, and the norm that clips gradients. */
#include "kernels/adamw.h"
#include "kernels/cuda.cuh"

__global__ static void step_all(struct sg_adamw a, size_t n)
{
	for (SG_EACH(i, n))
		sg_adamw_one(&a, a.w + i, a.m + i, a.v + i, a.g[i]);
}

int sg_cuda_adamw(struct sg_device *d, float *w, float *m, float *v, const float *g, float gscale, float lr, float beta1,
		  float beta2, float eps, float decay, int64_t step, size_t n)
{
	struct sg_adamw a = sg_adamw_of(w, m, v, g, gscale, lr, beta1, beta2, eps, decay, step);

	SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, step_all, a, n);
	return 0;
}

#define CHUNK 4096	/* elements of one f64 chain */
#define SIDE  32	/* chains of a block */

/* 32 chains side by side; all threads bring 32 elements of each, one thread adds. */
__global__ static void chunks(double *sum, const float *x, size_t n)
{
	__shared__ float s[SIDE][SIDE + 1];
	size_t first = (size_t)blockIdx.x * SIDE;
	unsigned t = threadIdx.x;
	double total = 0;

	for (size_t at = 0; at < CHUNK; at += SIDE) {
		for (unsigned k = t; k < SIDE * SIDE; k += SG_THREADS) {
			size_t i = (first + k / SIDE) * CHUNK + at + k % SIDE;

			s[k / SIDE][k % SIDE] = i < n ? x[i] : 0;
		}
		__syncthreads();
		for (unsigned k = 0; t < SIDE && k < SIDE; k++) {
			double v = (double)s[t][k];

			total += v * v;		/* adding 0 past the end changes nothing: no sum is -0 */
		}
		__syncthreads();
	}
	if (t < SIDE && (first + t) * CHUNK < n)
		sum[first + t] = total;
}

int sg_cuda_sumsq(struct sg_device *d, double *out, const float *x, size_t n)
{
	size_t k = n / CHUNK + (n % CHUNK != 0);
	double *host, s = 0;
	void *room;
	int rc;

	if (!k) {
		*out = 0;
		return 0;
	}
	SG_TRY(sg_cuda_room(d, &room, k * sizeof(double)));
	SG_RUN_BLOCK(sg_cuda(d), (unsigned)((k + SIDE - 1) / SIDE), SG_THREADS, chunks, (double *)room, x, n);
	host = (double *)malloc(k * sizeof(double));
	if (!host)
		return sg_fail(SG_E_NOMEM, "cuda: out of host memory");
	rc = sg_cuda_get(d, host, room, k * sizeof(double));
	for (size_t i = 0; rc >= 0 && i < k; i++)
		s += host[i];
	free(host);
	if (rc >= 0)
		*out = s;
	return rc;
}
