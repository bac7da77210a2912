/* The vtable of the CPU backend, and its memory. */
#include "kernels/cpu.h"

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

extern const struct sg_backend SG_CPU_X(backend, SG_ISA);
const struct sg_backend SG_CPU_X(backend, SG_ISA) = {
	.ops = SG_OPS,
	.name = "cpu",
	.init = cpu_init,
	.release = cpu_release,
	.alloc = cpu_alloc,
	.free = cpu_free,
	.put = cpu_move,
	.get = cpu_move,
#define SG_OP(name, ...) .name = SG_CPU(name),
#include "kernels/ops.def"
#undef SG_OP
};
