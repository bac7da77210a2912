/*
 * The CUDA backend: opens the device, owns its streams and memory. Built as
 * libsg_cuda.so and loaded when asked for, so the program itself needs no
 * CUDA; sg_fail and the rest come from the program (-rdynamic).
 *
 * Tier `portable`: f32 in the order that kernels/README.md defines, the bits of
 * the CPU. Work goes down one stream in order. A small upload goes down the same
 * stream through pinned memory; a large one down a second stream, piece by piece,
 * so that filling a buffer and sending the last one overlap.
 */
#include "kernels/cuda.cuh"
#include <stdlib.h>

int sg_cuda_fail(cudaError_t e, const char *what)
{
	return sg_fail(e == cudaErrorMemoryAllocation ? SG_E_NOMEM : SG_E_DEVICE, "cuda: %s: %s", what,
		       cudaGetErrorString(e));
}

/* ---- opening ---- */

/* Is there a driver, is it new enough, has it that GPU? */
static int find(int index)
{
	int n = 0, driver = 0, runtime = 0;
	cudaError_t e;

	SG_CUDA(cudaRuntimeGetVersion(&runtime));
	e = cudaDriverGetVersion(&driver);
	if (e != cudaSuccess || !driver)
		return sg_fail(SG_E_DEVICE, "cuda: there is no NVIDIA driver here");
	e = cudaGetDeviceCount(&n);
	if (e == cudaErrorInsufficientDriver)
		return sg_fail(SG_E_DEVICE, "cuda: the driver is for CUDA %d.%d, this needs %d.%d or later",
			       driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
	if (e == cudaErrorNoDevice || (e == cudaSuccess && !n))
		return sg_fail(SG_E_DEVICE, "cuda: there is a driver, but no GPU");
	if (e != cudaSuccess)
		return sg_cuda_fail(e, "looking for GPUs");
	if (index >= n)
		return sg_fail(SG_E_DEVICE, "cuda: no GPU number %d, there are %d", index, n);
	return 0;
}

static int describe(struct sg_device *d, struct sg_cuda *c)
{
	size_t free_bytes = 0, all = 0;
	int driver = 0;
	cudaDeviceProp p;

	SG_CUDA(cudaGetDeviceProperties(&p, d->index));
	if (p.major < 8)
		return sg_fail(SG_E_DEVICE, "cuda: '%.100s' has compute capability %d.%d, this needs 8.0 or later",
			       p.name, p.major, p.minor);
	c->index = d->index;
	c->sms = p.multiProcessorCount;
	c->arch = p.major * 10 + p.minor;
	SG_CUDA(cudaMemGetInfo(&free_bytes, &all));
	SG_CUDA(cudaDriverGetVersion(&driver));
	snprintf(d->about, sizeof(d->about), "%.60s, sm_%d, %d SMs, %.1f of %.1f GiB free, driver for CUDA %d.%d", p.name,
		 c->arch, c->sms, (double)free_bytes / (1 << 30), (double)all / (1 << 30), driver / 1000,
		 driver % 1000 / 10);
	snprintf(d->fingerprint, sizeof(d->fingerprint), "%s", SG_NUMERICS);
	return 0;
}

static int open_streams(struct sg_cuda *c)
{
	SG_CUDA(cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
	SG_CUDA(cudaStreamCreateWithFlags(&c->copy, cudaStreamNonBlocking));
	SG_CUDA(cudaEventCreateWithFlags(&c->worked, cudaEventDisableTiming));
	SG_CUDA(cudaEventCreateWithFlags(&c->copied, cudaEventDisableTiming));
	for (int i = 0; i < SG_SLOTS; i++) {
		SG_CUDA(cudaEventCreateWithFlags(&c->slot_free[i], cudaEventDisableTiming));
		SG_CUDA(cudaMallocHost((void **)&c->slot[i], SG_SLOT));
	}
	SG_CUDA(cudaMalloc((void **)&c->fault, sizeof(*c->fault)));
	SG_CUDA(cudaMemsetAsync(c->fault, 0, sizeof(*c->fault), c->stream));
	return 0;
}

static void release(struct sg_cuda *c)
{
	if (c->stream)
		cudaStreamSynchronize(c->stream);
	for (int i = 0; i < SG_SLOTS; i++) {
		if (c->slot_free[i])
			cudaEventDestroy(c->slot_free[i]);
		cudaFreeHost(c->slot[i]);
	}
	cudaFree(c->fault);
	cudaFree(c->room);
	if (c->worked)
		cudaEventDestroy(c->worked);
	if (c->copied)
		cudaEventDestroy(c->copied);
	if (c->copy)
		cudaStreamDestroy(c->copy);
	if (c->stream)
		cudaStreamDestroy(c->stream);
	free(c);
}

static int open_all(struct sg_device *d, struct sg_cuda *c)
{
	SG_TRY(find(d->index));
	SG_CUDA(cudaSetDevice(d->index));
	SG_TRY(describe(d, c));
	SG_TRY(open_streams(c));
	d->ctx = c;
	return sg_cuda_probe(d);
}

static int cuda_init(struct sg_device *d)
{
	struct sg_cuda *c = (struct sg_cuda *)calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return sg_fail(SG_E_NOMEM, "cuda: out of host memory");
	rc = open_all(d, c);
	if (rc < 0) {
		release(c);
		d->ctx = NULL;
	}
	return rc;
}

static void cuda_release(struct sg_device *d)
{
	if (!d->ctx)
		return;
	cudaSetDevice(sg_cuda(d)->index);
	release(sg_cuda(d));
	d->ctx = NULL;
}

/* ---- memory ---- */

static int cuda_alloc(struct sg_device *d, void **out, size_t bytes)
{
	size_t free_bytes = 0, all = 0;
	cudaError_t e;

	SG_CUDA(cudaSetDevice(sg_cuda(d)->index));
	e = cudaMalloc(out, bytes ? bytes : 1);
	if (e == cudaErrorMemoryAllocation) {
		cudaGetLastError();
		cudaMemGetInfo(&free_bytes, &all);
		return sg_fail(SG_E_NOMEM, "cuda: GPU %d has too little memory: %.1f MiB asked, %.1f of %.1f MiB free",
			       d->index, (double)bytes / (1 << 20), (double)free_bytes / (1 << 20),
			       (double)all / (1 << 20));
	}
	SG_CUDA(e);
	return 0;
}

static void cuda_free(struct sg_device *d, void *p)
{
	if (!p)
		return;
	cudaSetDevice(sg_cuda(d)->index);
	cudaStreamSynchronize(sg_cuda(d)->stream);
	cudaFree(p);
}

static int cuda_memory(struct sg_device *d, uint64_t *used, uint64_t *left)
{
	size_t free_bytes = 0, all = 0;

	SG_CUDA(cudaSetDevice(sg_cuda(d)->index));
	SG_CUDA(cudaMemGetInfo(&free_bytes, &all));
	*used = all - free_bytes;
	*left = free_bytes;
	return 0;
}

/* A panel of widened weights, or what attention keeps of each query. */
static size_t cuda_scratch(struct sg_device *d, size_t N, size_t T, size_t H, size_t K, size_t E, size_t D)
{
	(void)d;
	(void)T;
	(void)K;
	(void)E;
	(void)D;
	return SG_MAX(SG_PANEL, N * H) * sizeof(float);
}

int sg_cuda_room(struct sg_device *d, void **out, size_t bytes)
{
	struct sg_cuda *c = sg_cuda(d);

	if (bytes > c->room_bytes) {
		cuda_free(d, c->room);
		c->room = NULL;
		c->room_bytes = 0;
		SG_TRY(cuda_alloc(d, &c->room, bytes));
		c->room_bytes = bytes;
	}
	*out = c->room;
	return 0;
}

int sg_cuda_wait(struct sg_device *d)
{
	struct sg_cuda *c = sg_cuda(d);
	struct sg_cuda_fault f;

	SG_CUDA(cudaMemcpyAsync(c->slot[0], c->fault, sizeof(f), cudaMemcpyDeviceToHost, c->stream));
	SG_CUDA(cudaStreamSynchronize(c->stream));
	memcpy(&f, c->slot[0], sizeof(f));
	if (!f.kind)
		return 0;
	SG_CUDA(cudaMemsetAsync(c->fault, 0, sizeof(f), c->stream));
	switch (f.kind) {
	case SG_BAD_ID:
		return sg_fail(SG_E_CORRUPT, "token id %d is outside the table of %llu rows", f.value, f.limit);
	case SG_BAD_POSITION:
		return sg_fail(SG_E_CORRUPT, "token %llu is past the %llu positions of the table", f.at, f.limit);
	case SG_BAD_SEGMENT:
		return sg_fail(SG_E_CORRUPT, "token %llu belongs to no segment: begin %d", f.at, f.value);
	default:
		return sg_fail(SG_E_CORRUPT, "target %d is outside the vocabulary of %llu", f.value, f.limit);
	}
}

/* The next staging buffer, once what it held has been sent. */
static int take_slot(struct sg_cuda *c, unsigned *out)
{
	*out = c->turn++ % SG_SLOTS;
	SG_CUDA(cudaEventSynchronize(c->slot_free[*out]));
	return 0;
}

static int send(struct sg_cuda *c, cudaStream_t s, char *dst, const char *src, size_t bytes)
{
	unsigned i;

	for (size_t at = 0, n; at < bytes; at += n) {
		n = SG_MIN(bytes - at, SG_SLOT);
		SG_TRY(take_slot(c, &i));
		memcpy(c->slot[i], src + at, n);
		SG_CUDA(cudaMemcpyAsync(dst + at, c->slot[i], n, cudaMemcpyHostToDevice, s));
		SG_CUDA(cudaEventRecord(c->slot_free[i], s));
	}
	return 0;
}

/* Returns when the host memory is free for use again. */
static int cuda_put(struct sg_device *d, void *dst, const void *src, size_t bytes)
{
	struct sg_cuda *c = sg_cuda(d);

	SG_CUDA(cudaSetDevice(c->index));
	if (bytes <= SG_SLOT)
		return send(c, c->stream, (char *)dst, (const char *)src, bytes);
	SG_CUDA(cudaEventRecord(c->worked, c->stream));
	SG_CUDA(cudaStreamWaitEvent(c->copy, c->worked, 0));
	SG_TRY(send(c, c->copy, (char *)dst, (const char *)src, bytes));
	SG_CUDA(cudaEventRecord(c->copied, c->copy));
	SG_CUDA(cudaStreamWaitEvent(c->stream, c->copied, 0));
	return 0;
}

int sg_cuda_get(struct sg_device *d, void *dst, const void *src, size_t bytes)
{
	struct sg_cuda *c = sg_cuda(d);

	SG_CUDA(cudaSetDevice(c->index));
	SG_TRY(sg_cuda_wait(d));
	for (size_t at = 0, n; at < bytes; at += n) {
		n = SG_MIN(bytes - at, SG_SLOT);
		SG_CUDA(cudaMemcpyAsync(c->slot[0], (const char *)src + at, n, cudaMemcpyDeviceToHost, c->stream));
		SG_CUDA(cudaStreamSynchronize(c->stream));
		memcpy((char *)dst + at, c->slot[0], n);
	}
	return 0;
}

extern "C" __attribute__((visibility("default"))) const struct sg_backend sg_backend_cuda = {
	.ops = SG_OPS,
	.size = sizeof(struct sg_backend),
	.name = "cuda",
	.logits = (size_t)64 << 20,
	.init = cuda_init,
	.release = cuda_release,
	.alloc = cuda_alloc,
	.free = cuda_free,
	.put = cuda_put,
	.get = sg_cuda_get,
	.memory = cuda_memory,
	.scratch = cuda_scratch,
#define SG_OP(name, ...) .name = sg_cuda_##name,
#include "kernels/ops.def"
#undef SG_OP
};
