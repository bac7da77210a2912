#ifndef SG_KERNELS_KERNELS_H
#define SG_KERNELS_KERNELS_H
#include "base/base.h"
#include "base/dtype.h"
SG_C_BEGIN
/*
 * The operations of the engine and the backends that supply them.
 *
 * Letters: N rows (tokens of a flat batch), D model width, E output width of a
 * linear map, F hidden width of an MLP, H query heads, G key/value heads (H is
 * a multiple of G), K width of one head, V vocabulary. Arrays are row-major,
 * packed, f32 unless said. Outputs come first, then inputs, then sizes.
 *
 * A batch is flat: N tokens of one or more segments laid end to end. begin[i]
 * is the index of the first token of i's segment, so token i attends to
 * begin[i]..i, and its position is i - begin[i]. Nothing that is computed for a
 * token depends on what else stands in the batch: batch size cannot change bits.
 * Positions also take a negative begin: a segment that began before the batch.
 *
 * Gradient rule (as llm.c states it): gradients of parameters accumulate (+=),
 * gradients of activations are written (=) unless the call has `add`.
 *
 * Numerics: every sum over an index is one chain of f32 fma in increasing order
 * of that index (performance notes in kernels/README.md), so all instruction
 * sets, thread counts and batch sizes give the same bits.
 */
struct sg_device;

enum sg_act { SG_ACT_NONE, SG_ACT_SILU, SG_ACT_GELU, SG_ACT_GELU_TANH, SG_ACT_RELU };

/* What every backend must supply: memory, then one function for each op.
 * Pointers given to an operation are memory of that device. */
struct sg_backend {
	const char *ops;	/* SG_OPS of its build, and the size of this: a library of another */
	size_t size;		/* build is refused */
	const char *name;
	size_t logits;		/* floats of logits to hold at a time: what its cache likes, or fills it */
	int  (*init)(struct sg_device *d);
	void (*release)(struct sg_device *d);
	/* 64-byte aligned, content undefined */
	int  (*alloc)(struct sg_device *d, void **out, size_t bytes);
	void (*free)(struct sg_device *d, void *p);
	int  (*put)(struct sg_device *d, void *dst, const void *src, size_t bytes);
	int  (*get)(struct sg_device *d, void *dst, const void *src, size_t bytes);
	/* Of the device: bytes in use (CPU: by this process) and bytes that can still be had. */
	int  (*memory)(struct sg_device *d, uint64_t *used, uint64_t *left);
	/* Bytes of scratch that passes over N tokens take, the longest text having T of them,
	 * no map being wider than E outputs and D inputs. */
	size_t (*scratch)(struct sg_device *d, size_t N, size_t T, size_t H, size_t K, size_t E, size_t D);
#define SG_OP(name, ...) int (*name)(struct sg_device *d, __VA_ARGS__);
#include "kernels/ops.def"
#undef SG_OP
};

/* The fingerprint of the contract in kernels/README.md, which the CPU keeps and CUDA's tier `portable` too. */
#define SG_NUMERICS "cpu-f32-kseq-1"

/* All operations and what they take, as text. */
#define SG_OP(name, ...) #name "(" #__VA_ARGS__ ");"
__attribute__((unused)) static const char SG_OPS[] =
#include "kernels/ops.def"
	"";
#undef SG_OP

struct sg_pool;
struct sg_device {
	const struct sg_backend *be;
	struct sg_pool *pool;	/* CPU: threads */
	void *ctx;		/* CUDA: stream, handles */
	int index;		/* CUDA: which GPU */
	char fingerprint[160];	/* numerics fingerprint: equal strings promise equal bits */
	char about[200];	/* CUDA: what was found, for people */
};

/*
 * name: "cpu", "cuda", "cuda:N" or "auto" (CUDA if it works, else CPU).
 * threads: 0 means SG_THREADS or all processors. The CPU picks the widest
 * instruction set that the machine has; SG_ISA=avx512|avx2|scalar overrides.
 * NOTFOUND for an unknown name, DEVICE when it cannot be used.
 */
int sg_device_open(struct sg_device *d, const char *name, unsigned threads);
void sg_device_close(struct sg_device *d);
/* Instruction sets that the CPU backend was built for, widest first; NULL past
 * the last. usable: this processor has them. */
const char *sg_isa_name(size_t i, bool *usable);

#define SG_CALL(d, op, ...) ((d)->be->op((d), __VA_ARGS__))
SG_C_END
#endif
