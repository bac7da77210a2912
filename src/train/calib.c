#include "train/calib.h"
#include "base/error.h"
#include "base/mem.h"

enum { ROUNDS = 4 };

struct run {
	struct sg_graft *g;
	struct sg_pass *pass;
	sg_calib_fn *next;
	void *arg;
	size_t bytes;
	const struct sg_progress *progress;
	float *loss;
};

static size_t wants(const struct sg_graft *g, size_t part, unsigned round)
{
	return g->type->listen_bytes ? g->type->listen_bytes(&g->part[part], round) : 0;
}

bool sg_calib_wanted(const struct sg_graft *g)
{
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < g->n; i++)
			if (wants(g, i, round))
				return true;
	return false;
}

static int zero_grads(const struct sg_graft *g)
{
	return SG_CALL(g->dev, zero, g->grads.data, g->grads.floats);
}

/* Every batch once. The weight only scales gradients: bases do not see it, and least squares
 * wants the gradient of the sum. */
static int all_batches(struct run *r)
{
	for (size_t i = 0; ; i++) {
		struct sg_batch *b = NULL;

		SG_TRY(r->next(&b, r->arg, i));
		if (!b)
			return 0;
		SG_TRY(sg_pass_train(r->pass, b, 1.0f, r->loss));
		if (sg_progress(r->progress, "listen", i + 1, 0, ""))
			return sg_fail(SG_E_INTERRUPTED, "stopped before the first step");
	}
}

/* First part after those that listen together from `at` on. */
static size_t group_end(const struct run *r, size_t at, unsigned round)
{
	size_t held = wants(r->g, at, round), end = at + 1;

	while (end < r->g->n && held + wants(r->g, end, round) <= r->bytes)
		held += wants(r->g, end++, round);
	return end;
}

static int listen(struct run *r, size_t at, size_t end, unsigned round)
{
	const struct sg_graft_type *t = r->g->type;
	bool any = false;
	int rc = 0;

	for (size_t i = at; rc >= 0 && i < end; i++)
		if (wants(r->g, i, round)) {
			any = true;
			rc = t->listen(&r->g->part[i], round);
		}
	if (rc >= 0 && any)
		rc = all_batches(r);
	for (size_t i = at; i < end; i++)
		if (wants(r->g, i, round)) {
			int one = t->heard(&r->g->part[i], round, rc >= 0);

			rc = rc < 0 ? rc : one;
		}
	return rc;
}

static int no_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	(void)ctx, (void)dev, (void)y, (void)x, (void)N, (void)keep;
	return 0;
}

static int no_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	(void)ctx, (void)dev, (void)dx, (void)dy, (void)x, (void)N;
	return 0;
}

/* Parts that do not listen are silent, so that what one of them made of the data does not
 * reach the others. Called twice it is as before. */
static void swap_hooks(struct sg_graft *g, struct sg_hook *other)
{
	for (size_t i = 0; i < g->n; i++) {
		struct sg_hook *h = &g->part[i].hook, old = *h;

		h->fwd = other[i].fwd;
		h->bwd = other[i].bwd;
		other[i] = old;
	}
}

int sg_calibrate(struct sg_graft *g, struct sg_pass *pass, sg_calib_fn *next, void *arg, size_t bytes,
		 const struct sg_progress *progress)
{
	struct run r = { g, pass, next, arg, bytes, progress, NULL };
	struct sg_hook *other = NULL;
	int rc = SG_NEW(r.loss, pass->cap);

	if (rc >= 0)
		rc = SG_NEW(other, g->n);
	for (size_t i = 0; rc >= 0 && i < g->n; i++)
		other[i] = (struct sg_hook){ .fwd = no_fwd, .bwd = no_bwd };
	if (rc >= 0)
		swap_hooks(g, other);
	for (unsigned round = 0; rc >= 0 && round < ROUNDS; round++)
		for (size_t at = 0, end; rc >= 0 && at < g->n; at = end) {
			end = group_end(&r, at, round);
			rc = listen(&r, at, end, round);
		}
	if (other)
		swap_hooks(g, other);
	if (rc >= 0)
		rc = zero_grads(g);
	free(other);
	free(r.loss);
	return rc;
}
