/* Two axes in the middle changed about; swap_axes.c on a GPU. */
#include "kernels/cuda.cuh"

__global__ static void swap_axes(float *y, const float *x, size_t n, size_t A, size_t B, size_t R)
{
	for (SG_EACH(i, n)) {
		size_t r = i % R, b = i / R % B, a = i / R / B % A, row = i / R / B / A;

		y[((row * B + b) * A + a) * R + r] = x[i];
	}
}

int sg_cuda_swap_axes(struct sg_device *d, float *y, const float *x, size_t N, size_t A, size_t B, size_t R)
{
	size_t n = N * A * B * R;

	SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, swap_axes, y, x, n, A, B, R);
	return 0;
}
