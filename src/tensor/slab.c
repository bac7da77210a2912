#include "tensor/slab.h"
#include "base/error.h"
#include "base/mem.h"
#include "kernels/kernels.h"

int sg_slab_add(struct sg_slab *s, const char *name, size_t rows, size_t cols, bool frozen)
{
	struct sg_tensor t = { .frozen = frozen, .at = s->floats };
	size_t total;

	if (strlen(name) >= sizeof(t.name))
		return sg_fail(SG_E_ERROR, "tensor name '%s' is too long", name);
	strcpy(t.name, name);
	t.ndim = rows ? 2 : 1;
	t.shape[0] = rows ? rows : cols;
	t.shape[1] = rows ? cols : 0;
	if (!sg_mul(&t.n, rows ? rows : 1, cols) || !sg_sum(&total, s->floats, t.n) ||
	    total > SIZE_MAX / sizeof(float))
		return sg_fail(SG_E_NOMEM, "tensor '%s' is too large", name);
	SG_TRY(SG_GROW(s->t, s->n, s->cap));
	s->t[s->n++] = t;
	s->floats = total;
	return 0;
}

int sg_slab_alloc(struct sg_slab *s, struct sg_device *dev)
{
	void *p;

	SG_TRY(dev->be->alloc(dev, &p, SG_MAX(s->floats, 1) * sizeof(float)));
	s->data = p;
	s->dev = dev;
	return SG_CALL(dev, zero, s->data, s->floats);
}

int sg_slab_like(struct sg_slab *out, const struct sg_slab *of)
{
	struct sg_slab s = { .n = of->n, .cap = of->n, .floats = of->floats };
	int rc;

	SG_TRY(SG_NEW(s.t, of->n));
	if (of->n)
		memcpy(s.t, of->t, of->n * sizeof(*s.t));
	rc = sg_slab_alloc(&s, of->dev);
	if (rc < 0) {
		sg_slab_release(&s);
		return rc;
	}
	*out = s;
	return 0;
}

struct sg_tensor *sg_slab_find(const struct sg_slab *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->t[i].name, name))
			return &s->t[i];
	return NULL;
}

void sg_slab_release(struct sg_slab *s)
{
	if (s->data)
		s->dev->be->free(s->dev, s->data);
	free(s->t);
	*s = (struct sg_slab){ 0 };
}
