/*
 * layer: a whole new block in a slot (growth in depth: Bochkov 2025; zero output
 * projections as in LLaMA Pro, Wu et al. 2024), of the base's own kind: its norms, its
 * biases, its activation. Where the base has no trained head the graft also carries a
 * change of the head, so that a stack of layers has the sum of their heads and each can
 * be taken away.
 *
 * Zero-effect start, and no two zero factors in series: the attention and MLP
 * outputs start at zero, except under a head that is itself still zero (the first
 * layer on such a base), which alone makes the effect zero.
 */
#include "graft/graft.h"
#include "base/error.h"
#include <math.h>

/* Tensors of a part: the maps, the vectors of a block, the head. */
enum { VEC = SG_LINEARS, HEAD = VEC + SG_VECS };

/* Vectors in the order in which they are declared. */
static const int vecs[SG_VECS] = {
	SG_NORM1, SG_NORM2, SG_NORM1_BIAS, SG_NORM2_BIAS, SG_Q, SG_K, SG_V, SG_O, SG_GATE, SG_UP, SG_DOWN, SG_QNORM,
	SG_KNORM,
};

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t ffn = sg_graft_int(p->g, "ffn");
	struct sg_block b = {
		.heads = m->desc.heads, .kv_heads = m->desc.kv_heads, .head_dim = m->desc.head_dim,
		.ffn = ffn ? (size_t)ffn : m->desc.ffn,
	};

	if (ffn < 0 || ffn > 1 << 24)
		return sg_fail(SG_E_REFUSED, "layer: ffn %lld is not in 0 to %d", (long long)ffn, 1 << 24);
	if (p->g->file.sites.n != 1)
		return sg_fail(SG_E_REFUSED, "layer: a graft is one layer in one slot, not %zu", p->g->file.sites.n);
	sg_block_shape(&b, &m->desc);
	for (size_t i = 0; i < SG_LINEARS; i++)
		if (b.lin[i].out)
			SG_TRY(sg_part_tensor(p, i, sg_linear_names[i], b.lin[i].out, b.lin[i].in, false));
	for (int k = 0; k < SG_VECS; k++) {
		int i = vecs[k];

		if (sg_desc_has(&m->desc, sg_vec_names[i]))
			SG_TRY(sg_part_tensor(p, (size_t)(VEC + i), sg_vec_names[i], 0, sg_block_vec_size(&b, &m->desc, i),
					      false));
	}
	return m->desc.has_head ? 0 : sg_part_tensor(p, HEAD, "head", m->desc.vocab, m->desc.d, false);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	static const int ones[] = { SG_NORM1, SG_NORM2, SG_QNORM, SG_KNORM };
	bool zero_head = !m->desc.has_head && !m->head.hooks;

	for (size_t i = 0; i < SG_LINEARS; i++)
		if (p->t[i] && (zero_head || (i != SG_O && i != SG_DOWN)))
			SG_TRY(sg_part_normal(p, i, 1.0f / sqrtf((float)p->t[i]->shape[1]), seed));
	for (size_t i = 0; i < SG_LEN(ones); i++)
		if (p->t[VEC + ones[i]])
			SG_TRY(sg_part_fill(p, (size_t)(VEC + ones[i]), 1.0f));
	return 0;
}

static int head_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_mat w = sg_part_mat(ctx, HEAD);

	(void)keep;
	return SG_CALL(dev, linear_fwd, y, x, &w, NULL, N, w.rows, w.cols, true);
}

static int head_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_mat w = sg_part_mat(ctx, HEAD);

	if (sg_part_grad(ctx, HEAD))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(ctx, HEAD), NULL, dy, x, N, w.rows, w.cols));
	return dx ? SG_CALL(dev, linear_dx, dx, dy, &w, N, w.rows, w.cols, true) : 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	struct sg_block *b;
	char name[40];

	snprintf(name, sizeof(name), "grown.%.16s", *p->g->id ? p->g->id : "new");
	SG_TRY(sg_block_insert(&b, m, name, 2 * p->at.slot, p->t[SG_UP]->shape[0]));
	for (size_t i = 0; i < SG_LINEARS; i++)
		if (p->t[i]) {
			b->lin[i].w = sg_part_mat(p, i);
			b->lin[i].dw = sg_part_grad(p, i);
		}
	for (int i = 0; i < SG_VECS; i++)
		if (p->t[VEC + i]) {
			struct sg_vec *v = sg_block_vec(b, i);

			v->v = sg_part_data(p, (size_t)(VEC + i));
			v->d = sg_part_grad(p, (size_t)(VEC + i));
		}
	if (p->t[HEAD]) {
		p->hook.fwd = head_fwd;
		p->hook.bwd = head_bwd;
		sg_hook_add(&m->head.hooks, &p->hook);
	}
	return 0;
}

static const struct sg_hyper hyper[] = {
	{ "ffn", "0", "hidden width of the MLP; 0: that of the base" },
	{ NULL, NULL, NULL }
};

const struct sg_graft_type sg_graft_layer = {
	.name = "layer", .brief = "a whole new block in a slot",
	.sites = 1 << SG_SITE_SLOT, .hyper = hyper, .declare = declare, .start = start, .attach = attach,
};
