/*
 * ia3: learned factors for what a linear map gives or takes (Liu et al. 2022), as
 * PEFT has them. On the side of the output y += (l - 1) (W x + b), l [out]; on that
 * of the input y += W ((l - 1) x), l [in]. l starts at ones. The change is one of
 * the base's map alone: it adds to what other grafts do there.
 */
#include "graft/graft.h"
#include "base/error.h"

enum { L };

/* Does it stand on the input's side? */
static int on_input(bool *out, const struct sg_part *p)
{
	const char *side = sg_graft_str(p->g, "side");

	if (!strcmp(side, "auto"))
		*out = p->at.lin == &p->at.block->lin[SG_DOWN];
	else if (!strcmp(side, "in") || !strcmp(side, "out"))
		*out = *side == 'i';
	else
		return sg_fail(SG_E_USAGE, "ia3: side must be auto, in or out, not '%.100s'", side);
	return 0;
}

static bool input_side(const struct sg_part *p)
{
	bool in = false;

	(void)on_input(&in, p);
	return in;
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	bool in;

	(void)m;
	SG_TRY(on_input(&in, p));
	if (!p->at.lin->w.data)
		return sg_fail(SG_E_REFUSED, "ia3: '%s' has no weight of its own", p->site);
	return sg_part_tensor(p, L, "l", 0, in ? p->at.in : p->at.out, false);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	(void)seed;
	return sg_part_fill(p, L, 1.0f);
}

/* what the factors meet, and a gradient of as many numbers */
static size_t scratch(const struct sg_part *p)
{
	return 2 * (input_side(p) ? p->at.in : p->at.out);
}

static int fwd_in(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	size_t out = p->at.out, in = p->at.in;

	(void)keep;
	SG_TRY(SG_CALL(dev, colscale, p->scratch, x, sg_part_data(p, L), 1, N, in, false));
	return SG_CALL(dev, linear_fwd, y, p->scratch, &p->at.lin->w, NULL, N, out, in, true);
}

static int bwd_in(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	size_t out = p->at.out, in = p->at.in;
	float *d = p->scratch + p->g->cap * in;

	SG_TRY(SG_CALL(dev, linear_dx, d, dy, &p->at.lin->w, N, out, in, false));
	if (sg_part_grad(p, L))
		SG_TRY(SG_CALL(dev, colscale_dv, sg_part_grad(p, L), d, x, N, in));
	return dx ? SG_CALL(dev, colscale, dx, d, sg_part_data(p, L), 1, N, in, true) : 0;
}

static int fwd_out(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	const struct sg_part *p = ctx;
	const struct sg_linear *l = p->at.lin;

	(void)keep;
	if (l->hooks == &p->hook)	/* nothing was added yet: y is that already, to the bit */
		SG_TRY(SG_CALL(dev, copy, p->scratch, y, N * l->out));
	else
		SG_TRY(SG_CALL(dev, linear_fwd, p->scratch, x, &l->w, l->bias.v, N, l->out, l->in, false));
	return SG_CALL(dev, colscale, y, p->scratch, sg_part_data(p, L), 1, N, l->out, true);
}

static int bwd_out(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	size_t out = p->at.out, in = p->at.in;
	float *d = p->scratch + p->g->cap * out;

	(void)x;
	if (sg_part_grad(p, L))
		SG_TRY(SG_CALL(dev, colscale_dv, sg_part_grad(p, L), dy, p->scratch, N, out));
	if (!dx)
		return 0;
	SG_TRY(SG_CALL(dev, colscale, d, dy, sg_part_data(p, L), 1, N, out, false));
	return SG_CALL(dev, linear_dx, dx, d, &p->at.lin->w, N, out, in, true);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return input_side(p) ? sg_part_join(p, fwd_in, bwd_in) : sg_part_join(p, fwd_out, bwd_out);
}

static int delta(struct sg_part *p, float *dw)
{
	size_t out = p->at.out, in = p->at.in;
	bool cols = input_side(p);
	float *w = NULL, *l = NULL;
	int rc = sg_part_weight(&w, p);

	if (rc >= 0)
		rc = sg_graft_tensor(&l, p->g, p->t[L]);
	for (size_t i = 0; rc >= 0 && i < out; i++)
		for (size_t j = 0; j < in; j++)
			dw[i * in + j] += w[i * in + j] * (l[cols ? j : i] - 1.0f);
	free(w);
	free(l);
	return rc;
}

static int delta_bias(struct sg_part *p, float *db)
{
	float *b = NULL, *l = NULL;
	int rc;

	if (input_side(p) || !p->at.lin->bias.v || !db)
		return !input_side(p) && p->at.lin->bias.v;
	rc = sg_part_bias(&b, p);
	if (rc >= 0)
		rc = sg_graft_tensor(&l, p->g, p->t[L]);
	for (size_t i = 0; rc >= 0 && i < p->at.out; i++)
		db[i] += b[i] * (l[i] - 1.0f);
	free(b);
	free(l);
	return rc < 0 ? rc : 1;
}

static const struct sg_hyper hyper[] = {
	{ "side", "auto", "what is scaled: in, out, or auto (the input of mlp.down, else the output)" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "side=in", "side=out sites=*.attn.*,*.mlp.*", NULL };

const struct sg_graft_type sg_graft_ia3 = {
	.name = "ia3", .brief = "y *= l on linear maps, learned factors",
	.sites = 1 << SG_SITE_LINEAR, .default_sites = "*.attn.k,*.attn.v,*.mlp.down",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .scratch = scratch,
	.attach = attach, .delta = delta, .delta_bias = delta_bias,
};
