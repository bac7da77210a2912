#pragma once
/* What every .cu file shares; only they include it. */
#include <cuda_runtime.h>
#include "base/error.h"
#include "kernels/kernels.h"

/* Pass a CUDA error on as ours. */
#define SG_CUDA(e) do { \
	cudaError_t e_ = (e); \
	if (e_ != cudaSuccess) \
		return sg_fail(SG_E_DEVICE, "cuda: %s: %s", #e, cudaGetErrorString(e_)); \
} while (0)

struct sg_cuda {
	int index, sms, arch;		/* arch: 90 for compute capability 9.0 */
	cudaStream_t stream;		/* all work of the device, in order */
};

static inline struct sg_cuda *sg_cuda(struct sg_device *d)
{
	return (struct sg_cuda *)d->ctx;
}
