/*
 * Cross-entropy of rows of logits, in place; xent.c has the formulas. A block has
 * a row: all threads take exponentials, piece by piece, and 16 of them add, each
 * the elements l, l + 16, ... of the row.
 */
#include "kernels/cuda.cuh"

#define PIECE 2048	/* a multiple of SG_LANES, so lanes run on from piece to piece */

struct xent {
	float *loss, *logits;
	const int32_t *target;
	const float *scale;
	size_t V;
	struct sg_cuda_fault *fault;
};

__global__ static void rows(struct xent a)
{
	__shared__ float s[SG_THREADS], e[PIECE];
	size_t i = blockIdx.x, V = a.V;
	float *x = a.logits + i * V, m, at, sum = 0, f;
	unsigned t = threadIdx.x;
	int32_t target = a.target[i];

	if (target < 0 || (size_t)target >= V) {
		if (!t && target >= 0)
			sg_fault(a.fault, SG_BAD_TARGET, i, target, V);
		if (!t)
			a.loss[i] = 0;
		for (size_t v = t; a.scale && v < V; v += SG_THREADS)
			x[v] = 0;
		return;
	}
	m = sg_block_max(s, x, V);
	at = x[target];
	for (size_t v = 0; v < V; v += PIECE) {
		unsigned n = (unsigned)SG_MIN(V - v, (size_t)PIECE);

		for (unsigned k = t; k < n; k += SG_THREADS)
			e[k] = sg_expf(x[v + k] - m);
		__syncthreads();
		for (unsigned k = t; t < SG_LANES && k < n; k += SG_LANES)
			sum = sum + e[k];
		for (unsigned k = t; a.scale && k < n; k += SG_THREADS)
			x[v + k] = e[k];
		__syncthreads();
	}
	sg_lanes_join(s, sum);
	sum = s[0];			/* of the first 16; the others joined nothing */
	if (!t)
		a.loss[i] = sg_logf(sum) + (m - at);
	if (!a.scale)
		return;
	f = a.scale[i] / sum;
	for (size_t v = t; v < V; v += SG_THREADS)
		x[v] = v == (size_t)target ? x[v] * f - a.scale[i] : x[v] * f;
}

int sg_cuda_xent(struct sg_device *d, float *loss, float *logits, const int32_t *target, const float *scale, size_t N,
		 size_t V)
{
	struct xent a = { loss, logits, target, scale, V, sg_cuda(d)->fault };

	SG_RUN_BLOCK(sg_cuda(d), (unsigned)N, SG_THREADS, rows, a);
	return 0;
}
