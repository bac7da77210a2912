/*
 * sparse: `count` numbers of a linear map's weight move, nothing else does. They
 * are chosen once, by size or by chance, and stored as places and values: at
 * [2,count] holds rows, then columns, as whole numbers in order; value [count]
 * starts at zero. Ties go to the earlier place.
 */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/places.h"
#include <math.h>

enum { AT, VALUE };

static size_t count_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "count");
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t n = sg_graft_int(p->g, "count");
	const char *score = sg_graft_str(p->g, "score");

	(void)m;
	if (n < 1 || (size_t)n > p->at.out * p->at.in)
		return sg_fail(SG_E_REFUSED, "sparse: count %lld does not fit '%s' (1 to %zu)", (long long)n, p->site,
			       p->at.out * p->at.in);
	if (p->at.out > SG_PLACES_SIDE || p->at.in > SG_PLACES_SIDE)
		return sg_fail(SG_E_REFUSED, "sparse: '%s' is too large, at most %zu on a side", p->site, SG_PLACES_SIDE);
	if (strcmp(score, "magnitude") && strcmp(score, "random"))
		return sg_fail(SG_E_USAGE, "sparse: score must be magnitude or random, not '%.100s'", score);
	SG_TRY(sg_part_tensor(p, AT, "at", 2, (size_t)n, true));
	return sg_part_tensor(p, VALUE, "value", 0, (size_t)n, false);
}

static int scores(float **out, struct sg_part *p, uint64_t seed)
{
	size_t n = p->at.out * p->at.in;
	uint64_t stream = sg_rng_stream(p->t[AT]->name);

	if (!strcmp(sg_graft_str(p->g, "score"), "random")) {
		SG_TRY(SG_NEW(*out, n));
		for (size_t i = 0; i < n; i++)
			(*out)[i] = sg_rng_uniform(seed, stream, i);
		return 0;
	}
	SG_TRY(sg_part_weight(out, p));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = fabsf((*out)[i]);
	return 0;
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	size_t n = count_of(p->g);
	float *score = NULL, *at = NULL;
	int rc = scores(&score, p, seed);

	(void)m;
	if (rc >= 0)
		rc = SG_NEW(at, 2 * n);
	if (rc >= 0)
		rc = sg_places_choose(at, n, score, p->at.out, p->at.in);
	if (rc >= 0)
		rc = sg_part_put(p, AT, at);
	free(score);
	free(at);
	return rc;
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;

	(void)keep;
	return SG_CALL(dev, coo_fwd, y, x, sg_part_data(p, AT), sg_part_data(p, VALUE), N, p->at.out, p->at.in, p->t[VALUE]->n);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	size_t n = p->t[VALUE]->n;

	if (sg_part_grad(p, VALUE))
		SG_TRY(SG_CALL(dev, coo_dv, sg_part_grad(p, VALUE), dy, x, sg_part_data(p, AT), N, p->at.out, p->at.in, n));
	if (!dx)
		return 0;
	return SG_CALL(dev, coo_dx, dx, dy, sg_part_data(p, AT), sg_part_data(p, VALUE), N, p->at.out, p->at.in, n);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	float *at;
	int rc;

	(void)m;
	SG_TRY(sg_graft_tensor(&at, p->g, p->t[AT]));
	rc = sg_places_check(at, p->t[VALUE]->n, p->at.out, p->at.in, p->site);
	free(at);
	SG_TRY(rc);
	p->hook.fwd = fwd;
	p->hook.bwd = bwd;
	sg_hook_add(&p->at.lin->hooks, &p->hook);
	return 0;
}

static int delta(struct sg_part *p, float *dw)
{
	size_t n = p->t[VALUE]->n;
	float *at = NULL, *v = NULL;
	int rc = sg_graft_tensor(&at, p->g, p->t[AT]);

	if (rc >= 0)
		rc = sg_graft_tensor(&v, p->g, p->t[VALUE]);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		dw[(size_t)at[i] * p->at.in + (size_t)at[n + i]] += v[i];
	free(at);
	free(v);
	return rc;
}

static const struct sg_hyper hyper[] = {
	{ "count", "1024", "how many numbers of each map move" },
	{ "score", "magnitude", "which: magnitude (the largest) or random" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "score=random", NULL };

const struct sg_graft_type sg_graft_sparse = {
	.name = "sparse", .brief = "a few chosen numbers of linear maps move",
	.sites = 1 << SG_SITE_LINEAR | 1 << SG_SITE_HEAD, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .attach = attach, .delta = delta,
};
