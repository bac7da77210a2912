#ifndef SG_TESTS_CUDA_RUNTIME_H
#define SG_TESTS_CUDA_RUNTIME_H
/*
 * As much of CUDA as the .cu files use, on the host, so that the text of the
 * kernels itself is tested where there is no GPU. Memory is the host's; streams
 * and events do nothing, since everything is done at once. Blocks run one after
 * another; the threads of a block too, and where a kernel has barriers each of
 * them is a fiber that stops at every barrier. A barrier that not all threads of
 * a block reach ends the program.
 *
 *	SG_HOST_BACKWARDS=1	blocks and threads in falling order: a race shows as other bits
 *	SG_HOST_GUARD=1		device memory can only be touched inside of kernels and copies
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define SG_SLOT   ((size_t)4096)
#define SG_PANEL  ((size_t)5000)
#define SG_BLOCKS ((size_t)3)

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct sg_host_dim { unsigned x; };
inline sg_host_dim threadIdx, blockIdx, blockDim, gridDim;

static inline int atomicCAS(int *p, int old, int to)
{
	int was = *p;

	*p = was == old ? to : was;
	return was;
}

/* ---- memory ---- */

typedef int cudaError_t;
enum { cudaSuccess, cudaErrorMemoryAllocation, cudaErrorInsufficientDriver, cudaErrorNoDevice };

struct sg_host_piece { sg_host_piece *next; char *p; size_t bytes; };
inline sg_host_piece *sg_host_pieces;
inline int sg_host_open;

static inline bool sg_host_flag(const char *name)
{
	const char *s = getenv(name);

	return s && *s == '1';
}

/* Open device memory for what follows, or close it again. */
static inline void sg_host_access(int by)
{
	int was = sg_host_open;

	sg_host_open += by;
	if (!was == !sg_host_open)
		return;
	for (sg_host_piece *q = sg_host_pieces; q; q = q->next)
		if (sg_host_flag("SG_HOST_GUARD"))
			mprotect(q->p, q->bytes, was ? PROT_NONE : PROT_READ | PROT_WRITE);
}

static inline cudaError_t cudaMalloc(void **out, size_t bytes)
{
	sg_host_piece *q;

	if (bytes > (size_t)1 << 36)
		return cudaErrorMemoryAllocation;
	if (!sg_host_flag("SG_HOST_GUARD")) {
		*out = malloc(bytes);
		return *out ? cudaSuccess : cudaErrorMemoryAllocation;
	}
	q = (sg_host_piece *)malloc(sizeof(*q));
	bytes = (bytes + 4095) & ~(size_t)4095;
	q->p = (char *)mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q->bytes = bytes;
	q->next = sg_host_pieces;
	sg_host_pieces = q;
	*out = q->p;
	return cudaSuccess;
}

static inline cudaError_t cudaFree(void *p)
{
	for (sg_host_piece **at = &sg_host_pieces, *q; (q = *at); at = &q->next)
		if (q->p == p) {
			*at = q->next;
			munmap(q->p, q->bytes);
			free(q);
			return cudaSuccess;
		}
	free(p);
	return cudaSuccess;
}

static inline cudaError_t cudaMallocHost(void **out, size_t bytes)
{
	*out = malloc(bytes);
	return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}

static inline cudaError_t cudaFreeHost(void *p) { free(p); return cudaSuccess; }

static inline cudaError_t cudaMemGetInfo(size_t *left, size_t *all)
{
	*left = (size_t)1 << 32;
	*all = (size_t)1 << 33;
	return cudaSuccess;
}

/* ---- streams, events, copies ---- */

typedef struct sg_host_stream { int unused; } *cudaStream_t, *cudaEvent_t;
enum { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking, cudaEventDisableTiming };

static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned) { *s = NULL; return cudaSuccess; }
static inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned) { *e = NULL; return cudaSuccess; }
static inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
static inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
static inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
static inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
static inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
static inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
static inline cudaError_t cudaGetLastError(void) { return cudaSuccess; }
static inline const char *cudaGetErrorString(cudaError_t) { return "an error of the host's CUDA"; }

static inline cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n, int, cudaStream_t)
{
	sg_host_access(1);
	memmove(dst, src, n);
	sg_host_access(-1);
	return cudaSuccess;
}

static inline cudaError_t cudaMemsetAsync(void *dst, int v, size_t n, cudaStream_t)
{
	sg_host_access(1);
	memset(dst, v, n);
	sg_host_access(-1);
	return cudaSuccess;
}

/* ---- the device ---- */

struct cudaDeviceProp { char name[64]; int major, minor, multiProcessorCount; };
static inline cudaError_t cudaRuntimeGetVersion(int *v) { *v = 13000; return cudaSuccess; }
static inline cudaError_t cudaDriverGetVersion(int *v) { *v = 13000; return cudaSuccess; }
static inline cudaError_t cudaGetDeviceCount(int *n) { *n = 1; return cudaSuccess; }
static inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
	*p = { "the host in place of a GPU", 9, 0, 2 };
	return cudaSuccess;
}

/* ---- launches ---- */

#define SG_HOST_FIBERS 1024
#define SG_HOST_STACK  ((size_t)64 << 10)

/* Fibers are made once and wait for the next block when theirs is done. Contexts
 * only start them: switching by jumps costs no system call. */
struct sg_host_fibers {
	jmp_buf main, fiber[SG_HOST_FIBERS];
	ucontext_t start;
	char *stack;
	unsigned made, at, ended;
	bool end[SG_HOST_FIBERS];
	void (*fn)(void *);
	void *arg;
};
inline sg_host_fibers sg_host_f;

static inline void sg_host_yield(void)
{
	if (!_setjmp(sg_host_f.fiber[sg_host_f.at]))
		_longjmp(sg_host_f.main, 1);
}

static inline void __syncthreads(void)
{
	if (!sg_host_f.fn) {
		fputs("a barrier in a kernel that SG_RUN started\n", stderr);
		abort();
	}
	sg_host_yield();
}

static inline void sg_host_fiber(void)
{
	for (;;) {
		sg_host_f.fn(sg_host_f.arg);
		sg_host_f.end[sg_host_f.at] = true;
		sg_host_yield();
	}
}

static inline void sg_host_make(sg_host_fibers *f)
{
	if (!f->stack)
		f->stack = (char *)mmap(NULL, SG_HOST_FIBERS * SG_HOST_STACK, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	getcontext(&f->start);
	f->start.uc_stack.ss_sp = f->stack + f->made++ * SG_HOST_STACK;
	f->start.uc_stack.ss_size = SG_HOST_STACK;
	f->start.uc_link = NULL;
	makecontext(&f->start, sg_host_fiber, 0);
	setcontext(&f->start);
}

/* Thread i as far as its next barrier. */
static inline void sg_host_step(sg_host_fibers *f, unsigned i)
{
	f->at = threadIdx.x = i;
	if (_setjmp(f->main))
		return;
	if (i < f->made)
		_longjmp(f->fiber[i], 1);
	sg_host_make(f);
}

/* All threads of a block from barrier to barrier until all have ended. */
static inline void sg_host_block(unsigned n, bool back)
{
	sg_host_fibers *f = &sg_host_f;

	for (f->ended = 0; !f->ended; ) {
		memset(f->end, 0, n);
		for (unsigned i = 0; i < n; i++) {
			unsigned t = back && f->made >= n ? n - 1 - i : i;	/* they are made in order */

			sg_host_step(f, t);
			f->ended += f->end[t];
		}
		if (f->ended && f->ended < n) {
			fputs("a barrier that not all threads of a block reach\n", stderr);
			abort();
		}
	}
}

template <class F> static inline void sg_host_call(void *f)
{
	(*(F *)f)();
}

template <class F> static inline void sg_host_run(unsigned grid, unsigned block, bool barriers, F f)
{
	bool back = sg_host_flag("SG_HOST_BACKWARDS");

	sg_host_access(1);
	gridDim.x = grid;
	blockDim.x = block;
	for (unsigned b = 0; b < grid; b++) {
		blockIdx.x = back ? grid - 1 - b : b;
		if (barriers) {
			sg_host_f.fn = sg_host_call<F>;
			sg_host_f.arg = &f;
			sg_host_block(block, back);
			sg_host_f.fn = NULL;
			continue;
		}
		for (unsigned t = 0; t < block; t++) {
			threadIdx.x = back ? block - 1 - t : t;
			f();
		}
	}
	sg_host_access(-1);
}

#define SG_RUN_HOST(barriers, grid, block, kernel, ...) do { \
	auto k_ = kernel; \
	sg_host_run(grid, block, barriers, [&] { k_(__VA_ARGS__); }); \
} while (0)
#define SG_RUN(c, ...) do { (void)(c); SG_RUN_HOST(false, __VA_ARGS__); } while (0)
#define SG_RUN_BLOCK(c, ...) do { (void)(c); SG_RUN_HOST(true, __VA_ARGS__); } while (0)
#endif
