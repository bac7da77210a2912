/*
 * wide: more units in an MLP, beside those of the base, with its input and its
 * activation: y += down act(up x), or down (act(gate x) * up x) where the MLP is
 * gated. gate and up [width,d] start normal with deviation 1/sqrt(d), down
 * [d,width] at zero. They become rows and columns of the MLP's own matrices.
 */
#include "graft/graft.h"
#include "base/error.h"
#include <math.h>

enum { GATE, UP, DOWN };

static size_t width_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "width");
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t w = sg_graft_int(p->g, "width");

	if (w < 1 || w > 1 << 24)
		return sg_fail(SG_E_REFUSED, "wide: width %lld is not in 1 to %d", (long long)w, 1 << 24);
	if (m->desc.gated)
		SG_TRY(sg_part_tensor(p, GATE, "gate", (size_t)w, p->at.in, false));
	SG_TRY(sg_part_tensor(p, UP, "up", (size_t)w, p->at.in, false));
	return sg_part_tensor(p, DOWN, "down", p->at.out, (size_t)w, false);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	float std = 1.0f / sqrtf((float)p->at.in);

	(void)m;
	if (p->t[GATE])
		SG_TRY(sg_part_normal(p, GATE, std, seed));
	return sg_part_normal(p, UP, std, seed);
}

/* up x, what goes into down, a gradient of it; where gated also gate x and two gradients */
static size_t scratch(const struct sg_part *p)
{
	return (p->t[GATE] ? 6 : 3) * width_of(p->g);
}

struct room { float *up, *a, *da, *gate, *dgate, *dup; };

static struct room room_of(const struct sg_part *p)
{
	size_t n = p->g->cap * width_of(p->g);
	float *s = p->scratch;

	if (!p->t[GATE])
		return (struct room){ s, s + n, s + 2 * n, NULL, NULL, s + 2 * n };
	return (struct room){ s, s + n, s + 2 * n, s + 3 * n, s + 4 * n, s + 5 * n };
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat up = sg_part_mat(p, UP), down = sg_part_mat(p, DOWN);
	size_t d = up.cols, w = up.rows;
	struct room r = room_of(p);

	(void)keep;
	SG_TRY(SG_CALL(dev, linear_fwd, r.up, x, &up, NULL, N, w, d, false));
	if (p->t[GATE]) {
		struct sg_mat gate = sg_part_mat(p, GATE);

		SG_TRY(SG_CALL(dev, linear_fwd, r.gate, x, &gate, NULL, N, w, d, false));
		SG_TRY(SG_CALL(dev, glu_fwd, r.a, r.gate, r.up, p->at.act, N * w));
	} else {
		SG_TRY(SG_CALL(dev, act_fwd, r.a, r.up, p->at.act, N * w));
	}
	return SG_CALL(dev, linear_fwd, y, r.a, &down, NULL, N, d, w, true);
}

/* Of one of the two maps that read x. */
static int bwd_in(struct sg_part *p, size_t i, float *dx, const float *du, const float *x, size_t N)
{
	struct sg_mat m = sg_part_mat(p, i);
	struct sg_device *dev = p->g->dev;

	if (sg_part_grad(p, i))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, i), NULL, du, x, N, m.rows, m.cols));
	return dx ? SG_CALL(dev, linear_dx, dx, du, &m, N, m.rows, m.cols, true) : 0;
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat down = sg_part_mat(p, DOWN);
	size_t d = down.rows, w = down.cols;
	struct room r = room_of(p);

	if (sg_part_grad(p, DOWN))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, DOWN), NULL, dy, r.a, N, d, w));
	SG_TRY(SG_CALL(dev, linear_dx, r.da, dy, &down, N, d, w, false));
	if (!p->t[GATE]) {
		SG_TRY(SG_CALL(dev, act_bwd, r.dup, r.da, r.up, p->at.act, N * w));
		return bwd_in(p, UP, dx, r.dup, x, N);
	}
	SG_TRY(SG_CALL(dev, glu_bwd, r.dgate, r.dup, r.da, r.gate, r.up, p->at.act, N * w));
	SG_TRY(bwd_in(p, GATE, dx, r.dgate, x, N));
	return bwd_in(p, UP, dx, r.dup, x, N);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return sg_part_join(p, fwd, bwd);
}

static const struct sg_tensor *wider(const struct sg_part *p, int lin)
{
	return lin == SG_GATE ? p->t[GATE] : lin == SG_UP ? p->t[UP] : lin == SG_DOWN ? p->t[DOWN] : NULL;
}

static const struct sg_hyper hyper[] = {
	{ "width", "64", "how many units more" },
	{ NULL, NULL, NULL }
};

const struct sg_graft_type sg_graft_wide = {
	.name = "wide", .brief = "more units in an MLP, with its input and activation",
	.sites = 1 << SG_SITE_MLP, .default_sites = "*.mlp",
	.hyper = hyper, .declare = declare, .start = start, .scratch = scratch, .attach = attach, .wider = wider,
};
