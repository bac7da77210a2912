/*
 * sparse: `count` numbers of a linear map's weight move, nothing else does. They
 * are chosen once, by size, by chance or by what training data says before the first
 * step, and stored as places and values: at [2,count] holds rows, then columns, as whole
 * numbers in order; value [count] starts at zero. Ties go to the earlier place.
 *
 * From data: G is the gradient of the summed loss by the weight over the first `calib`
 * tokens of the run, one chain over tokens, so that no bit depends on how they are cut.
 */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/places.h"
#include "kernels/kernels.h"
#include <math.h>

enum { AT, VALUE };
enum score { MAGNITUDE, RANDOM, GRADIENT, WEIGHTGRAD, SCORES };
static const char *const score_name[SCORES] = { "magnitude", "random", "gradient", "weightgrad" };

static size_t count_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "count");
}

static enum score score_of(const struct sg_graft *g)
{
	int s = 0;

	while (s < SCORES && strcmp(score_name[s], sg_graft_str(g, "score")))
		s++;
	return (enum score)s;
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t n = sg_graft_int(p->g, "count");

	(void)m;
	if (n < 1 || (size_t)n > p->at.out * p->at.in)
		return sg_fail(SG_E_REFUSED, "sparse: count %lld does not fit '%s' (1 to %zu)", (long long)n, p->site,
			       p->at.out * p->at.in);
	if (p->at.out > SG_PLACES_SIDE || p->at.in > SG_PLACES_SIDE)
		return sg_fail(SG_E_REFUSED, "sparse: '%s' is too large, at most %zu on a side", p->site, SG_PLACES_SIDE);
	if (score_of(p->g) == SCORES)
		return sg_fail(SG_E_USAGE, "sparse: score must be magnitude, random, gradient or weightgrad, not '%.100s'",
			       sg_graft_str(p->g, "score"));
	SG_TRY(sg_part_tensor(p, AT, "at", 2, (size_t)n, true));
	return sg_part_tensor(p, VALUE, "value", 0, (size_t)n, false);
}

/* What can be said before there is data; where that decides, all are equal for now. */
static int scores(float **out, struct sg_part *p, uint64_t seed)
{
	size_t n = p->at.out * p->at.in;
	uint64_t stream = sg_rng_stream(p->t[AT]->name);

	if (score_of(p->g) != MAGNITUDE) {
		SG_TRY(SG_NEW(*out, n));
		for (size_t i = 0; score_of(p->g) == RANDOM && i < n; i++)
			(*out)[i] = sg_rng_uniform(seed, stream, i);
		return 0;
	}
	SG_TRY(sg_part_weight(out, p));
	for (size_t i = 0; i < n; i++)
		(*out)[i] = fabsf((*out)[i]);
	return 0;
}

/* The part's places become the best of these scores. */
static int put_places(struct sg_part *p, const float *score)
{
	size_t n = count_of(p->g);
	float *at = NULL;
	int rc = SG_NEW(at, 2 * n);

	if (rc >= 0)
		rc = sg_places_choose(at, n, score, p->at.out, p->at.in);
	if (rc >= 0)
		rc = sg_part_put(p, AT, at);
	free(at);
	return rc;
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	float *score = NULL;
	int rc = scores(&score, p, seed);

	(void)m;
	if (rc >= 0)
		rc = put_places(p, score);
	free(score);
	return rc;
}

/* --- scores from training data --------------------------------------------------------- */

struct ear { void *grad; struct sg_hook keep; };	/* [out,in] on the device; what the hook does otherwise */

static size_t listen_bytes(const struct sg_part *p, unsigned round)
{
	return !round && score_of(p->g) >= GRADIENT ? p->at.out * p->at.in * sizeof(float) : 0;
}

static int hear_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	(void)ctx, (void)dev, (void)y, (void)x, (void)N, (void)keep;
	return 0;
}

static int hear_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct ear *e = p->own;

	(void)dx;
	return SG_CALL(dev, linear_dw, e->grad, NULL, dy, x, N, p->at.out, p->at.in);
}

static int listen(struct sg_part *p, unsigned round)
{
	struct sg_device *dev = p->g->dev;
	struct ear *e;

	(void)round;
	SG_TRY(SG_NEW(e, 1));
	p->own = e;
	e->keep = p->hook;
	SG_TRY(dev->be->alloc(dev, &e->grad, p->at.out * p->at.in * sizeof(float)));
	p->hook.fwd = hear_fwd;
	p->hook.bwd = hear_bwd;
	return SG_CALL(dev, zero, e->grad, p->at.out * p->at.in);
}

/* |G|, or |W G|; a weight that is no number would be chosen for ever, or never. */
static int choose_by_gradient(struct sg_part *p, const struct ear *e)
{
	size_t n = p->at.out * p->at.in;
	float *g = NULL, *w = NULL;
	int rc = SG_NEW(g, n);

	if (rc >= 0)
		rc = p->g->dev->be->get(p->g->dev, g, e->grad, n * sizeof(*g));
	if (rc >= 0 && score_of(p->g) == WEIGHTGRAD)
		rc = sg_part_weight(&w, p);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		g[i] = fabsf(w ? w[i] * g[i] : g[i]);
		if (!isfinite(g[i]))
			rc = sg_fail(SG_E_REFUSED, "sparse: the gradient at '%s' is no number", p->site);
	}
	if (rc >= 0)
		rc = put_places(p, g);
	free(g);
	free(w);
	return rc;
}

static int heard(struct sg_part *p, unsigned round, bool ok)
{
	struct ear *e = p->own;
	int rc = 0;

	(void)round;
	if (!e)
		return 0;
	p->hook.fwd = e->keep.fwd;
	p->hook.bwd = e->keep.bwd;
	if (ok)
		rc = choose_by_gradient(p, e);
	if (e->grad)
		p->g->dev->be->free(p->g->dev, e->grad);
	free(e);
	p->own = NULL;
	return rc;
}

/* --- running ---------------------------------------------------------------------------- */

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
	return sg_part_join(p, fwd, bwd);
}

static int delta(struct sg_part *p, float *dw)
{
	float *at = NULL, *v = NULL;
	int rc = sg_graft_tensor(&at, p->g, p->t[AT]);

	if (rc >= 0)
		rc = sg_graft_tensor(&v, p->g, p->t[VALUE]);
	if (rc >= 0)
		sg_places_add(dw, at, v, p->t[VALUE]->n, p->at.in);
	free(at);
	free(v);
	return rc;
}

static const struct sg_hyper hyper[] = {
	{ "count", "1024", "how many numbers of each map move" },
	{ "score", "magnitude", "which: magnitude (the largest), random, gradient or weightgrad (of training data)" },
	{ "calib", "4096", "tokens of training data that gradient and weightgrad see" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "score=random", "score=gradient", "score=weightgrad", NULL };

const struct sg_graft_type sg_graft_sparse = {
	.name = "sparse", .brief = "a few chosen numbers of linear maps move",
	.sites = 1 << SG_SITE_LINEAR | 1 << SG_SITE_HEAD, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .attach = attach, .delta = delta,
	.listen_bytes = listen_bytes, .listen = listen, .heard = heard,
};
