/* A sparse matrix by coordinates; coo.c on a GPU. The order of places is the order of every sum. */
#include "kernels/cuda.cuh"

/* A thread has a row of x: out row += v in row from[] of x at to[]. */
__global__ static void spread(float *out, const float *x, const float *to, const float *from, const float *v, size_t N,
			      size_t E, size_t D, size_t n)
{
	for (SG_EACH(i, N))
		for (size_t j = 0; j < n; j++) {
			float *y = out + i * E + (size_t)to[j];

			*y = sg_fmaf(v[j], x[i * D + (size_t)from[j]], *y);
		}
}

/* A thread has a number: a chain over rows. */
__global__ static void collect(float *dv, const float *dy, const float *x, const float *row, const float *col, size_t N,
			       size_t E, size_t D, size_t n)
{
	for (SG_EACH(j, n)) {
		size_t r = (size_t)row[j], c = (size_t)col[j];
		float s = dv[j];

		for (size_t i = 0; i < N; i++)
			s = sg_fmaf(dy[i * E + r], x[i * D + c], s);
		dv[j] = s;
	}
}

int sg_cuda_coo_fwd(struct sg_device *d, float *y, const float *x, const float *at, const float *v, size_t N, size_t E,
		    size_t D, size_t n)
{
	SG_RUN(sg_cuda(d), sg_blocks(N), SG_THREADS, spread, y, x, at, at + n, v, N, E, D, n);
	return 0;
}

int sg_cuda_coo_dx(struct sg_device *d, float *dx, const float *dy, const float *at, const float *v, size_t N, size_t E,
		   size_t D, size_t n)
{
	SG_RUN(sg_cuda(d), sg_blocks(N), SG_THREADS, spread, dx, dy, at + n, at, v, N, D, E, n);
	return 0;
}

int sg_cuda_coo_dv(struct sg_device *d, float *dv, const float *dy, const float *x, const float *at, size_t N, size_t E,
		   size_t D, size_t n)
{
	SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, collect, dv, dy, x, at, at + n, N, E, D, n);
	return 0;
}
