/*
 * head: a change of the map to logits alone, y += W x (rank 0) or y += B (A x). W
 * and B start at zero, A as that of lora. No gradient goes below the head where
 * nothing else trains, so a step costs a forward pass. A tied head parts from the
 * embedding, which stays.
 */
#include "graft/graft.h"
#include "base/error.h"

enum { A, B, W = A };

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t r = sg_graft_int(p->g, "rank");

	(void)m;
	if (r < 0 || (size_t)r > SG_MIN(p->at.in, p->at.out))
		return sg_fail(SG_E_REFUSED, "head: rank %lld does not fit (0, for a whole matrix, to %zu)", (long long)r,
			       SG_MIN(p->at.in, p->at.out));
	if (!r)
		return sg_part_tensor(p, W, "W", p->at.out, p->at.in, false);
	SG_TRY(sg_part_tensor(p, A, "A", (size_t)r, p->at.in, false));
	return sg_part_tensor(p, B, "B", p->at.out, (size_t)r, false);
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	(void)m;
	return sg_lowrank_rank(p->g) ? sg_lowrank_start(p, A, seed) : sg_part_fill(p, W, 0);
}

static size_t scratch(const struct sg_part *p)
{
	return 2 * sg_lowrank_rank(p->g);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat w = sg_part_mat(p, W);

	(void)keep;
	if (sg_lowrank_rank(p->g))
		return sg_lowrank_fwd(p, A, B, 1, y, x, p->scratch, N);
	return SG_CALL(dev, linear_fwd, y, x, &w, NULL, N, w.rows, w.cols, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat w = sg_part_mat(p, W);

	if (sg_lowrank_rank(p->g))
		return sg_lowrank_bwd(p, A, B, 1, dx, dy, x, p->scratch, p->scratch + p->g->cap * sg_lowrank_rank(p->g), N);
	if (sg_part_grad(p, W))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, W), NULL, dy, x, N, w.rows, w.cols));
	return dx ? SG_CALL(dev, linear_dx, dx, dy, &w, N, w.rows, w.cols, true) : 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return sg_part_join(p, fwd, bwd);
}

static int delta(struct sg_part *p, float *dw)
{
	return sg_lowrank_rank(p->g) ? sg_lowrank_delta(p, A, B, 1, dw) : sg_graft_tensor_add(dw, p->g, p->t[W]);
}

static int factors(struct sg_part *p, float **left, float **right, size_t *rank)
{
	if (!sg_lowrank_rank(p->g))
		return sg_fail(SG_E_REFUSED, "head: a whole matrix has no factors");
	return sg_lowrank_factors(p, A, B, left, right, rank);
}

static const struct sg_hyper hyper[] = {
	{ "rank", "0", "rank of the change; 0: a whole matrix" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "rank=0", NULL };

const struct sg_graft_type sg_graft_head = {
	.name = "head", .brief = "y += W x or B (A x) on the map to logits",
	.sites = 1 << SG_SITE_HEAD, .default_sites = "head",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .scratch = scratch,
	.attach = attach, .delta = delta, .factors = factors,
};
