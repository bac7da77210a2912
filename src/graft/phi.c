/*
 * phi: the change of a linear map is a sum of A Phi B, y += s sum A (Phi (B x)); of a
 * hidden state it is the same of the state itself. A [out,rank] and B [rank,in] are
 * bases, orthonormal over all stages: random, singular vectors of the weight, or
 * principal directions of what passes the site on training data (graft/phidata.c); A
 * carries the factor sqrt(out / rank), so that a step on Phi moves outputs alike whatever
 * the width. Phi [rank,rank] is made of few numbers (graft/phiform.h), starts at zero or
 * as a least-squares solution and is all that trains, unless the bases train too. The
 * bases are part of the payload: nothing is recomputed on load.
 *
 * Composing always multiplies by one dense Phi. For a form other than dense it is made
 * anew from the parameters before each forward, in host memory, r^2 numbers; the
 * gradients of the parameters are made from the sum of dense gradients.
 */
#include "graft/phi.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/buf.h"
#include "graft/basis.h"
#include "graft/linalg.h"
#include "graft/places.h"
#include <math.h>

static size_t hyper_size(const struct sg_graft *g, const char *key)
{
	int64_t v = sg_graft_int(g, key);

	return v > 0 && v <= INT32_MAX ? (size_t)v : 0;
}

/* Number of the word that stands there, of a list that NULL ends. */
static int word(size_t *out, const struct sg_graft *g, const char *key, const char *const *list, const char *all)
{
	const char *v = sg_graft_str(g, key);

	for (*out = 0; list[*out]; ++*out)
		if (!strcmp(list[*out], v))
			return 0;
	return sg_fail(SG_E_USAGE, "phi: %s must be %s, not '%.100s'", key, all, v);
}

static int read_words(struct sg_phi_shape *s, const struct sg_graft *g)
{
	static const char *const basis[] = { "svd", "random", "activation", "gradient", "actgrad", NULL };
	static const char *const bases[] = { "frozen", "trained", NULL }, *const init[] = { "zero", "ls", NULL };
	static const char *const score[] = { "gradient", "magnitude", NULL };
	size_t k = 0;

	SG_TRY(word(&k, g, "basis", basis, "svd, random, activation, gradient or actgrad"));
	s->basis = (enum sg_phi_basis)k;
	SG_TRY(word(&k, g, "bases", bases, "frozen or trained"));
	s->bases = k;
	SG_TRY(word(&k, g, "init", init, "zero or ls"));
	s->fits = k;
	SG_TRY(word(&k, g, "score", score, "gradient or magnitude"));
	s->by_gradient = !k;
	return 0;
}

/* The stages of a codebook stand on the same bases: each codes what those before it left. */
static int read_shape(struct sg_phi_shape *s, const struct sg_graft *g)
{
	size_t stages = hyper_size(g, "stages");

	*s = (struct sg_phi_shape){ .r = hyper_size(g, "rank"), .scale = (float)sg_graft_num(g, "scale"),
				     .residual = hyper_size(g, "residual") };
	if (!s->r)
		return sg_fail(SG_E_REFUSED, "phi: rank must be at least 1");
	if (!stages || stages > SG_PHI_STAGES)
		return sg_fail(SG_E_REFUSED, "phi: stages must be from 1 to %d", SG_PHI_STAGES);
	SG_TRY(read_words(s, g));
	SG_TRY(sg_phiform_init(&s->form, sg_graft_str(g, "phi"), s->r, hyper_size(g, "inner"), hyper_size(g, "tile"),
			       hyper_size(g, "codes"), stages));
	s->n = s->form.kind == SG_PHI_CODEBOOK ? 1 : stages;
	return 0;
}

struct sg_phi_shape sg_phi_shape(const struct sg_part *p)
{
	struct sg_phi_shape s = { .r = 0 };

	(void)read_shape(&s, p->g);
	return s;
}

float sg_phi_gain(const struct sg_part *p, const struct sg_phi_shape *s)
{
	return sqrtf((float)p->at.out / (float)s->r);
}

uint64_t sg_phi_stream(const struct sg_part *p)
{
	char name[160];

	snprintf(name, sizeof(name), "%s.Phi", p->site);
	return sg_rng_stream(name);
}

/* --- tensors ------------------------------------------------------------------ */

static int check(const struct sg_part *p, const struct sg_phi_shape *s)
{
	size_t most = SG_MIN(p->at.in, p->at.out);

	if (s->bases && sg_graft_int(p->g, "cap") <= 0)
		return sg_fail(SG_E_USAGE, "phi: bases=trained wants cap=N, the most numbers that may train");
	if (s->basis == SG_PHI_SVD && p->at.kind == SG_SITE_HIDDEN)
		return sg_fail(SG_E_REFUSED, "phi: '%s' has no weight to take a basis from; try basis=random or activation",
			       p->site);
	if (s->r * s->n > most)
		return sg_fail(SG_E_REFUSED, "phi: rank %zu%s does not fit '%s' (1 to %zu)", s->r * s->n,
			       s->n > 1 ? " of all stages" : "", p->site, most);
	if (!isfinite(s->scale) || (s->fits && s->scale == 0))
		return sg_fail(SG_E_REFUSED, "phi: scale must not be 0 where init=ls");
	if (sg_graft_int(p->g, "residual") < 0 || s->residual > p->at.in * p->at.out ||
	    SG_MAX(p->at.in, p->at.out) > SG_PLACES_SIDE)
		return sg_fail(SG_E_REFUSED, "phi: residual %lld does not fit '%s' (0 to %zu)",
			       (long long)sg_graft_int(p->g, "residual"), p->site, p->at.in * p->at.out);
	if (s->residual && !s->by_gradient && p->at.kind == SG_SITE_HIDDEN)
		return sg_fail(SG_E_REFUSED, "phi: '%s' has no weight to take places from; try score=gradient", p->site);
	if (sg_graft_int(p->g, "calib") < 1 || sg_graft_int(p->g, "calib") > INT32_MAX)
		return sg_fail(SG_E_REFUSED, "phi: calib must be from 1 to %d tokens", INT32_MAX);
	return 0;
}

/* "A" of the first stage, "2.A" of the second. */
static int add_tensor(struct sg_part *p, size_t stage, size_t i, const char *name, size_t rows, size_t cols, bool frozen)
{
	char full[32];

	if (stage)
		snprintf(full, sizeof(full), "%zu.%s", stage + 1, name);
	else
		snprintf(full, sizeof(full), "%s", name);
	return sg_part_tensor(p, stage * SG_PHI_STAGE + i, full, rows, cols, frozen);
}

static int declare_stage(struct sg_part *p, const struct sg_phi_shape *s, size_t stage)
{
	struct sg_phiform_tensor f[SG_PHI_TENSORS];
	size_t n = sg_phiform_tensors(f, &s->form);

	SG_TRY(add_tensor(p, stage, SG_PHI_A, "A", p->at.out, s->r, !s->bases));
	for (size_t i = 0; i < n; i++)
		SG_TRY(add_tensor(p, stage, SG_PHI_FORM + i, f[i].name, f[i].rows, f[i].cols, f[i].frozen));
	return add_tensor(p, stage, SG_PHI_B, "B", s->r, p->at.in, !s->bases);
}

/* Once the last site is known, so that the whole count can be said. */
static int check_cap(const struct sg_part *p)
{
	int64_t cap = sg_graft_int(p->g, "cap");
	size_t n = sg_graft_trained(p->g);

	if (p != &p->g->part[p->g->n - 1] || cap <= 0 || n <= (size_t)cap)
		return 0;
	return sg_fail(SG_E_REFUSED, "phi: %zu numbers would train, the cap is %lld", n, (long long)cap);
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	struct sg_phi_shape s;

	(void)m;
	SG_TRY(read_shape(&s, p->g));
	SG_TRY(check(p, &s));
	for (size_t i = 0; i < s.n; i++)
		SG_TRY(declare_stage(p, &s, i));
	if (s.residual) {
		SG_TRY(sg_part_tensor(p, SG_PHI_AT, "R.at", 2, s.residual, true));
		SG_TRY(sg_part_tensor(p, SG_PHI_VALUE, "R", 0, s.residual, false));
	}
	return check_cap(p);
}

/* --- start -------------------------------------------------------------------- */

static int make_basis(struct sg_part *p, const struct sg_phi_shape *s, uint64_t seed)
{
	size_t r = s->r * s->n;
	float *u = NULL, *v = NULL;
	float *w = NULL;
	int rc = SG_NEW(u, p->at.out * r);

	if (rc >= 0)
		rc = SG_NEW(v, p->at.in * r);
	if (rc >= 0 && s->basis == SG_PHI_RANDOM) {
		rc = sg_basis_random(u, v, p->at.out, p->at.in, r, seed, sg_phi_stream(p));
	} else if (rc >= 0) {
		rc = sg_part_weight(&w, p);
		if (rc >= 0)
			rc = sg_basis_svd(u, v, &(struct sg_mat){ .data = w, .dtype = SG_F32, .rows = p->at.out,
								  .cols = p->at.in }, r, seed, sg_phi_stream(p));
	}
	if (rc >= 0)
		rc = sg_phi_put_bases(p, s, u, v);
	free(u);
	free(v);
	free(w);
	return rc;
}

int sg_phi_put_bases(struct sg_part *p, const struct sg_phi_shape *s, const float *u, const float *v)
{
	size_t all = s->r * s->n;
	float *a, gain = sg_phi_gain(p, s);
	int rc;

	SG_TRY(SG_NEW(a, p->at.out * s->r));
	rc = 0;
	for (size_t k = 0; rc >= 0 && k < s->n; k++) {
		for (size_t i = 0; i < p->at.out; i++)
			for (size_t j = 0; j < s->r; j++)
				a[i * s->r + j] = gain * u[i * all + k * s->r + j];
		rc = sg_part_put(p, k * SG_PHI_STAGE + SG_PHI_A, a);
		if (rc >= 0)
			rc = sg_part_put(p, k * SG_PHI_STAGE + SG_PHI_B, v + k * s->r * p->at.in);
	}
	free(a);
	return rc;
}

/* The form's tensors of a stage in host memory, to be freed with free_form. */
int sg_phi_get_form(float **t, const struct sg_part *p, const struct sg_phiform *f, size_t stage)
{
	struct sg_phiform_tensor d[SG_PHI_TENSORS];
	size_t n = sg_phiform_tensors(d, f);
	int rc = 0;

	memset(t, 0, SG_PHI_TENSORS * sizeof(*t));
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = sg_graft_tensor(&t[i], p->g, p->t[stage * SG_PHI_STAGE + SG_PHI_FORM + i]);
	return rc;
}

void sg_phi_free_form(float **t)
{
	for (size_t i = 0; i < SG_PHI_TENSORS; i++)
		free(t[i]);
}

int sg_phi_put_form(struct sg_part *p, const struct sg_phiform *f, size_t stage, float *const *t)
{
	struct sg_phiform_tensor d[SG_PHI_TENSORS];
	size_t n = sg_phiform_tensors(d, f);

	for (size_t i = 0; i < n; i++)
		SG_TRY(sg_part_put(p, stage * SG_PHI_STAGE + SG_PHI_FORM + i, t[i]));
	return 0;
}

static int start_form(struct sg_part *p, const struct sg_phi_shape *s, size_t stage, uint64_t seed)
{
	float *t[SG_PHI_TENSORS];
	int rc = sg_phi_get_form(t, p, &s->form, stage);

	if (rc >= 0)
		sg_phiform_start(t, &s->form, seed, sg_rng_stream(p->t[stage * SG_PHI_STAGE + SG_PHI_FORM]->name) + 2);
	if (rc >= 0)
		rc = sg_phi_put_form(p, &s->form, stage, t);
	sg_phi_free_form(t);
	return rc;
}

/* Bases that data gives are zero until it was heard (graft/phidata.c). */
static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	struct sg_phi_shape s = sg_phi_shape(p);

	(void)m;
	p->seed = seed;
	if (s.basis <= SG_PHI_RANDOM)
		SG_TRY(make_basis(p, &s, seed));
	for (size_t i = 0; i < s.n; i++)
		SG_TRY(start_form(p, &s, i, seed));
	return s.residual ? sg_phi_start_residual(p, &s) : 0;
}

/* --- running ------------------------------------------------------------------- */

/* At a hidden site the state is changed in place: is what it was wanted later? */
static bool keeps_input(const struct sg_part *p, const struct sg_phi_shape *s)
{
	return p->at.kind == SG_SITE_HIDDEN && (s->bases || s->residual);
}

/* B x, Phi B x and their gradients for each stage; the state before, and its gradient */
static size_t scratch(const struct sg_part *p)
{
	struct sg_phi_shape s = sg_phi_shape(p);

	return 4 * s.r * s.n + (keeps_input(p, &s) ? 2 * p->at.in : 0);
}

/* Dense matrices of a form that is not. */
static size_t fixed(const struct sg_part *p)
{
	struct sg_phi_shape s = sg_phi_shape(p);

	return s.form.kind == SG_PHI_DENSE ? 0 : s.n * s.r * s.r;
}

struct sg_phi_stage sg_phi_stage(const struct sg_part *p, const struct sg_phi_shape *s, size_t i)
{
	size_t at = i * SG_PHI_STAGE, step = p->g->cap * s->r, square = s->r * s->r;
	float *t = p->scratch + 4 * step * i;
	struct sg_phi_stage g = { at, p->at.in, p->at.out, s->r, NULL, NULL, t, t + step, t + 2 * step, t + 3 * step };

	if (s->form.kind == SG_PHI_DENSE) {
		g.phi = sg_part_data(p, at + SG_PHI_FORM);
		g.dphi = sg_part_grad(p, at + SG_PHI_FORM);
	} else {
		g.phi = p->fixed + i * square;
		g.dphi = p->g->trains ? p->sums + i * square : NULL;
	}
	return g;
}

static int make_phi(struct sg_part *p, const struct sg_phi_shape *s, size_t i)
{
	struct sg_phi_stage g = sg_phi_stage(p, s, i);
	float *t[SG_PHI_TENSORS], *phi = NULL;
	int rc = sg_phi_get_form(t, p, &s->form, i);

	if (rc >= 0)
		rc = SG_NEW(phi, s->r * s->r);
	if (rc >= 0)
		rc = sg_phiform_check(&s->form, (const float *const *)t);
	if (rc >= 0) {
		sg_phiform_dense(phi, &s->form, (const float *const *)t);
		rc = p->g->dev->be->put(p->g->dev, g.phi, phi, s->r * s->r * sizeof(*phi));
	}
	sg_phi_free_form(t);
	free(phi);
	return rc;
}

/* Gradients of the form's numbers, from the sum so far: the last pass of a step has it all. */
static int make_grads(struct sg_part *p, const struct sg_phi_shape *s, size_t i)
{
	struct sg_phi_stage g = sg_phi_stage(p, s, i);
	struct sg_phiform_tensor f[SG_PHI_TENSORS];
	size_t n = sg_phiform_tensors(f, &s->form), square = s->r * s->r;
	float *t[SG_PHI_TENSORS], *d[SG_PHI_TENSORS] = { NULL }, *dphi = NULL;
	int rc = sg_phi_get_form(t, p, &s->form, i);

	if (rc >= 0)
		rc = SG_NEW(dphi, square);
	if (rc >= 0)
		rc = p->g->dev->be->get(p->g->dev, dphi, g.dphi, square * sizeof(*dphi));
	for (size_t k = 0; rc >= 0 && k < n; k++)
		rc = SG_NEW(d[k], p->t[g.at + SG_PHI_FORM + k]->n);
	if (rc >= 0)
		sg_phiform_grad(d, &s->form, dphi, (const float *const *)t);
	for (size_t k = 0; rc >= 0 && k < n; k++)
		if (!f[k].frozen)
			rc = p->g->dev->be->put(p->g->dev, sg_part_grad(p, g.at + SG_PHI_FORM + k), d[k],
						p->t[g.at + SG_PHI_FORM + k]->n * sizeof(float));
	sg_phi_free_form(t);
	sg_phi_free_form(d);
	free(dphi);
	return rc;
}

static struct sg_mat square(const struct sg_phi_stage *g)
{
	return (struct sg_mat){ .data = g->phi, .dtype = SG_F32, .rows = g->r, .cols = g->r };
}

static float *kept_input(const struct sg_part *p, const struct sg_phi_shape *s)
{
	return p->scratch + 4 * p->g->cap * s->r * s->n;
}

/* From B x to y. */
static int stage_fwd(struct sg_part *p, const struct sg_phi_shape *s, size_t i, float *y, size_t N)
{
	struct sg_device *dev = p->g->dev;
	struct sg_phi_stage g = sg_phi_stage(p, s, i);
	struct sg_mat a = sg_part_mat(p, g.at + SG_PHI_A), phi = square(&g);

	if (s->form.kind != SG_PHI_DENSE)
		SG_TRY(make_phi(p, s, i));
	if (s->scale != 1.0f)
		SG_TRY(SG_CALL(dev, scale, g.t, g.t, s->scale, N * g.r));
	SG_TRY(SG_CALL(dev, linear_fwd, g.u, g.t, &phi, NULL, N, g.r, g.r, false));
	return SG_CALL(dev, linear_fwd, y, g.u, &a, NULL, N, g.out, g.r, true);
}

/* At a hidden site y and x are one: all that reads x comes before all that writes y. */
static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_phi_shape s = sg_phi_shape(p);

	(void)keep;
	if (keeps_input(p, &s)) {
		SG_TRY(SG_CALL(dev, copy, kept_input(p, &s), x, N * p->at.in));
		x = kept_input(p, &s);
	}
	for (size_t i = 0; i < s.n; i++) {
		struct sg_phi_stage g = sg_phi_stage(p, &s, i);
		struct sg_mat b = sg_part_mat(p, g.at + SG_PHI_B);

		SG_TRY(SG_CALL(dev, linear_fwd, g.t, x, &b, NULL, N, g.r, g.in, false));
	}
	for (size_t i = 0; i < s.n; i++)
		SG_TRY(stage_fwd(p, &s, i, y, N));
	return s.residual ? sg_phi_residual_fwd(p, y, x, N) : 0;
}

/* Own gradients, and that of B x if it is wanted. */
static int stage_bwd(struct sg_part *p, const struct sg_phi_shape *s, size_t i, const float *dy, const float *x, size_t N,
		     bool below)
{
	struct sg_device *dev = p->g->dev;
	struct sg_phi_stage g = sg_phi_stage(p, s, i);
	struct sg_mat a = sg_part_mat(p, g.at + SG_PHI_A), phi = square(&g);
	float *da = sg_part_grad(p, g.at + SG_PHI_A), *db = sg_part_grad(p, g.at + SG_PHI_B);

	SG_TRY(SG_CALL(dev, linear_dx, g.du, dy, &a, N, g.out, g.r, false));
	if (da)
		SG_TRY(SG_CALL(dev, linear_dw, da, NULL, dy, g.u, N, g.out, g.r));
	if (g.dphi)
		SG_TRY(SG_CALL(dev, linear_dw, g.dphi, NULL, g.du, g.t, N, g.r, g.r));
	if (g.dphi && s->form.kind != SG_PHI_DENSE)
		SG_TRY(make_grads(p, s, i));
	if (!below && !db)
		return 0;
	SG_TRY(SG_CALL(dev, linear_dx, g.dt, g.du, &phi, N, g.r, g.r, false));
	if (s->scale != 1.0f)
		SG_TRY(SG_CALL(dev, scale, g.dt, g.dt, s->scale, N * g.r));
	return db ? SG_CALL(dev, linear_dw, db, NULL, g.dt, x, N, g.r, g.in) : 0;
}

/* At a hidden site dx and dy are one: all that reads dy comes before all that writes dx. */
static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct sg_phi_shape s = sg_phi_shape(p);

	if (keeps_input(p, &s)) {
		float *kept = kept_input(p, &s), *dkept = kept + p->g->cap * p->at.in;

		SG_TRY(SG_CALL(dev, copy, dkept, dy, N * p->at.in));
		x = kept;
		dy = dkept;
	}
	for (size_t i = 0; i < s.n; i++)
		SG_TRY(stage_bwd(p, &s, i, dy, x, N, dx));
	for (size_t i = 0; dx && i < s.n; i++) {
		struct sg_phi_stage g = sg_phi_stage(p, &s, i);
		struct sg_mat b = sg_part_mat(p, g.at + SG_PHI_B);

		SG_TRY(SG_CALL(dev, linear_dx, dx, g.dt, &b, N, g.r, g.in, true));
	}
	return s.residual ? sg_phi_residual_bwd(p, dx, dy, x, N) : 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	SG_TRY(sg_phi_check_residual(p));
	return sg_part_join(p, fwd, bwd);
}

/* --- as plain matrices ----------------------------------------------------------- */

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

/* Bases and dense Phi of a stage in host memory, yours. */
static int get_stage(float **a, float **phi, float **b, struct sg_part *p, const struct sg_phi_shape *s, size_t i)
{
	float *t[SG_PHI_TENSORS];
	int rc = sg_phi_get_form(t, p, &s->form, i);

	if (rc >= 0)
		rc = sg_phiform_check(&s->form, (const float *const *)t);
	if (rc >= 0)
		rc = SG_NEW(*phi, s->r * s->r);
	if (rc >= 0) {
		sg_phiform_dense(*phi, &s->form, (const float *const *)t);
		rc = sg_graft_tensor(a, p->g, p->t[i * SG_PHI_STAGE + SG_PHI_A]);
	}
	if (rc >= 0)
		rc = sg_graft_tensor(b, p->g, p->t[i * SG_PHI_STAGE + SG_PHI_B]);
	sg_phi_free_form(t);
	return rc;
}

static int delta(struct sg_part *p, float *dw)
{
	struct sg_phi_shape s = sg_phi_shape(p);
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < s.n; i++) {
		float *a = NULL, *phi = NULL, *b = NULL, *aphi = NULL;

		rc = get_stage(&a, &phi, &b, p, &s, i);
		if (rc >= 0)
			rc = SG_NEW(aphi, p->at.out * s.r);
		if (rc >= 0) {
			mul_add(aphi, a, phi, 1.0f, p->at.out, s.r, s.r);
			mul_add(dw, aphi, b, s.scale, p->at.out, s.r, p->at.in);
		}
		free(a);
		free(phi);
		free(b);
		free(aphi);
	}
	return rc >= 0 && s.residual ? sg_phi_residual_delta(p, dw) : rc;
}

/* Columns at.. of left [out,all] = s a phi, in f64, rounded once. */
static void left_of(float *left, const float *a, const float *phi, double s, size_t out, size_t r, size_t at, size_t all)
{
	for (size_t i = 0; i < out; i++)
		for (size_t j = 0; j < r; j++) {
			double sum = 0;

			for (size_t k = 0; k < r; k++)
				sum += (double)a[i * r + k] * (double)phi[k * r + j];
			left[i * all + at + j] = (float)(s * sum);
		}
}

/* Of the sum of A Phi B, without the residual. */
static int plain_factors(struct sg_part *p, float **left, float **right, size_t *rank)
{
	struct sg_phi_shape s = sg_phi_shape(p);
	size_t all = s.r * s.n;
	int rc = SG_NEW(*left, p->at.out * all);

	*rank = all;
	if (rc >= 0)
		rc = SG_NEW(*right, all * p->at.in);
	for (size_t i = 0; rc >= 0 && i < s.n; i++) {
		float *a = NULL, *phi = NULL, *b = NULL;

		rc = get_stage(&a, &phi, &b, p, &s, i);
		if (rc >= 0) {
			left_of(*left, a, phi, (double)s.scale, p->at.out, s.r, i * s.r, all);
			memcpy(*right + i * s.r * p->at.in, b, s.r * p->at.in * sizeof(*b));
		}
		free(a);
		free(phi);
		free(b);
	}
	return rc;
}

static int factors(struct sg_part *p, float **left, float **right, size_t *rank)
{
	struct sg_phi_shape s = sg_phi_shape(p);

	SG_TRY(plain_factors(p, left, right, rank));
	return s.residual ? sg_phi_residual_factors(p, left, right, rank) : 0;
}

/* --- the rank that is really there ------------------------------------------------ */

/* Triangle of the QR factorisation of v [rows,n]. */
static int triangle(double *r, const float *v, size_t rows, size_t n)
{
	struct sg_lsq q = { 0 };

	SG_TRY(sg_lsq_init(&q, n, 0));
	sg_lsq_add(&q, v, NULL, rows);
	sg_lsq_triangle(r, &q);
	sg_lsq_release(&q);
	return 0;
}

/* core [n,n] = left right of the triangles: it has the singular values of the change. */
static void product(double *core, const double *left, const double *right, size_t n)
{
	memset(core, 0, n * n * sizeof(*core));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			for (size_t j = 0; j < n; j++)
				core[i * n + j] += left[i * n + k] * right[j * n + k];
}

static void transpose(float *to, const float *from, size_t rows, size_t cols)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < cols; j++)
			to[j * rows + i] = from[i * cols + j];
}

/* Singular values of s sum A Phi B that are more than max(in, out) 2^-23 of the largest. */
static int effective_rank(size_t *out, struct sg_part *p)
{
	float *left = NULL, *right = NULL, *turned = NULL;
	double *l = NULL, *r = NULL, *core = NULL, *sigma = NULL;
	size_t n = 0;
	int rc = plain_factors(p, &left, &right, &n);

	if (rc >= 0)
		rc = SG_NEW(turned, n * p->at.in);
	if (rc >= 0)
		rc = SG_NEW(l, n * n);
	if (rc >= 0)
		rc = SG_NEW(r, n * n);
	if (rc >= 0)
		rc = SG_NEW(core, n * n);
	if (rc >= 0)
		rc = SG_NEW(sigma, n);
	if (rc >= 0) {
		transpose(turned, right, n, p->at.in);
		rc = triangle(l, left, p->at.out, n);
	}
	if (rc >= 0)
		rc = triangle(r, turned, p->at.in, n);
	if (rc >= 0) {
		product(core, l, r, n);
		sg_svd(sigma, core, NULL, n, n);
		*out = 0;
		while (*out < n && sigma[*out] > sigma[0] * 0x1p-23 * (double)SG_MAX(p->at.in, p->at.out))
			++*out;
	}
	free(left);
	free(right);
	free(turned);
	free(l);
	free(r);
	free(core);
	free(sigma);
	return rc;
}

/* "3*7,2": 3 at seven sites, then 2; or only the least and the most where that is too long. */
static int rank_text(struct sg_buf *out, const size_t *rank, size_t n)
{
	size_t lo = SIZE_MAX, hi = 0;

	for (size_t i = 0, k; i < n; i += k) {
		for (k = 1; i + k < n && rank[i + k] == rank[i]; k++)
			;
		SG_TRY(sg_buf_fmt(out, "%s%zu", i ? "," : "", rank[i]));
		if (k > 1)
			SG_TRY(sg_buf_fmt(out, "*%zu", k));
		lo = SG_MIN(lo, rank[i]);
		hi = SG_MAX(hi, rank[i]);
	}
	if (out->len <= SG_GRAFTFILE_TEXT)
		return 0;
	out->len = 0;
	return sg_buf_fmt(out, "%zu-%zu", lo, hi);
}

static int seal(struct sg_graft *g)
{
	struct sg_buf text = { 0 };
	size_t *rank;
	int rc = SG_NEW(rank, g->n);

	for (size_t i = 0; rc >= 0 && i < g->n; i++)
		rc = effective_rank(&rank[i], &g->part[i]);
	if (rc >= 0)
		rc = rank_text(&text, rank, g->n);
	if (rc >= 0)
		rc = sg_graftfile_set_str(&g->file, "effective_rank", text.data);
	sg_buf_release(&text);
	free(rank);
	return rc;
}

static const struct sg_hyper hyper[] = {
	{ "rank", "16", "width of Phi" },
	{ "phi", "dense", "form of Phi: dense, diagonal, upper, hadamard, walsh, checker, lowrank, blocks, kronecker, "
	  "codebook" },
	{ "inner", "0", "inner rank of hadamard and lowrank (0: 4), products of kronecker (0: 1)" },
	{ "tile", "0", "width of a block of blocks, of a tile of codebook (0: 2)" },
	{ "codes", "0", "matrices of codebook to choose from (0: 8)" },
	{ "stages", "1", "how many A Phi B are summed, each on bases of its own; levels of codebook" },
	{ "basis", "svd", "where A and B come from: svd (singular vectors of the weight), random, activation, gradient, "
	  "actgrad (of training data)" },
	{ "residual", "0", "numbers of each site's map that move besides, chosen once" },
	{ "score", "gradient", "which: gradient (its largest, on training data) or magnitude (the largest of the weight)" },
	{ "init", "zero", "how Phi starts: zero, or ls (least squares against a step along the gradient)" },
	{ "eta", "0.1", "length of that step" },
	{ "calib", "4096", "tokens of training data that bases and ls are taken from, rounded up to whole steps" },
	{ "bases", "frozen", "A and B: frozen or trained" },
	{ "cap", "0", "most numbers that may train at all sites together (0: any)" },
	{ "scale", "1", "factor of the change" },
	{ NULL, NULL, NULL }
};

/* Scales and sites are such that losses show every number: else differences drown in rounding. */
static const char *const variants[] = {
	"phi=diagonal rank=5", "phi=upper", "phi=hadamard inner=2 scale=2 sites=layers.*.mlp.*", "phi=walsh rank=4 scale=2",
	"phi=checker", "phi=lowrank inner=1", "phi=blocks rank=5", "phi=kronecker rank=4 inner=2",
	"phi=codebook rank=5 codes=3 stages=2 scale=0.5", "stages=2 basis=random",
	"phi=upper stages=2 bases=trained cap=100000 scale=2 sites=layers.*.mlp.*", "sites=layers.*.out basis=random",
	"sites=layers.*.out basis=random bases=trained cap=100000 phi=diagonal stages=2",
	"basis=activation stages=2 sites=layers.*.attn.*",
	"basis=gradient rank=2", "basis=actgrad phi=upper sites=layers.*.attn.*", "sites=layers.*.out basis=activation",
	"residual=5", "residual=7 score=magnitude rank=2 stages=2 scale=2", "residual=5 basis=activation sites=layers.*.out",
	"sites=layers.*.out basis=gradient", "sites=layers.*.out basis=actgrad stages=2", NULL
};

const struct sg_graft_type sg_graft_phi = {
	.name = "phi", .brief = "y += A Phi B x on linear maps, h += A Phi B h behind a block",
	.sites = 1 << SG_SITE_LINEAR | 1 << SG_SITE_HIDDEN, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .scratch = scratch, .fixed = fixed,
	.sums = fixed, .attach = attach, .delta = delta, .factors = factors, .seal = seal,
	.listen_bytes = sg_phi_listen_bytes, .listen = sg_phi_listen, .heard = sg_phi_heard,
};
