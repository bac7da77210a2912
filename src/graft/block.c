/*
 * block: a residual block behind a Transformer block, h += s down act(up h)
 * (Houlsby et al. 2019 without norm and bias). up [width,d] starts normal with
 * deviation 1/sqrt(d), down [d,width] starts at zero.
 */
#include "graft/graft.h"
#include "base/error.h"
#include <math.h>

enum { UP, DOWN };

static size_t width_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "width");
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t w = sg_graft_int(p->g, "width");
	const char *act = sg_graft_str(p->g, "act");

	(void)m;
	if (w < 1 || w > 1 << 24)
		return sg_fail(SG_E_REFUSED, "block: width %lld is not in 1 to %d", (long long)w, 1 << 24);
	if (strcmp(act, "silu"))
		return sg_fail(SG_E_USAGE, "block: act must be silu, not '%s'", act);
	SG_TRY(sg_part_tensor(p, UP, "up", (size_t)w, p->at.in, false));
	return sg_part_tensor(p, DOWN, "down", p->at.out, (size_t)w, false);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	return sg_part_normal(p, UP, 1.0f / sqrtf((float)p->at.in), seed);
}

/* the input (the state is changed in place), up x, act of it, and a gradient */
static size_t scratch(const struct sg_part *p)
{
	return p->at.in + 3 * width_of(p->g);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat up = sg_part_mat(p, UP), down = sg_part_mat(p, DOWN);
	size_t cap = p->g->cap, d = up.cols, w = up.rows;
	float *h = p->scratch, *u = h + cap * d, *a = u + cap * w, s = (float)sg_graft_num(p->g, "scale");

	if (keep)
		SG_TRY(SG_CALL(dev, copy, h, x, N * d));
	SG_TRY(SG_CALL(dev, linear_fwd, u, x, &up, NULL, N, w, d, false));
	SG_TRY(SG_CALL(dev, act_fwd, a, u, SG_ACT_SILU, N * w));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, a, a, s, N * w));
	return SG_CALL(dev, linear_fwd, y, a, &down, NULL, N, d, w, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat up = sg_part_mat(p, UP), down = sg_part_mat(p, DOWN);
	size_t cap = p->g->cap, d = up.cols, w = up.rows;
	float *h = p->scratch, *u = h + cap * d, *a = u + cap * w, *da = a + cap * w;
	float s = (float)sg_graft_num(p->g, "scale");

	(void)x;
	if (sg_part_grad(p, DOWN))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, DOWN), NULL, dy, a, N, d, w));
	SG_TRY(SG_CALL(dev, linear_dx, da, dy, &down, N, d, w, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, da, da, s, N * w));
	SG_TRY(SG_CALL(dev, act_bwd, da, da, u, SG_ACT_SILU, N * w));
	if (sg_part_grad(p, UP))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, UP), NULL, da, h, N, w, d));
	return dx ? SG_CALL(dev, linear_dx, dx, da, &up, N, w, d, true) : 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	p->hook.fwd = fwd;
	p->hook.bwd = bwd;
	sg_hook_add(&p->at.block->out, &p->hook);
	return 0;
}

static const struct sg_hyper hyper[] = {
	{ "width", "64", "hidden width" },
	{ "act", "silu", "activation" },
	{ "scale", "1", "factor of the change" },
	{ NULL, NULL, NULL }
};

const struct sg_graft_type sg_graft_block = {
	.name = "block", .brief = "h += down silu(up h) behind a block",
	.sites = 1 << SG_SITE_HIDDEN, .default_sites = "*.out",
	.hyper = hyper, .declare = declare, .start = start, .scratch = scratch, .attach = attach,
};
