/* The vtable of the CPU backend, and its memory. */
#include "kernels/cpu.h"
#include "base/room.h"
#include <unistd.h>

#define ALIGN 64

static int cpu_init(struct sg_device *d)
{
	/* names the numerics, not the processor: every instruction set gives the same bits */
	snprintf(d->fingerprint, sizeof(d->fingerprint), "%s", SG_NUMERICS);
	return 0;
}

static void cpu_release(struct sg_device *d)
{
	(void)d;
}

/* The block that came from the allocator is remembered in front of ours. */
static int cpu_alloc(struct sg_device *d, void **out, size_t bytes)
{
	void **p, *raw;
	size_t size;

	(void)d;
	if (!sg_sum(&size, bytes, ALIGN + sizeof(void *)))
		return sg_fail(SG_E_NOMEM, "cannot allocate %zu bytes", bytes);
	raw = sg_calloc(size, 1);
	if (!raw)
		return -SG_E_NOMEM;
	p = (void **)(((uintptr_t)raw + sizeof(void *) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
	p[-1] = raw;
	*out = p;
	return 0;
}

static void cpu_free(struct sg_device *d, void *p)
{
	(void)d;
	if (p)
		free(((void **)p)[-1]);
}

static int cpu_move(struct sg_device *d, void *dst, const void *src, size_t bytes)
{
	(void)d;
	if (bytes)
		memcpy(dst, src, bytes);
	return 0;
}

static int cpu_memory(struct sg_device *d, uint64_t *used, uint64_t *left)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long all = 0, resident = 0;

	(void)d;
	if (f) {
		if (fscanf(f, "%lu %lu", &all, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	*used = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
	*left = sg_room();
	return 0;
}

/* Panels of a product for all (MSTEP, NSTEP and KC of matmul.c), scores of attention for
 * each thread, both at their widest. */
static size_t cpu_scratch(struct sg_device *d, size_t N, size_t T, size_t H, size_t K, size_t E, size_t D)
{
	size_t product = (SG_MIN(N, 2304) + SG_MIN(E, 4096)) * SG_MIN(D, 512) * sizeof(float);
	size_t heads = N * (H + 8) * sizeof(float);

	return sg_pool_threads(d->pool) * (K + SG_MAX(T, 1536)) * 32 * sizeof(float) + SG_MAX(product, heads);
}

extern const struct sg_backend SG_CPU_X(backend, SG_ISA);
const struct sg_backend SG_CPU_X(backend, SG_ISA) = {
	.ops = SG_OPS,
	.size = sizeof(struct sg_backend),
	.name = "cpu",
	.logits = (size_t)4 << 20,
	.init = cpu_init,
	.release = cpu_release,
	.alloc = cpu_alloc,
	.free = cpu_free,
	.put = cpu_move,
	.get = cpu_move,
	.memory = cpu_memory,
	.scratch = cpu_scratch,
#define SG_OP(name, ...) .name = SG_CPU(name),
#include "kernels/ops.def"
#undef SG_OP
};
