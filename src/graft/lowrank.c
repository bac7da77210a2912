/* The change s B A of a linear map, for every type that has one. */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include <math.h>

size_t sg_lowrank_rank(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "rank");
}

float sg_lowrank_scale(const struct sg_graft *g)
{
	return (float)(sg_graft_num(g, "alpha") / (double)sg_lowrank_rank(g));
}

int sg_lowrank_declare(struct sg_part *p, size_t at_a, size_t at_b)
{
	const char *type = p->g->type->name;
	int64_t r = sg_graft_int(p->g, "rank");

	if (r < 1 || (size_t)r > SG_MIN(p->at.in, p->at.out))
		return sg_fail(SG_E_REFUSED, "%s: rank %lld does not fit '%s' (1 to %zu)", type, (long long)r, p->site,
			       SG_MIN(p->at.in, p->at.out));
	if (!(sg_graft_num(p->g, "alpha") > 0))
		return sg_fail(SG_E_REFUSED, "%s: alpha must be a positive number", type);
	SG_TRY(sg_part_tensor(p, at_a, "A", (size_t)r, p->at.in, false));
	return sg_part_tensor(p, at_b, "B", p->at.out, (size_t)r, false);
}

int sg_lowrank_factors(struct sg_part *p, size_t at_a, size_t at_b, float **left, float **right, size_t *rank)
{
	*rank = sg_lowrank_rank(p->g);
	SG_TRY(sg_graft_tensor(left, p->g, p->t[at_b]));
	return sg_graft_tensor(right, p->g, p->t[at_a]);
}

int sg_lowrank_start(struct sg_part *p, size_t at, uint64_t seed)
{
	size_t n = p->t[at]->n;
	uint64_t stream = sg_rng_stream(p->t[at]->name);
	float bound = 1.0f / sqrtf((float)p->at.in), *v;
	int rc;

	SG_TRY(SG_NEW(v, n));
	for (size_t i = 0; i < n; i++)
		v[i] = (2.0f * sg_rng_uniform(seed, stream, i) - 1.0f) * bound;
	rc = sg_part_put(p, at, v);
	free(v);
	return rc;
}

int sg_lowrank_fwd(struct sg_part *p, size_t at_a, size_t at_b, float s, float *y, const float *x, float *u, size_t N)
{
	struct sg_mat a = sg_part_mat(p, at_a), b = sg_part_mat(p, at_b);
	struct sg_device *dev = p->g->dev;
	size_t r = a.rows;

	SG_TRY(SG_CALL(dev, linear_fwd, u, x, &a, NULL, N, r, a.cols, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, u, u, s, N * r));
	return SG_CALL(dev, linear_fwd, y, u, &b, NULL, N, b.rows, r, true);
}

int sg_lowrank_bwd(struct sg_part *p, size_t at_a, size_t at_b, float s, float *dx, const float *dy, const float *x,
		   float *u, float *du, size_t N)
{
	struct sg_mat a = sg_part_mat(p, at_a), b = sg_part_mat(p, at_b);
	struct sg_device *dev = p->g->dev;
	size_t r = a.rows;

	if (sg_part_grad(p, at_b))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, at_b), NULL, dy, u, N, b.rows, r));
	SG_TRY(SG_CALL(dev, linear_dx, du, dy, &b, N, b.rows, r, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, du, du, s, N * r));
	if (sg_part_grad(p, at_a))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, at_a), NULL, du, x, N, r, a.cols));
	return dx ? SG_CALL(dev, linear_dx, dx, du, &a, N, r, a.cols, true) : 0;
}

int sg_lowrank_delta(struct sg_part *p, size_t at_a, size_t at_b, float s, float *dw)
{
	size_t out = p->at.out, in = p->at.in, r = p->t[at_a]->shape[0];
	float *a = NULL, *b = NULL;
	int rc = sg_graft_tensor(&a, p->g, p->t[at_a]);

	if (rc >= 0)
		rc = sg_graft_tensor(&b, p->g, p->t[at_b]);
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
