/* Element by element, and factors of columns; elem.c and colscale.c on a GPU. */
#include "kernels/cuda.cuh"

__global__ static void add(float *y, const float *x, size_t n)
{
	for (SG_EACH(i, n))
		y[i] = y[i] + x[i];
}

__global__ static void axpy(float *y, const float *x, float a, size_t n)
{
	for (SG_EACH(i, n))
		y[i] = sg_fmaf(a, x[i], y[i]);
}

__global__ static void scale(float *y, const float *x, float a, size_t n)
{
	for (SG_EACH(i, n))
		y[i] = a * x[i];
}

int sg_cuda_copy(struct sg_device *d, float *y, const float *x, size_t n)
{
	if (y != x && n)
		SG_CUDA(cudaMemcpyAsync(y, x, n * sizeof(float), cudaMemcpyDeviceToDevice, sg_cuda(d)->stream));
	return 0;
}

int sg_cuda_add(struct sg_device *d, float *y, const float *x, size_t n)
{
	SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, add, y, x, n);
	return 0;
}

int sg_cuda_axpy(struct sg_device *d, float *y, const float *x, float a, size_t n)
{
	SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, axpy, y, x, a, n);
	return 0;
}

int sg_cuda_scale(struct sg_device *d, float *y, const float *x, float a, size_t n)
{
	SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, scale, y, x, a, n);
	return 0;
}

int sg_cuda_zero(struct sg_device *d, float *y, size_t n)
{
	if (n)
		SG_CUDA(cudaMemsetAsync(y, 0, n * sizeof(float), sg_cuda(d)->stream));
	return 0;
}

__global__ static void columns(float *y, const float *x, const float *v, float c, size_t n, size_t D, bool more)
{
	for (SG_EACH(i, n)) {
		float f = v[i % D] - c;

		y[i] = more ? sg_fmaf(x[i], f, y[i]) : x[i] * f;
	}
}

int sg_cuda_colscale(struct sg_device *d, float *y, const float *x, const float *v, float c, size_t N, size_t D,
		     bool more)
{
	SG_RUN(sg_cuda(d), sg_blocks(N * D), SG_THREADS, columns, y, x, v, c, N * D, D, more);
	return 0;
}

/* One thread has the chain of one column. */
__global__ static void columns_dv(float *dv, const float *dy, const float *x, size_t N, size_t D)
{
	size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
	float s;

	if (k >= D)
		return;
	s = dv[k];
	for (size_t i = 0; i < N; i++)
		s = sg_fmaf(dy[i * D + k], x[i * D + k], s);
	dv[k] = s;
}

#define PIECE 2048

/* The same for few columns, where those chains would wait for memory: all threads
 * of one block bring whole rows, D of them add. */
__global__ static void few_columns_dv(float *dv, const float *dy, const float *x, size_t N, size_t D)
{
	__shared__ float a[PIECE], b[PIECE];
	unsigned t = threadIdx.x, rows = (unsigned)(PIECE / D);
	float s = t < D ? dv[t] : 0;

	for (size_t i = 0; i < N; i += rows) {
		unsigned n = (unsigned)SG_MIN(N - i, (size_t)rows);

		for (unsigned k = t; k < n * D; k += SG_THREADS) {
			a[k] = dy[i * D + k];
			b[k] = x[i * D + k];
		}
		__syncthreads();
		for (unsigned r = 0; t < D && r < n; r++)
			s = sg_fmaf(a[r * D + t], b[r * D + t], s);
		__syncthreads();
	}
	if (t < D)
		dv[t] = s;
}

int sg_cuda_colscale_dv(struct sg_device *d, float *dv, const float *dy, const float *x, size_t N, size_t D)
{
	if (D && D <= SG_THREADS)
		SG_RUN_BLOCK(sg_cuda(d), 1, SG_THREADS, few_columns_dv, dv, dy, x, N, D);
	else
		SG_RUN(sg_cuda(d), (unsigned)((D + 63) / 64), 64, columns_dv, dv, dy, x, N, D);
	return 0;
}
