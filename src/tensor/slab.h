#ifndef SG_TENSOR_SLAB_H
#define SG_TENSOR_SLAB_H
#include "base/base.h"
#include "base/dtype.h"
SG_C_BEGIN
/*
 * A slab is one block of device memory that holds named f32 tensors end to end:
 * a graft's payload, its gradients, its optimiser state. Declare the tensors,
 * allocate once, then use the pointers.
 */
struct sg_device;

struct sg_tensor {
	char name[120];			/* "layers.3.attn.q.A" */
	unsigned ndim;
	size_t shape[SG_DIMS], n;	/* n elements */
	size_t at;			/* offset in the slab, floats */
	bool frozen;			/* stored with the graft, not trained */
};

struct sg_slab {
	struct sg_tensor *t;
	size_t n, cap;			/* tensors */
	size_t floats;			/* of all tensors */
	float *data;			/* device memory, NULL before alloc */
	struct sg_device *dev;
};

/* Declares a tensor; rows 0 makes a vector of cols. */
int sg_slab_add(struct sg_slab *s, const char *name, size_t rows, size_t cols, bool frozen);
/* Zeroed memory for every declared tensor. */
int sg_slab_alloc(struct sg_slab *s, struct sg_device *dev);
/* out: the same tensors as `of`, own zeroed memory. */
int sg_slab_like(struct sg_slab *out, const struct sg_slab *of);
/* NULL when there is no such tensor. */
struct sg_tensor *sg_slab_find(const struct sg_slab *s, const char *name);
static inline float *sg_slab_ptr(const struct sg_slab *s, const struct sg_tensor *t)
{
	return s->data + t->at;
}
void sg_slab_release(struct sg_slab *s);
SG_C_END
#endif
