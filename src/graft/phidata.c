/*
 * What phi takes from training data before it starts.
 *
 * Round 0, bases. A signal S (tokens x width) at the input of a map and one at its output:
 * what passes forward (activation), its gradient (gradient), or the first times the
 * absolute value of the second, element by element (actgrad). The rows of B and the columns
 * of A are the leading eigenvectors of the centred second moments of S, which are the right
 * singular vectors of centred S. At a hidden site there is one signal and A = B^T.
 *
 * Also the gradient of the whole map, sum of g x^T over tokens, where places for a residual
 * are chosen by it.
 *
 * Round 1, init=ls. With x the input and g the gradient of a token's output, Phi minimises
 * sum |s A Phi B x + eta g|^2 over all tokens: the least squares of a step of length eta
 * against the gradient of the summed loss. As the columns of A are orthogonal over all
 * stages, each stage is a problem of its own, min |Phi (B x) - t|^2 with
 * t = -eta A^T g / (s gain^2). Then Phi becomes the nearest matrix of its form.
 *
 * Moments are summed on the device in f32, one chain over tokens, so they do not depend on
 * how the data is cut; centring, eigenvectors and least squares are f64 on the host.
 */
#include "graft/phi.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/basis.h"
#include "graft/linalg.h"
#include <math.h>

#define LS_TOLERANCE 1e-6	/* singular values of the inputs below this share are none */

/* A signal at one side of a site. */
struct side {
	size_t d;
	float *cov, *sum;		/* of the signal, [d,d], [d] */
	float *act, *grad, *made, *tmp;	/* [cap,d] */
};

struct ear {
	void *mem;
	struct side in, out;
	float *dw, *kept;		/* gradient of the map; the state before, [cap,in] */
	size_t tokens;
	struct sg_lsq *q;		/* of each stage */
	float *x, *t;			/* host, [cap,r] */
	struct sg_hook keep;		/* what the hook does otherwise */
};

static bool hears_bases(const struct sg_phi_shape *s)
{
	return s->basis > SG_PHI_RANDOM;
}

static bool hears_places(const struct sg_phi_shape *s)
{
	return s->residual && s->by_gradient;
}

static bool hidden(const struct sg_part *p)
{
	return p->at.kind == SG_SITE_HIDDEN;
}

static size_t side_floats(size_t d, size_t cap)
{
	return d * d + d + 4 * cap * d;
}

size_t sg_phi_listen_bytes(const struct sg_part *p, unsigned round)
{
	struct sg_phi_shape s = sg_phi_shape(p);
	size_t cap = p->g->cap, n = 0;

	if (hears_bases(&s))
		n += side_floats(p->at.in, cap) + (hidden(p) ? 0 : side_floats(p->at.out, cap));
	if (hears_places(&s))
		n += p->at.out * p->at.in + (hidden(p) ? cap * p->at.in : 0);
	if (round == 0)
		return n * sizeof(float);
	if (round == 1 && s.fits)
		return s.n * (s.r + SG_LSQ_ROWS) * 2 * s.r * sizeof(double) + 2 * cap * s.r * sizeof(float);
	return 0;
}

/* --- listening to signals ---------------------------------------------------------- */

static float *carve_side(struct side *s, float *at, size_t d, size_t cap)
{
	float *rows = at + d * d + d;

	*s = (struct side){ d, at, at + d * d, rows, rows + cap * d, rows + 2 * cap * d, rows + 3 * cap * d };
	return at + side_floats(d, cap);
}

static int hear_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct ear *e = p->own;

	if (!keep)
		return 0;
	if (e->kept)
		SG_TRY(SG_CALL(dev, copy, e->kept, x, N * p->at.in));
	if (e->in.act)
		SG_TRY(SG_CALL(dev, copy, e->in.act, x, N * p->at.in));
	return e->out.act ? SG_CALL(dev, copy, e->out.act, y, N * p->at.out) : 0;
}

/* out = a * |g|, through two rectifiers; g is lost */
static int times_size(struct sg_device *dev, float *out, float *tmp, const float *a, float *g, size_t n)
{
	SG_TRY(SG_CALL(dev, glu_fwd, out, g, a, SG_ACT_RELU, n));
	SG_TRY(SG_CALL(dev, scale, g, g, -1.0f, n));
	SG_TRY(SG_CALL(dev, glu_fwd, tmp, g, a, SG_ACT_RELU, n));
	return SG_CALL(dev, add, out, tmp, n);
}

/* s->grad holds the gradient, which may be lost, s->act the activation. */
static int add_signal(struct side *s, struct sg_device *dev, enum sg_phi_basis basis, size_t N)
{
	const float *v = basis == SG_PHI_ACTIVATION ? s->act : s->grad;

	if (basis == SG_PHI_ACTGRAD) {
		SG_TRY(times_size(dev, s->made, s->tmp, s->act, s->grad, N * s->d));
		v = s->made;
	}
	return SG_CALL(dev, linear_dw, s->cov, s->sum, v, v, N, s->d, s->d);
}

/* Both sides' signals. */
static int add_signals(struct sg_part *p, struct ear *e, enum sg_phi_basis basis, const float *dy, size_t N)
{
	struct sg_device *dev = p->g->dev;

	if (hidden(p)) {
		SG_TRY(SG_CALL(dev, copy, e->in.grad, dy, N * p->at.in));
		return add_signal(&e->in, dev, basis, N);
	}
	SG_TRY(SG_CALL(dev, copy, e->out.grad, dy, N * p->at.out));
	SG_TRY(SG_CALL(dev, linear_dx, e->in.grad, dy, &p->at.lin->w, N, p->at.out, p->at.in, false));
	SG_TRY(add_signal(&e->in, dev, basis, N));
	return add_signal(&e->out, dev, basis, N);
}

static int hear_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct ear *e = p->own;
	struct sg_phi_shape s = sg_phi_shape(p);

	(void)dx;
	e->tokens += N;
	if (hears_bases(&s))
		SG_TRY(add_signals(p, e, s.basis, dy, N));
	return e->dw ? SG_CALL(dev, linear_dw, e->dw, NULL, dy, e->kept ? e->kept : x, N, p->at.out, p->at.in) : 0;
}

static int open_signals(struct sg_part *p, struct ear *e)
{
	struct sg_phi_shape s = sg_phi_shape(p);
	struct sg_device *dev = p->g->dev;
	size_t bytes = sg_phi_listen_bytes(p, 0), cap = p->g->cap;
	float *at;

	if (hears_bases(&s) && !hidden(p) && !p->at.lin->w.data)
		return sg_fail(SG_E_REFUSED, "phi: '%s' has no weight of its own; try basis=random", p->site);
	SG_TRY(dev->be->alloc(dev, &e->mem, bytes));
	at = e->mem;
	if (hears_bases(&s))
		at = carve_side(&e->in, at, p->at.in, cap);
	if (hears_bases(&s) && !hidden(p))
		at = carve_side(&e->out, at, p->at.out, cap);
	if (hears_places(&s))
		e->dw = at;
	if (hears_places(&s) && hidden(p))
		e->kept = at + p->at.out * p->at.in;
	return SG_CALL(dev, zero, e->mem, bytes / sizeof(float));
}

/* --- bases from what was heard ------------------------------------------------------ */

/* v [r,d]: leading directions of the side's centred signal. */
static int directions(float *v, const struct side *s, struct sg_part *p, size_t tokens, size_t r, uint64_t stream)
{
	struct sg_device *dev = p->g->dev;
	size_t d = s->d;
	double *c = NULL, trace = 0;
	float *cov = NULL, *sum = NULL;
	int rc = SG_NEW(c, d * d);

	if (rc >= 0)
		rc = SG_NEW(cov, d * d);
	if (rc >= 0)
		rc = SG_NEW(sum, d);
	if (rc >= 0)
		rc = dev->be->get(dev, cov, s->cov, d * d * sizeof(*cov));
	if (rc >= 0)
		rc = dev->be->get(dev, sum, s->sum, d * sizeof(*sum));
	for (size_t i = 0; rc >= 0 && i < d; i++) {
		for (size_t j = 0; j < d; j++)
			c[i * d + j] = (double)cov[i * d + j] - (double)sum[i] * (double)sum[j] / (double)tokens;
		trace += c[i * d + i];
	}
	if (rc >= 0 && !(trace > 0 && isfinite(trace)))
		rc = sg_fail(SG_E_REFUSED, "phi: the training data says nothing at '%s' (basis=%s)", p->site,
			     sg_graft_str(p->g, "basis"));
	if (rc >= 0)
		rc = sg_basis_top(v, c, d, r, p->seed, stream);
	free(c);
	free(cov);
	free(sum);
	return rc;
}

static int make_bases(struct sg_part *p, const struct ear *e)
{
	struct sg_phi_shape s = sg_phi_shape(p);
	size_t r = s.r * s.n, out = p->at.out;
	float *u = NULL, *v = NULL, *rows = NULL;
	int rc = SG_NEW(v, r * p->at.in);

	if (rc >= 0)
		rc = SG_NEW(u, r * out);
	if (rc >= 0)
		rc = SG_NEW(rows, r * out);
	if (rc >= 0)
		rc = directions(v, &e->in, p, e->tokens, r, sg_phi_stream(p));
	if (rc >= 0 && !hidden(p))
		rc = directions(rows, &e->out, p, e->tokens, r, sg_phi_stream(p) + 1);
	for (size_t i = 0; rc >= 0 && i < r; i++)
		for (size_t j = 0; j < out; j++)
			u[j * r + i] = hidden(p) ? v[i * out + j] : rows[i * out + j];
	if (rc >= 0)
		rc = sg_phi_put_bases(p, &s, u, v);
	free(u);
	free(v);
	free(rows);
	return rc;
}

static int make_places(struct sg_part *p, const struct ear *e)
{
	size_t n = p->at.out * p->at.in;
	float *dw;
	int rc;

	SG_TRY(SG_NEW(dw, n));
	rc = p->g->dev->be->get(p->g->dev, dw, e->dw, n * sizeof(*dw));
	if (rc >= 0)
		rc = sg_phi_choose_residual(p, dw);
	free(dw);
	return rc;
}

/* --- least squares -------------------------------------------------------------------- */

/* B x of every stage; the last forward before the backward is the one that counts. */
static int fit_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct sg_phi_shape s = sg_phi_shape(p);

	(void)y;
	for (size_t i = 0; keep && i < s.n; i++) {
		struct sg_phi_stage g = sg_phi_stage(p, &s, i);
		struct sg_mat b = sg_part_mat(p, g.at + SG_PHI_B);

		SG_TRY(SG_CALL(dev, linear_fwd, g.t, x, &b, NULL, N, g.r, g.in, false));
	}
	return 0;
}

static int fit_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct ear *e = p->own;
	struct sg_phi_shape s = sg_phi_shape(p);
	float gain = sg_phi_gain(p, &s), step = -(float)sg_graft_num(p->g, "eta") / (s.scale * gain * gain);

	(void)dx;
	(void)x;
	for (size_t i = 0; i < s.n; i++) {
		struct sg_phi_stage g = sg_phi_stage(p, &s, i);
		struct sg_mat a = sg_part_mat(p, g.at + SG_PHI_A);

		SG_TRY(SG_CALL(dev, linear_dx, g.du, dy, &a, N, g.out, g.r, false));
		SG_TRY(SG_CALL(dev, scale, g.du, g.du, step, N * g.r));
		SG_TRY(dev->be->get(dev, e->x, g.t, N * g.r * sizeof(float)));
		SG_TRY(dev->be->get(dev, e->t, g.du, N * g.r * sizeof(float)));
		sg_lsq_add(&e->q[i], e->x, e->t, N);
	}
	return 0;
}

static int open_fit(struct sg_part *p, struct ear *e)
{
	struct sg_phi_shape s = sg_phi_shape(p);

	SG_TRY(SG_NEW(e->q, s.n));
	SG_TRY(SG_NEW(e->x, p->g->cap * s.r));
	SG_TRY(SG_NEW(e->t, p->g->cap * s.r));
	for (size_t i = 0; i < s.n; i++)
		SG_TRY(sg_lsq_init(&e->q[i], s.r, s.r));
	return 0;
}

static int fit_stage(struct sg_part *p, const struct sg_phi_shape *s, struct sg_lsq *q, size_t i)
{
	float *t[SG_PHI_TENSORS];
	double *phi;
	size_t rank;
	int rc;

	SG_TRY(SG_NEW(phi, s->r * s->r));
	rc = sg_phi_get_form(t, p, &s->form, i);
	if (rc >= 0)
		rc = sg_lsq_solve(phi, &rank, q, LS_TOLERANCE);
	for (size_t k = 0; rc >= 0 && k < s->r * s->r; k++)
		if (!isfinite(phi[k]))
			rc = sg_fail(SG_E_REFUSED, "phi: least squares at '%s' gives what is no number", p->site);
	if (rc >= 0)
		rc = sg_phiform_fit(t, &s->form, phi);
	if (rc >= 0)
		rc = sg_phi_put_form(p, &s->form, i, t);
	sg_phi_free_form(t);
	free(phi);
	return rc;
}

/* --- the rounds ------------------------------------------------------------------------ */

int sg_phi_listen(struct sg_part *p, unsigned round)
{
	struct ear *e;

	SG_TRY(SG_NEW(e, 1));
	p->own = e;
	e->keep = p->hook;
	SG_TRY(round ? open_fit(p, e) : open_signals(p, e));
	p->hook.fwd = round ? fit_fwd : hear_fwd;
	p->hook.bwd = round ? fit_bwd : hear_bwd;
	return 0;
}

int sg_phi_heard(struct sg_part *p, unsigned round, bool ok)
{
	struct sg_phi_shape s = sg_phi_shape(p);
	struct ear *e = p->own;
	int rc = 0;

	if (!e)
		return 0;
	p->hook.fwd = e->keep.fwd;
	p->hook.bwd = e->keep.bwd;
	if (ok && !round && hears_bases(&s))
		rc = make_bases(p, e);
	if (ok && !round && rc >= 0 && e->dw)
		rc = make_places(p, e);
	for (size_t i = 0; ok && round && rc >= 0 && i < s.n; i++)
		rc = fit_stage(p, &s, &e->q[i], i);
	for (size_t i = 0; e->q && i < s.n; i++)
		sg_lsq_release(&e->q[i]);
	if (e->mem)
		p->g->dev->be->free(p->g->dev, e->mem);
	free(e->q);
	free(e->x);
	free(e->t);
	free(e);
	p->own = NULL;
	return rc;
}
