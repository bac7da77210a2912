/*
 * lora: y += s B (A x), s = alpha / rank (Hu et al. 2021). A [rank,in] starts
 * uniform in +-1/sqrt(in) as PEFT has it, B [out,rank] starts at zero.
 */
#include "graft/graft.h"
#include "base/error.h"

enum { A, B };

static size_t rank_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "rank");
}

static float scale_of(const struct sg_graft *g)
{
	return (float)(sg_graft_num(g, "alpha") / (double)rank_of(g));
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t r = sg_graft_int(p->g, "rank");

	(void)m;
	if (r < 1 || (size_t)r > SG_MIN(p->at.in, p->at.out))
		return sg_fail(SG_E_REFUSED, "lora: rank %lld does not fit '%s' (1 to %zu)", (long long)r, p->site,
			       SG_MIN(p->at.in, p->at.out));
	if (!(sg_graft_num(p->g, "alpha") > 0))
		return sg_fail(SG_E_REFUSED, "lora: alpha must be a positive number");
	SG_TRY(sg_part_tensor(p, A, "A", (size_t)r, p->at.in, false));
	return sg_part_tensor(p, B, "B", p->at.out, (size_t)r, false);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	return sg_lowrank_start(p, A, seed);
}

/* s A x, and its gradient */
static size_t scratch(const struct sg_part *p)
{
	return 2 * rank_of(p->g);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;

	(void)dev;
	(void)keep;
	return sg_lowrank_fwd(p, A, B, scale_of(p->g), y, x, p->scratch, N);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;

	(void)dev;
	return sg_lowrank_bwd(p, A, B, scale_of(p->g), dx, dy, x, p->scratch, p->scratch + p->g->cap * rank_of(p->g), N);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	p->hook.fwd = fwd;
	p->hook.bwd = bwd;
	sg_hook_add(&p->at.lin->hooks, &p->hook);
	return 0;
}

static int delta(struct sg_part *p, float *dw)
{
	return sg_lowrank_delta(p, A, B, scale_of(p->g), dw);
}

/* Without the scale, which stands beside them (alpha). */
static int factors(struct sg_part *p, float **left, float **right, size_t *rank)
{
	*rank = rank_of(p->g);
	SG_TRY(sg_graft_tensor(left, p->g, p->t[B]));
	return sg_graft_tensor(right, p->g, p->t[A]);
}

static const struct sg_hyper hyper[] = {
	{ "rank", "8", "rank of the change" },
	{ "alpha", "8", "scale: the change is multiplied by alpha / rank" },
	{ NULL, NULL, NULL }
};

const struct sg_graft_type sg_graft_lora = {
	.name = "lora", .brief = "y += s B (A x) on linear maps",
	.sites = 1 << SG_SITE_LINEAR | 1 << SG_SITE_HEAD, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .declare = declare, .start = start, .scratch = scratch,
	.attach = attach, .delta = delta, .factors = factors,
};
