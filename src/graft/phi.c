/*
 * phi: the change of a linear map is A Phi B, y += s A (Phi (B x)). A [out,rank]
 * and B [rank,in] are frozen bases, orthonormal, random or singular vectors of
 * the weight; A carries the factor sqrt(out / rank), so that a step on Phi moves
 * outputs alike whatever the width. Phi [rank,rank] starts at zero and is all
 * that trains. The bases are part of the payload: nothing is recomputed on load.
 */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/basis.h"
#include <math.h>

enum { A, PHI, B };

static size_t rank_of(const struct sg_graft *g)
{
	return (size_t)sg_graft_int(g, "rank");
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t r = sg_graft_int(p->g, "rank");
	const char *basis = sg_graft_str(p->g, "basis");

	(void)m;
	if (r < 1 || (size_t)r > SG_MIN(p->at.in, p->at.out))
		return sg_fail(SG_E_REFUSED, "phi: rank %lld does not fit '%s' (1 to %zu)", (long long)r, p->site,
			       SG_MIN(p->at.in, p->at.out));
	if (strcmp(basis, "random") && strcmp(basis, "svd"))
		return sg_fail(SG_E_USAGE, "phi: basis must be random or svd, not '%s'", basis);
	SG_TRY(sg_part_tensor(p, A, "A", p->at.out, (size_t)r, true));
	SG_TRY(sg_part_tensor(p, PHI, "Phi", (size_t)r, (size_t)r, false));
	return sg_part_tensor(p, B, "B", (size_t)r, p->at.in, true);
}

/* The weight that the basis describes, in host memory. */
static int host_weight(struct sg_mat *out, void **own, const struct sg_part *p)
{
	const struct sg_mat *w = &p->at.lin->w;
	size_t bytes = sg_mat_bytes(w);

	if (!w->data)
		return sg_fail(SG_E_REFUSED, "phi: '%s' has no weight of its own to take a basis from", p->site);
	SG_TRY((*own = sg_calloc(bytes, 1)) ? 0 : -SG_E_NOMEM);
	*out = (struct sg_mat){ .data = *own, .dtype = w->dtype, .rows = w->rows, .cols = w->cols };
	if (w->ld || w->pair) {		/* a view of host memory */
		sg_mat_pack(*own, w);
		return 0;
	}
	return p->g->dev->be->get(p->g->dev, *own, w->data, bytes);
}

static int make_basis(struct sg_part *p, float *u, float *v, size_t r, uint64_t seed)
{
	uint64_t stream = sg_rng_stream(p->t[PHI]->name);
	struct sg_mat w;
	void *own = NULL;
	int rc;

	if (!strcmp(sg_graft_str(p->g, "basis"), "random"))
		return sg_basis_random(u, v, p->at.out, p->at.in, r, seed, stream);
	rc = host_weight(&w, &own, p);
	if (rc >= 0)
		rc = sg_basis_svd(u, v, &w, r, seed, stream);
	free(own);
	return rc;
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	size_t r = rank_of(p->g);
	float *u = NULL, *v = NULL, gain = sqrtf((float)p->at.out / (float)r);
	int rc = SG_NEW(u, p->t[A]->n);

	(void)m;
	if (rc >= 0)
		rc = SG_NEW(v, p->t[B]->n);
	if (rc >= 0)
		rc = make_basis(p, u, v, r, seed);
	for (size_t i = 0; rc >= 0 && i < p->t[A]->n; i++)
		u[i] *= gain;
	if (rc >= 0)
		rc = sg_part_put(p, A, u);
	if (rc >= 0)
		rc = sg_part_put(p, B, v);
	free(u);
	free(v);
	return rc;
}

/* B x, Phi B x, and the gradients of both */
static size_t scratch(const struct sg_part *p)
{
	return 4 * rank_of(p->g);
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_mat a = sg_part_mat(p, A), phi = sg_part_mat(p, PHI), b = sg_part_mat(p, B);
	size_t r = phi.rows;
	float *t = p->scratch, *u = t + p->g->cap * r, s = (float)sg_graft_num(p->g, "scale");

	(void)keep;
	SG_TRY(SG_CALL(dev, linear_fwd, t, x, &b, NULL, N, r, b.cols, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, t, t, s, N * r));
	SG_TRY(SG_CALL(dev, linear_fwd, u, t, &phi, NULL, N, r, r, false));
	return SG_CALL(dev, linear_fwd, y, u, &a, NULL, N, a.rows, r, true);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_mat a = sg_part_mat(p, A), phi = sg_part_mat(p, PHI), b = sg_part_mat(p, B);
	size_t r = phi.rows, step = p->g->cap * r;
	float *t = p->scratch, *du = t + 2 * step, *dt = t + 3 * step, s = (float)sg_graft_num(p->g, "scale");

	(void)x;
	SG_TRY(SG_CALL(dev, linear_dx, du, dy, &a, N, a.rows, r, false));
	if (sg_part_grad(p, PHI))
		SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, PHI), NULL, du, t, N, r, r));
	if (!dx)
		return 0;
	SG_TRY(SG_CALL(dev, linear_dx, dt, du, &phi, N, r, r, false));
	if (s != 1.0f)
		SG_TRY(SG_CALL(dev, scale, dt, dt, s, N * r));
	return SG_CALL(dev, linear_dx, dx, dt, &b, N, r, b.cols, true);
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	p->hook.fwd = fwd;
	p->hook.bwd = bwd;
	sg_hook_add(&p->at.lin->hooks, &p->hook);
	return 0;
}

/* c [n,m] += s a [n,k] b [k,m], each element one fma chain over k */
static void mul_add(float *c, const float *a, const float *b, float s, size_t n, size_t k, size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t l = 0; l < k; l++) {
			float f = s * a[i * k + l];

			for (size_t j = 0; j < m; j++)
				c[i * m + j] = fmaf(f, b[l * m + j], c[i * m + j]);
		}
}

static int delta(struct sg_part *p, float *dw)
{
	size_t r = rank_of(p->g);
	float *a = NULL, *phi = NULL, *b = NULL, *aphi = NULL;
	int rc = SG_NEW(aphi, p->at.out * r);

	if (rc >= 0)
		rc = sg_graft_tensor(&a, p->g, p->t[A]);
	if (rc >= 0)
		rc = sg_graft_tensor(&phi, p->g, p->t[PHI]);
	if (rc >= 0)
		rc = sg_graft_tensor(&b, p->g, p->t[B]);
	if (rc >= 0) {
		mul_add(aphi, a, phi, 1.0f, p->at.out, r, r);
		mul_add(dw, aphi, b, (float)sg_graft_num(p->g, "scale"), p->at.out, r, p->at.in);
	}
	free(a);
	free(phi);
	free(b);
	free(aphi);
	return rc;
}

static const struct sg_hyper hyper[] = {
	{ "rank", "16", "width of Phi" },
	{ "basis", "svd", "where A and B come from: svd (singular vectors of the weight) or random" },
	{ "scale", "1", "factor of the change" },
	{ NULL, NULL, NULL }
};

const struct sg_graft_type sg_graft_phi = {
	.name = "phi", .brief = "y += A Phi B x on linear maps, frozen bases",
	.sites = 1 << SG_SITE_LINEAR, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .declare = declare, .start = start, .scratch = scratch,
	.attach = attach, .delta = delta,
};
