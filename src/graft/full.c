/*
 * full: y += D x, all of a linear map free to move, and its bias where it has one
 * and bias=1. The control for what a smaller change is worth. D starts at zero.
 */
#include "graft/graft.h"
#include "base/error.h"

enum { D, BIAS };

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t bias = sg_graft_int(p->g, "bias");

	(void)m;
	if (bias != 0 && bias != 1)
		return sg_fail(SG_E_USAGE, "full: bias must be 0 or 1");
	SG_TRY(sg_part_tensor(p, D, "D", p->at.out, p->at.in, false));
	return bias && p->at.lin->bias.v ? sg_part_tensor(p, BIAS, "bias", 0, p->at.out, false) : 0;
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	(void)seed;
	return sg_part_fill(p, D, 0);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat d = sg_part_mat(p, D);

	(void)keep;
	return SG_CALL(dev, linear_fwd, y, x, &d, p->t[BIAS] ? sg_part_data(p, BIAS) : NULL, N, d.rows, d.cols, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat d = sg_part_mat(p, D);

	if (sg_part_grad(p, D))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, D), p->t[BIAS] ? sg_part_grad(p, BIAS) : NULL, dy, x, N,
			       d.rows, d.cols));
	return dx ? SG_CALL(dev, linear_dx, dx, dy, &d, N, d.rows, d.cols, true) : 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return sg_part_join(p, fwd, bwd);
}

static int delta(struct sg_part *p, float *dw)
{
	return sg_graft_tensor_add(dw, p->g, p->t[D]);
}

static int delta_bias(struct sg_part *p, float *db)
{
	if (p->t[BIAS] && db)
		SG_TRY(sg_graft_tensor_add(db, p->g, p->t[BIAS]));
	return p->t[BIAS] != NULL;
}

static const struct sg_hyper hyper[] = {
	{ "bias", "0", "1: the bias of a map that has one trains too" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "bias=1", NULL };

const struct sg_graft_type sg_graft_full = {
	.name = "full", .brief = "y += D x on linear maps, every weight free",
	.sites = 1 << SG_SITE_LINEAR | 1 << SG_SITE_HEAD, .default_sites = "*.mlp.down",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .attach = attach,
	.delta = delta, .delta_bias = delta_bias,
};
