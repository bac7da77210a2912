/*
 * dora: direction and length apart (Liu et al. 2024), as PEFT has it. With
 * V = W + s B A and n its rows' norms, the map becomes m V / n, so
 *   y += (m / n - 1) (W x) + m / n s B (A x),     s = alpha / rank.
 * A [rank,in] and B [out,rank] start as those of lora, m [out] at the norms of W.
 * A step takes n as constant: no gradient goes through it. The norms come from
 * |w|^2, A W^T and A A^T: V itself is never made.
 */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

enum { A, B, M };

static int declare(struct sg_part *p, const struct sg_model *m)
{
	(void)m;
	if (!p->at.lin->w.data)
		return sg_fail(SG_E_REFUSED, "dora: '%s' has no weight of its own", p->site);
	SG_TRY(sg_lowrank_declare(p, A, B));
	return sg_part_tensor(p, M, "m", 0, p->at.out, false);
}

/* |w|^2, m / n, 1 / n, A W^T, A A^T */
static size_t fixed(const struct sg_part *p)
{
	size_t r = sg_lowrank_rank(p->g);

	return (3 + r) * p->at.out + r * r;
}

struct norms { float *w2, *gain, *inv, *wa, *aa; };

static struct norms norms_of(const struct sg_part *p)
{
	size_t out = p->at.out;
	float *f = p->fixed;

	return (struct norms){ f, f + out, f + 2 * out, f + 3 * out, f + (3 + sg_lowrank_rank(p->g)) * out };
}

/* Squared norms of the rows of W, once. */
static int weigh(struct sg_part *p)
{
	size_t out = p->at.out, in = p->at.in;
	float *w = NULL, *w2 = NULL;
	int rc = sg_part_weight(&w, p);

	if (rc >= 0)
		rc = SG_NEW(w2, out);
	for (size_t i = 0; rc >= 0 && i < out; i++) {
		double sum = 0;

		for (size_t j = 0; j < in; j++)
			sum += (double)w[i * in + j] * (double)w[i * in + j];
		w2[i] = (float)sum;
	}
	if (rc >= 0)
		rc = p->g->dev->be->put(p->g->dev, norms_of(p).w2, w2, out * sizeof(*w2));
	free(w);
	free(w2);
	return rc;
}

/* Norms and gains of the parameters as they are. */
static int refresh(struct sg_part *p)
{
	struct sg_mat a = sg_part_mat(p, A);
	struct sg_device *dev = p->g->dev;
	struct norms n = norms_of(p);
	size_t out = p->at.out, r = a.rows;

	if (!p->g->hold) {
		SG_TRY(SG_CALL(dev, linear_fwd, n.wa, a.data, &p->at.lin->w, NULL, r, out, a.cols, false));
		SG_TRY(SG_CALL(dev, linear_fwd, n.aa, a.data, &a, NULL, r, r, a.cols, false));
	}
	p->final = !p->g->trains && *p->g->id;
	return SG_CALL(dev, norm_gain, n.gain, n.inv, sg_part_data(p, M), n.w2, p->g->hold ? NULL : n.wa, n.aa,
		       sg_part_data(p, B), sg_lowrank_scale(p->g), out, r);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	float *w2 = NULL;
	int rc;

	(void)m;
	SG_TRY(sg_lowrank_start(p, A, seed));
	SG_TRY(weigh(p));
	SG_TRY(SG_NEW(w2, p->at.out));
	rc = p->g->dev->be->get(p->g->dev, w2, norms_of(p).w2, p->at.out * sizeof(*w2));
	for (size_t i = 0; rc >= 0 && i < p->at.out; i++)
		w2[i] = sqrtf(SG_MAX(w2[i], 1e-30f));	/* the least that the norms are taken for */
	if (rc >= 0)
		rc = sg_part_put(p, M, w2);
	free(w2);
	return rc;
}

/* s A x and its gradient; W x, B of the first, a gradient */
static size_t scratch(const struct sg_part *p)
{
	return 2 * sg_lowrank_rank(p->g) + 3 * p->at.out;
}

struct room { float *u, *du, *base, *v, *t; };

static struct room room_of(const struct sg_part *p)
{
	size_t cap = p->g->cap, r = sg_lowrank_rank(p->g), out = p->at.out;
	float *s = p->scratch;

	return (struct room){ s, s + cap * r, s + cap * 2 * r, s + cap * (2 * r + out), s + cap * (2 * r + 2 * out) };
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	const struct sg_linear *l = p->at.lin;
	struct room r = room_of(p);

	(void)keep;
	if (!p->final)
		SG_TRY(refresh(p));
	if (l->hooks == &p->hook && !l->bias.v)	/* nothing was added yet: y is W x, to the bit */
		SG_TRY(SG_CALL(dev, copy, r.base, y, N * l->out));
	else
		SG_TRY(SG_CALL(dev, linear_fwd, r.base, x, &l->w, NULL, N, l->out, l->in, false));
	SG_TRY(SG_CALL(dev, zero, r.v, N * l->out));
	SG_TRY(sg_lowrank_fwd(p, A, B, sg_lowrank_scale(p->g), r.v, x, r.u, N));
	SG_TRY(SG_CALL(dev, colscale, y, r.base, norms_of(p).gain, 1, N, l->out, true));
	return SG_CALL(dev, colscale, y, r.v, norms_of(p).gain, 0, N, l->out, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	const struct sg_linear *l = p->at.lin;
	struct norms n = norms_of(p);
	struct room r = room_of(p);

	if (sg_part_grad(p, M)) {
		SG_TRY(SG_CALL(dev, add, r.base, r.v, N * l->out));
		SG_TRY(SG_CALL(dev, colscale, r.t, dy, n.inv, 0, N, l->out, false));
		SG_TRY(SG_CALL(dev, colscale_dv, sg_part_grad(p, M), r.t, r.base, N, l->out));
	}
	SG_TRY(SG_CALL(dev, colscale, r.t, dy, n.gain, 0, N, l->out, false));
	SG_TRY(sg_lowrank_bwd(p, A, B, sg_lowrank_scale(p->g), dx, r.t, x, r.u, r.du, N));
	if (!dx)
		return 0;
	SG_TRY(SG_CALL(dev, colscale, r.t, dy, n.gain, 1, N, l->out, false));
	return SG_CALL(dev, linear_dx, dx, r.t, &l->w, N, l->out, l->in, true);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	SG_TRY(weigh(p));
	return sg_part_join(p, fwd, bwd);
}

static int delta(struct sg_part *p, float *dw)
{
	size_t out = p->at.out, in = p->at.in;
	float *w = NULL, *gain = NULL, *ba = NULL;
	int rc = refresh(p);

	if (rc >= 0)
		rc = sg_part_weight(&w, p);
	if (rc >= 0)
		rc = SG_NEW(gain, out);
	if (rc >= 0)
		rc = SG_NEW(ba, out * in);
	if (rc >= 0)
		rc = p->g->dev->be->get(p->g->dev, gain, norms_of(p).gain, out * sizeof(*gain));
	if (rc >= 0)
		rc = sg_lowrank_delta(p, A, B, sg_lowrank_scale(p->g), ba);
	for (size_t i = 0; rc >= 0 && i < out * in; i++)
		dw[i] += fmaf(gain[i / in] - 1.0f, w[i], gain[i / in] * ba[i]);
	free(w);
	free(gain);
	free(ba);
	return rc;
}

static const struct sg_hyper hyper[] = {
	{ "rank", "8", "rank of the change of direction" },
	{ "alpha", "8", "scale: that change is multiplied by alpha / rank" },
	{ NULL, NULL, NULL }
};

const struct sg_graft_type sg_graft_dora = {
	.name = "dora", .brief = "rows of W + s B A of learned length on linear maps",
	.sites = 1 << SG_SITE_LINEAR, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .declare = declare, .start = start, .scratch = scratch, .fixed = fixed,
	.attach = attach, .delta = delta,
};
