/*
 * lora: y += s B (A x), s = alpha / rank (Hu et al. 2021). A [rank,in] starts
 * uniform in +-1/sqrt(in) as PEFT has it, B [out,rank] starts at zero.
 */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>

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
	size_t n = p->t[A]->n;
	uint64_t stream = sg_rng_stream(p->t[A]->name);
	float bound = 1.0f / sqrtf((float)p->at.in), *v;
	int rc;

	(void)m;
	SG_TRY(SG_NEW(v, n));
	for (size_t i = 0; i < n; i++)
		v[i] = (2.0f * sg_rng_uniform(seed, stream, i) - 1.0f) * bound;
	rc = sg_part_put(p, A, v);
	free(v);
	return rc;
}

/* s A x, and its gradient */
static size_t scratch(const struct sg_part *p)
{
	return 2 * rank_of(p->g);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat a = sg_part_mat(p, A), b = sg_part_mat(p, B);
	size_t r = a.rows;
	float s = scale_of(p->g);

	(void)keep;
	SG_TRY(SG_CALL(dev, linear_fwd, p->scratch, x, &a, NULL, N, r, a.cols, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, p->scratch, p->scratch, s, N * r));
	return SG_CALL(dev, linear_fwd, y, p->scratch, &b, NULL, N, b.rows, r, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat a = sg_part_mat(p, A), b = sg_part_mat(p, B);
	size_t r = a.rows;
	float s = scale_of(p->g), *ds = p->scratch + p->g->cap * r;

	if (sg_part_grad(p, B))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, B), NULL, dy, p->scratch, N, b.rows, r));
	SG_TRY(SG_CALL(dev, linear_dx, ds, dy, &b, N, b.rows, r, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, ds, ds, s, N * r));
	if (sg_part_grad(p, A))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, A), NULL, ds, x, N, r, a.cols));
	return dx ? SG_CALL(dev, linear_dx, dx, ds, &a, N, r, a.cols, true) : 0;
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
	size_t out = p->at.out, in = p->at.in, r = rank_of(p->g);
	float s = scale_of(p->g), *a = NULL, *b = NULL;
	int rc = sg_graft_tensor(&a, p->g, p->t[A]);

	if (rc >= 0)
		rc = sg_graft_tensor(&b, p->g, p->t[B]);
	for (size_t i = 0; rc >= 0 && i < out; i++)
		for (size_t k = 0; k < r; k++) {
			float c = s * b[i * r + k];

			for (size_t j = 0; j < in; j++)
				dw[i * in + j] = fmaf(c, a[k * in + j], dw[i * in + j]);
		}
	free(a);
	free(b);
	return rc;
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
