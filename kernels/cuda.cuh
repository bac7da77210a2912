#pragma once
/*
 * What every .cu file shares; only they include it. The same files also compile
 * for the host against tests/cuda_host, where blocks and threads are loops, so a
 * kernel is tested without a GPU. Hence: launches through SG_RUN (no barrier in
 * the kernel) or SG_RUN_BLOCK (blocks with barriers), no warp primitives, and no
 * kernel's result may depend on the order in which blocks or threads run.
 */
#include <cuda_runtime.h>
#include "base/error.h"
#include "base/fmath.h"
#include "kernels/kernels.h"

/* Of our own library only: a twin that is missing does not link. */
#pragma GCC visibility push(hidden)
extern "C" {
#define SG_OP(name, ...) int sg_cuda_##name(struct sg_device *d, __VA_ARGS__);
#include "kernels/ops.def"
#undef SG_OP
}

/* What a kernel found wrong in its input: the first one stays, and is reported
 * by the next call that waits for the device. */
enum sg_cuda_bad { SG_BAD_NONE, SG_BAD_ID, SG_BAD_POSITION, SG_BAD_SEGMENT, SG_BAD_TARGET };
struct sg_cuda_fault { int kind, value; unsigned long long at, limit; };

#define SG_SLOTS 4		/* staging buffers of pinned memory */
#ifndef SG_SLOT			/* the host is given small ones, so that tests cross their borders */
# define SG_SLOT   ((size_t)4 << 20)	/* bytes of such a buffer */
# define SG_PANEL  ((size_t)6 << 20)	/* floats of a widened panel of weights */
# define SG_BLOCKS ((size_t)1 << 20)	/* blocks of a launch over elements; kernels stride */
#endif

struct sg_cuda {
	int index, sms, arch;		/* arch: 90 for compute capability 9.0 */
	cudaStream_t stream, copy;	/* all work in order; large uploads */
	cudaEvent_t worked, copied;	/* where one stream waits for the other */
	cudaEvent_t slot_free[SG_SLOTS];
	char *slot[SG_SLOTS];
	unsigned turn;			/* slot to use next */
	void *room;			/* workspace, grown when wanted */
	size_t room_bytes;
	struct sg_cuda_fault *fault;	/* device memory */
};

static inline struct sg_cuda *sg_cuda(struct sg_device *d)
{
	return (struct sg_cuda *)d->ctx;
}

/* An error of CUDA as ours; `what` failed. */
int sg_cuda_fail(cudaError_t e, const char *what);
#define SG_CUDA(e) do { \
	cudaError_t e_ = (e); \
	if (e_ != cudaSuccess) \
		return sg_cuda_fail(e_, #e); \
} while (0)

/* Workspace of at least that many bytes; its content dies with the next call. */
int sg_cuda_room(struct sg_device *d, void **out, size_t bytes);
/* Waits for all work; CORRUPT when a kernel found bad input. */
int sg_cuda_wait(struct sg_device *d);
/* Device to host, in order, after all work; waits. */
int sg_cuda_get(struct sg_device *d, void *dst, const void *src, size_t bytes);
/* Does the device compute as the processor does? Refused when a bit differs. */
int sg_cuda_probe(struct sg_device *d);
/* Weights as CUDA takes them: packed, in a dtype that widens. */
int sg_cuda_check_mat(const struct sg_mat *w, size_t cols, const char *what);
/* out[n] = w's elements from `from` on as f32, whole granules of a quantised one. */
int sg_cuda_widen(struct sg_device *d, float *out, const struct sg_mat *w, size_t from, size_t n);

#define SG_THREADS 256
/* Blocks of SG_THREADS for n elements. */
static inline unsigned sg_blocks(size_t n)
{
	size_t b = (n + SG_THREADS - 1) / SG_THREADS;

	return (unsigned)SG_MIN(b, SG_BLOCKS);
}

#ifndef SG_RUN	/* else the host's */
# define SG_RUN(c, grid, block, kernel, ...) do { \
	auto k_ = kernel; \
	unsigned grid_ = (grid); \
	if (!grid_) \
		break; \
	k_<<<grid_, block, 0, (c)->stream>>>(__VA_ARGS__); \
	SG_CUDA(cudaGetLastError()); \
} while (0)
# define SG_RUN_BLOCK SG_RUN
#endif

#ifdef __CUDA_ARCH__
# define SG_UNROLL _Pragma("unroll")
#else
# define SG_UNROLL
#endif

/* This thread's element and the next one, over n elements. */
#define SG_EACH(i, n) \
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (size_t)gridDim.x * blockDim.x

__device__ static inline void sg_fault(struct sg_cuda_fault *f, int kind, size_t at, int value, size_t limit)
{
	if (atomicCAS(&f->kind, (int)SG_BAD_NONE, kind) == SG_BAD_NONE) {
		f->value = value;
		f->at = at;
		f->limit = limit;
	}
}

/*
 * The shape of sums inside one row (struct lanes of the CPU): thread l of 16 has
 * the chain over elements l, l + 16, ...; then a tree, 16 to 8 to 4 to 2 to 1,
 * upper half to lower. A block holds SG_THREADS / 16 rows; all of it must call.
 */
#define SG_LANES 16
__device__ static inline float sg_lanes_join(float *shared, float v)
{
	unsigned l = threadIdx.x % SG_LANES;
	float *s = shared + threadIdx.x - l, r;

	s[l] = v;
	__syncthreads();
	for (unsigned half = SG_LANES / 2; half; half /= 2) {
		if (l < half)
			s[l] = s[l] + s[l + half];
		__syncthreads();
	}
	r = s[0];
	__syncthreads();
	return r;
}

/* Largest of n numbers, by a whole block of SG_THREADS; which of equal ones cannot show. */
__device__ static inline float sg_block_max(float *shared, const float *x, size_t n)
{
	unsigned t = threadIdx.x;
	float m = -__builtin_inff();

	for (size_t i = t; i < n; i += SG_THREADS)
		m = x[i] > m ? x[i] : m;
	shared[t] = m;
	__syncthreads();
	for (unsigned half = SG_THREADS / 2; half; half /= 2) {
		if (t < half)
			shared[t] = shared[t + half] > shared[t] ? shared[t + half] : shared[t];
		__syncthreads();
	}
	m = shared[0];
	__syncthreads();
	return m;
}
#pragma GCC visibility pop
