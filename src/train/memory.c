#include "train/memory.h"
#include "base/error.h"
#include "model/pass.h"

/* Scratch of a graft's parts, for each token of a batch. */
static uint64_t scratch(const struct sg_graft *g, size_t cap)
{
	uint64_t floats = 0;

	for (size_t i = 0; i < g->n; i++)
		if (g->type->scratch)
			floats += g->type->scratch(&g->part[i]);
	return floats * cap * sizeof(float);
}

uint64_t sg_memory_scratch(const struct sg_model *m, struct sg_device *d, size_t cap, size_t T)
{
	const struct sg_desc *k = &m->desc;
	size_t most = k->d;

	for (size_t i = 0; i < m->n; i++)
		most = SG_MAX(most, m->blocks[i]->ffn);
	return d->be->scratch(d, cap, T, k->heads, k->head_dim, SG_MAX(most, k->vocab), most);
}

int sg_memory_plan(struct sg_memory *out, struct sg_model *m, const struct sg_graft *g, size_t cap, size_t T)
{
	struct sg_memory p = { .weights = m->weights };
	size_t bytes;

	SG_TRY(sg_pass_bytes(&bytes, m, cap, g != NULL));
	p.activations = bytes;
	p.workspace = sg_memory_scratch(m, m->dev, cap, T);
	if (g) {
		p.payload = g->params.floats * sizeof(float);
		p.gradients = g->grads.floats * sizeof(float);
		p.optimiser = 2 * p.payload;
		p.activations += scratch(g, cap);
	}
	p.total = p.weights + p.payload + p.gradients + p.optimiser + p.activations + p.workspace;
	*out = p;
	return 0;
}
