/*
 * block: a residual block behind a Transformer block, h += s down act(up h)
 * (Houlsby et al. 2019 without norm and bias). up [width,d] starts normal with
 * deviation 1/sqrt(d), down [d,width] starts at zero. The factor s is fixed, or
 * one number [1] that trains from there on; it is never zero at the start, since
 * down is.
 */
#include "graft/graft.h"
#include "base/error.h"
#include <math.h>

enum { UP, DOWN, SCALE };

static size_t width_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "width");
}

/* An activation by the name that recipes have for it. */
static int act_of(enum sg_act *out, const struct sg_graft *g)
{
	static const struct { const char *name; enum sg_act act; } known[] = {
		{ "silu", SG_ACT_SILU }, { "gelu", SG_ACT_GELU }, { "gelu_tanh", SG_ACT_GELU_TANH }, { "relu", SG_ACT_RELU },
	};
	const char *name = sg_graft_str(g, "act");

	for (size_t i = 0; i < SG_LEN(known); i++)
		if (!strcmp(known[i].name, name)) {
			*out = known[i].act;
			return 0;
		}
	return sg_fail(SG_E_USAGE, "%s: act must be silu, gelu, gelu_tanh or relu, not '%.100s'", g->type->name, name);
}

static float scale_of(const struct sg_part *p)
{
	return (float)sg_graft_num(p->g, "scale");
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t w = sg_graft_int(p->g, "width"), learned = sg_graft_int(p->g, "learn_scale");
	float s = scale_of(p);
	enum sg_act act;

	(void)m;
	if (w < 1 || w > 1 << 24)
		return sg_fail(SG_E_REFUSED, "block: width %lld is not in 1 to %d", (long long)w, 1 << 24);
	SG_TRY(act_of(&act, p->g));
	if (learned != 0 && learned != 1)
		return sg_fail(SG_E_USAGE, "block: learn_scale must be 0 or 1");
	if (!isfinite(s) || s == 0)
		return sg_fail(SG_E_REFUSED, "block: scale must not be 0: nothing could ever train");
	SG_TRY(sg_part_tensor(p, UP, "up", (size_t)w, p->at.in, false));
	SG_TRY(sg_part_tensor(p, DOWN, "down", p->at.out, (size_t)w, false));
	return learned ? sg_part_tensor(p, SCALE, "scale", 0, 1, false) : 0;
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	if (p->t[SCALE])
		SG_TRY(sg_part_fill(p, SCALE, scale_of(p)));
	return sg_part_normal(p, UP, 1.0f / sqrtf((float)p->at.in), seed);
}

/* the input (the state is changed in place), up x, act of it, its scaled form and a gradient */
static size_t scratch(const struct sg_part *p)
{
	return p->at.in + 4 * width_of(p->g);
}

/* Pieces of the scratch. */
struct room { float *h, *u, *a, *s, *da; };

static struct room room_of(const struct sg_part *p)
{
	size_t cap = p->g->cap, d = p->at.in, w = width_of(p->g);
	float *at = p->scratch;

	return (struct room){ at, at + cap * d, at + cap * (d + w), at + cap * (d + 2 * w), at + cap * (d + 3 * w) };
}

/* y = s x */
static int times_scale(struct sg_part *p, struct sg_device *dev, float *y, const float *x, size_t n)
{
	if (p->t[SCALE])
		return SG_CALL(dev, colscale, y, x, sg_part_data(p, SCALE), 0, n, 1, false);
	return SG_CALL(dev, scale, y, x, scale_of(p), n);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat up = sg_part_mat(p, UP), down = sg_part_mat(p, DOWN);
	size_t d = up.cols, w = up.rows;
	struct room r = room_of(p);
	enum sg_act act;

	SG_TRY(act_of(&act, p->g));
	if (keep)
		SG_TRY(SG_CALL(dev, copy, r.h, x, N * d));
	SG_TRY(SG_CALL(dev, linear_fwd, r.u, x, &up, NULL, N, w, d, false));
	SG_TRY(SG_CALL(dev, act_fwd, r.a, r.u, act, N * w));
	SG_TRY(times_scale(p, dev, r.s, r.a, N * w));
	return SG_CALL(dev, linear_fwd, y, r.s, &down, NULL, N, d, w, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat up = sg_part_mat(p, UP), down = sg_part_mat(p, DOWN);
	size_t d = up.cols, w = up.rows;
	struct room r = room_of(p);
	enum sg_act act;

	(void)x;
	SG_TRY(act_of(&act, p->g));
	if (sg_part_grad(p, DOWN))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, DOWN), NULL, dy, r.s, N, d, w));
	SG_TRY(SG_CALL(dev, linear_dx, r.da, dy, &down, N, d, w, false));
	if (p->t[SCALE] && sg_part_grad(p, SCALE))
		SG_TRY(SG_CALL(dev, colscale_dv, sg_part_grad(p, SCALE), r.da, r.a, N * w, 1));
	SG_TRY(times_scale(p, dev, r.da, r.da, N * w));
	SG_TRY(SG_CALL(dev, act_bwd, r.da, r.da, r.u, act, N * w));
	if (sg_part_grad(p, UP))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, UP), NULL, r.da, r.h, N, w, d));
	return dx ? SG_CALL(dev, linear_dx, dx, r.da, &up, N, w, d, true) : 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return sg_part_join(p, fwd, bwd);
}

static const struct sg_hyper hyper[] = {
	{ "width", "64", "hidden width" },
	{ "act", "silu", "activation: silu, gelu, gelu_tanh or relu" },
	{ "scale", "1", "factor of the change" },
	{ "learn_scale", "0", "1: the factor trains too, one number for each site" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "act=gelu learn_scale=1", "act=gelu_tanh scale=0.5", NULL };

const struct sg_graft_type sg_graft_block = {
	.name = "block", .brief = "h += s down act(up h) behind a block",
	.sites = 1 << SG_SITE_HIDDEN, .default_sites = "*.out",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .scratch = scratch, .attach = attach,
};
