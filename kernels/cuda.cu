/*
 * The CUDA backend: opens the device, owns its stream and memory. Built as
 * libsg_cuda.so and loaded when asked for, so the program itself needs no
 * CUDA; sg_fail and the rest come from the program (-rdynamic).
 */
#include "kernels/cuda.cuh"
#include <stdlib.h>

static int open_stream(struct sg_device *d, struct sg_cuda *c)
{
	cudaDeviceProp p;
	int n = 0, runtime = 0;
	cudaError_t e;

	e = cudaGetDeviceCount(&n);
	if (e != cudaSuccess || !n)
		return sg_fail(SG_E_DEVICE, "cuda: no usable GPU: %s",
			       e ? cudaGetErrorString(e) : "none found");
	if (d->index >= n)
		return sg_fail(SG_E_DEVICE, "cuda: no GPU number %d, there are %d", d->index, n);
	SG_CUDA(cudaSetDevice(d->index));
	SG_CUDA(cudaGetDeviceProperties(&p, d->index));
	SG_CUDA(cudaRuntimeGetVersion(&runtime));
	if (p.major < 8)
		return sg_fail(SG_E_DEVICE, "cuda: '%s' is older than compute capability 8.0", p.name);
	SG_CUDA(cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
	c->index = d->index;
	c->sms = p.multiProcessorCount;
	c->arch = p.major * 10 + p.minor;
	snprintf(d->fingerprint, sizeof(d->fingerprint), "cuda-f32-sm%d-%d-rt%d", c->arch, c->sms, runtime);
	return 0;
}

static int cuda_init(struct sg_device *d)
{
	struct sg_cuda *c = (struct sg_cuda *)calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return sg_fail(SG_E_NOMEM, "cuda: out of host memory");
	rc = open_stream(d, c);
	if (rc < 0)
		free(c);
	else
		d->ctx = c;
	return rc;
}

static void cuda_release(struct sg_device *d)
{
	struct sg_cuda *c = sg_cuda(d);

	if (!c)
		return;
	cudaSetDevice(c->index);
	cudaStreamDestroy(c->stream);
	free(c);
	d->ctx = NULL;
}

static int cuda_alloc(struct sg_device *d, void **out, size_t bytes)
{
	cudaError_t e;

	SG_CUDA(cudaSetDevice(sg_cuda(d)->index));
	e = cudaMalloc(out, bytes ? bytes : 1);
	if (e == cudaErrorMemoryAllocation)
		return sg_fail(SG_E_NOMEM, "cuda: out of memory for %zu bytes", bytes);
	SG_CUDA(e);
	return 0;
}

static void cuda_free(struct sg_device *d, void *p)
{
	cudaSetDevice(sg_cuda(d)->index);
	cudaStreamSynchronize(sg_cuda(d)->stream);
	cudaFree(p);
}

/* Returns when the host memory is free for use again. */
static int cuda_put(struct sg_device *d, void *dst, const void *src, size_t bytes)
{
	SG_CUDA(cudaSetDevice(sg_cuda(d)->index));
	SG_CUDA(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, sg_cuda(d)->stream));
	SG_CUDA(cudaStreamSynchronize(sg_cuda(d)->stream));
	return 0;
}

static int cuda_get(struct sg_device *d, void *dst, const void *src, size_t bytes)
{
	SG_CUDA(cudaSetDevice(sg_cuda(d)->index));
	SG_CUDA(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, sg_cuda(d)->stream));
	SG_CUDA(cudaStreamSynchronize(sg_cuda(d)->stream));
	return 0;
}

/* NEEDSWORK: no operation has its kernel yet; each says so by name. */
#define SG_OP(name, ...) \
	static int none_##name(struct sg_device *d, __VA_ARGS__) \
	{ \
		return sg_fail(SG_E_UNSUPPORTED, "cuda: no such operation yet: '" #name "'"); \
	}
#include "kernels/ops.def"
#undef SG_OP

extern "C" const struct sg_backend sg_backend_cuda = {
	.name = "cuda",
	.init = cuda_init,
	.release = cuda_release,
	.alloc = cuda_alloc,
	.free = cuda_free,
	.put = cuda_put,
	.get = cuda_get,
#define SG_OP(name, ...) .name = none_##name,
#include "kernels/ops.def"
#undef SG_OP
};
