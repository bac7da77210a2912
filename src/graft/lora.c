/*
 * lora: y += s B (A x), s = alpha / rank (Hu et al. 2021). A [rank,in] starts
 * uniform in +-1/sqrt(in) as PEFT has it, B [out,rank] starts at zero.
 */
#include "graft/graft.h"
#include "base/error.h"

enum { A, B };

static int declare(struct sg_part *p, const struct sg_model *m)
{
	(void)m;
	return sg_lowrank_declare(p, A, B);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	return sg_lowrank_start(p, A, seed);
}

/* s A x, and its gradient */
static size_t scratch(const struct sg_part *p)
{
	return 2 * sg_lowrank_rank(p->g);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;

	(void)dev;
	(void)keep;
	return sg_lowrank_fwd(p, A, B, sg_lowrank_scale(p->g), y, x, p->scratch, N);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;

	(void)dev;
	return sg_lowrank_bwd(p, A, B, sg_lowrank_scale(p->g), dx, dy, x, p->scratch,
			      p->scratch + p->g->cap * sg_lowrank_rank(p->g), N);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return sg_part_join(p, fwd, bwd);
}

static int delta(struct sg_part *p, float *dw)
{
	return sg_lowrank_delta(p, A, B, sg_lowrank_scale(p->g), dw);
}

/* Without the scale, which stands beside them (alpha). */
static int factors(struct sg_part *p, float **left, float **right, size_t *rank)
{
	return sg_lowrank_factors(p, A, B, left, right, rank);
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
