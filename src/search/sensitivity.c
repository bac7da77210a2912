/* Scores of sites: a hook at each listens to what comes by. */
#include "search/sensitivity.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

struct ear {
	struct sg_hook hook;
	struct run *r;
	struct sg_site at;
	struct sg_site_score *s;
	bool on, off;			/* listens; takes the map's output away */
	float *one, *all;		/* device: G of this sample, of all; NULL unless it listens */
	float *y;			/* host [cap,out], what went out */
	size_t n;			/* rows of it */
	double rows;			/* of all samples */
};

struct run {
	const struct sg_sensitivity_in *in;
	struct sg_pass pass;
	struct ear *ear;
	size_t n;
	float *loss, *x, *dy;		/* host: [cap], [cap,widest] */
	double nats, tokens, samples;
};

static bool hidden(const struct ear *e)
{
	return e->at.kind == SG_SITE_HIDDEN;
}

/* Floats of G. */
static size_t size_of(const struct ear *e)
{
	return hidden(e) ? e->at.out : e->at.out * e->at.in;
}

static size_t bytes_of(const struct ear *e, size_t cap)
{
	return (2 * size_of(e) + cap * e->at.out) * sizeof(float);
}

/* --- hooks ------------------------------------------------------------------- */

static int heard_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct ear *e = ctx;

	(void)x, (void)keep;
	if (e->off)
		return SG_CALL(dev, zero, y, N * e->at.out);
	if (!e->on)
		return 0;
	e->n = N;
	return dev->be->get(dev, e->y, y, N * e->at.out * sizeof(float));
}

static double square(const float *v, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += (double)v[i] * v[i];
	return s;
}

static void add_up(struct ear *e, const float *x, const float *dy, size_t N)
{
	struct sg_site_score *s = e->s;
	size_t in = e->at.in, out = e->at.out;

	e->rows += (double)N;
	for (size_t i = 0; i < N; i++) {
		const float *d = dy + i * out, *y = e->y + i * out;
		double xx = hidden(e) ? square(y, out) : square(x + i * in, in), dd = square(d, out), a = 0;

		for (size_t j = 0; j < out; j++)
			a += fabs((double)y[j] * d[j]);
		s->activation += xx / (double)in;
		s->actgrad += a;
		s->ntk += hidden(e) ? dd : xx * dd;
		s->error += dd;
	}
}

/* Column sums: what a vector added at a hidden site would get. */
static int add_rows(struct ear *e, struct sg_device *dev, const float *dy, size_t N)
{
	for (size_t i = 0; i < N; i++)
		SG_TRY(SG_CALL(dev, add, e->one, dy + i * e->at.out, e->at.out));
	return 0;
}

static int heard_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct ear *e = ctx;
	size_t in = e->at.in, out = e->at.out;

	(void)dx;
	if (!e->on)
		return 0;
	if (N != e->n)
		return sg_fail(SG_E_ERROR, "site '%s': %zu rows came back of %zu", e->s->site, N, e->n);
	if (!hidden(e))
		SG_TRY(dev->be->get(dev, e->r->x, x, N * in * sizeof(float)));
	SG_TRY(dev->be->get(dev, e->r->dy, dy, N * out * sizeof(float)));
	add_up(e, e->r->x, e->r->dy, N);
	if (hidden(e))
		return add_rows(e, dev, dy, N);
	return SG_CALL(dev, linear_dw, e->one, NULL, dy, x, N, out, in);
}

/* --- passes -------------------------------------------------------------------- */

/* Of one sample. */
static int sample_end(struct ear *e, double tokens)
{
	struct sg_device *dev = e->r->in->model->dev;
	double s;

	SG_TRY(SG_CALL(dev, sumsq, &s, e->one, size_of(e)));
	e->s->fisher += s / tokens;
	SG_TRY(SG_CALL(dev, add, e->all, e->one, size_of(e)));
	return SG_CALL(dev, zero, e->one, size_of(e));
}

/* Every sample once; train: with gradients, for the ears that listen. */
static int all_samples(struct run *r, bool train, const char *what)
{
	r->nats = r->tokens = r->samples = 0;
	for (size_t i = 0; ; i++) {
		struct sg_batch *b = NULL;
		size_t scored = 0;

		SG_TRY(r->in->next(&b, r->in->arg, i));
		if (!b)
			return r->samples ? 0 : sg_fail(SG_E_REFUSED, "there is no text to look at");
		SG_TRY(train ? sg_pass_train(&r->pass, b, 1.0f, r->loss) : sg_pass_loss(&r->pass, b, r->loss));
		for (size_t k = 0; k < b->n; k++)
			if (b->target[k] >= 0) {
				r->nats += r->loss[k];
				scored++;
			}
		r->tokens += (double)scored;
		r->samples += scored > 0;
		for (size_t k = 0; train && scored && k < r->n; k++)
			if (r->ear[k].on)
				SG_TRY(sample_end(&r->ear[k], (double)scored));
		if (sg_progress(r->in->progress, what, i + 1, 0, ""))
			return sg_fail(SG_E_INTERRUPTED, "interrupted");
	}
}

/* sum |W G|, W widened some rows at a time. */
static int weight_times_gradient(double *out, struct ear *e)
{
	struct sg_device *dev = e->r->in->model->dev;
	size_t in = e->at.in, rows = SG_MIN((size_t)64, e->at.out);
	float *w = NULL, *g = NULL;
	void *dw = NULL, *ids = NULL;
	int32_t id[64];
	int rc = SG_NEW(w, rows * in);

	*out = 0;
	if (rc >= 0)
		rc = SG_NEW(g, rows * in);
	if (rc >= 0)
		rc = dev->be->alloc(dev, &dw, rows * in * sizeof(float));
	if (rc >= 0)
		rc = dev->be->alloc(dev, &ids, sizeof(id));
	for (size_t at = 0; rc >= 0 && at < e->at.out; at += rows) {
		size_t n = SG_MIN(rows, e->at.out - at);

		for (size_t i = 0; i < n; i++)
			id[i] = (int32_t)(at + i);
		rc = dev->be->put(dev, ids, id, n * sizeof(*id));
		if (rc >= 0)
			rc = SG_CALL(dev, embed_fwd, dw, &e->at.lin->w, ids, n, in);
		if (rc >= 0)
			rc = dev->be->get(dev, w, dw, n * in * sizeof(float));
		if (rc >= 0)
			rc = dev->be->get(dev, g, e->all + at * in, n * in * sizeof(float));
		for (size_t i = 0; rc >= 0 && i < n * in; i++)
			*out += fabs((double)w[i] * g[i]);
	}
	if (dw)
		dev->be->free(dev, dw);
	if (ids)
		dev->be->free(dev, ids);
	free(w);
	free(g);
	return rc;
}

static int finish(struct ear *e)
{
	struct sg_device *dev = e->r->in->model->dev;
	struct sg_site_score *s = e->s;
	double g, tokens = e->r->tokens;

	SG_TRY(SG_CALL(dev, sumsq, &g, e->all, size_of(e)));
	s->gradient = sqrt(g) / tokens;
	if (!hidden(e) && e->at.lin->w.data) {
		SG_TRY(weight_times_gradient(&s->weightgrad, e));
		s->weightgrad /= tokens;
	}
	s->fisher /= e->r->samples;
	s->activation = sqrt(s->activation / e->rows);
	s->actgrad /= tokens;
	s->ntk /= tokens;
	s->error = sqrt(s->error / tokens);
	return 0;
}

/* --- groups --------------------------------------------------------------------- */

static int open_ear(struct ear *e)
{
	struct sg_device *dev = e->r->in->model->dev;
	void *mem;

	SG_TRY(SG_NEW(e->y, e->r->in->cap * e->at.out));
	SG_TRY(dev->be->alloc(dev, &mem, 2 * size_of(e) * sizeof(float)));
	e->one = mem;
	e->all = e->one + size_of(e);
	SG_TRY(SG_CALL(dev, zero, e->one, 2 * size_of(e)));
	e->on = true;
	return 0;
}

static void close_ear(struct ear *e)
{
	struct sg_device *dev = e->r->in->model->dev;

	if (e->one)
		dev->be->free(dev, e->one);
	free(e->y);
	e->one = e->all = e->y = NULL;
	e->on = false;
}

/* As many sites as fit listen together. */
static int listen(struct run *r, size_t at, size_t *end)
{
	size_t held = 0;
	int rc = 0;

	for (*end = at; *end < r->n && (*end == at || held + bytes_of(&r->ear[*end], r->in->cap) <= r->in->bytes); ++*end)
		held += bytes_of(&r->ear[*end], r->in->cap);
	for (size_t i = at; rc >= 0 && i < *end; i++)
		rc = open_ear(&r->ear[i]);
	if (rc >= 0)
		rc = all_samples(r, true, "listen");
	for (size_t i = at; rc >= 0 && i < *end; i++)
		rc = finish(&r->ear[i]);
	for (size_t i = at; i < *end; i++)
		close_ear(&r->ear[i]);
	return rc;
}

static int impacts(struct run *r)
{
	double loss;

	SG_TRY(all_samples(r, false, "losses"));
	loss = r->nats / r->tokens;
	for (size_t i = 0; i < r->n; i++) {
		if (hidden(&r->ear[i]))
			continue;
		r->ear[i].off = true;
		SG_TRY(all_samples(r, false, r->ear[i].s->site));
		r->ear[i].off = false;
		r->ear[i].s->impact = r->nats / r->tokens - loss;
	}
	return 0;
}

static int attach(struct run *r, size_t i)
{
	struct ear *e = &r->ear[i];
	const char *name = r->in->sites->name[i];

	e->r = r;
	SG_TRY(sg_site_find(&e->at, r->in->model, name));
	if (e->at.kind != SG_SITE_LINEAR && e->at.kind != SG_SITE_HIDDEN && e->at.kind != SG_SITE_HEAD)
		return sg_fail(SG_E_REFUSED, "site '%s' has no input and output to look at; take linear maps and hidden states",
			       name);
	snprintf(e->s->site, sizeof(e->s->site), "%s", name);
	e->s->parameters = size_of(e);
	if (!hidden(e) && e->at.lin->w.data)
		e->s->bytes = sg_dtype_bytes(e->at.lin->w.dtype, size_of(e));
	e->hook = (struct sg_hook){ .ctx = e, .trains = true, .fwd = heard_fwd, .bwd = heard_bwd };
	sg_hook_add(hidden(e) ? &e->at.block->out : &e->at.lin->hooks, &e->hook);
	return 0;
}

static int run_init(struct run *r, struct sg_site_score *out)
{
	size_t widest = 1;

	SG_TRY(SG_NEW(r->ear, r->in->sites->n));
	for (r->n = 0; r->n < r->in->sites->n; r->n++) {
		r->ear[r->n].s = &out[r->n];
		SG_TRY(attach(r, r->n));
		widest = SG_MAX(widest, SG_MAX(r->ear[r->n].at.in, r->ear[r->n].at.out));
	}
	SG_TRY(SG_NEW(r->loss, r->in->cap));
	SG_TRY(SG_NEW(r->x, r->in->cap * widest));
	SG_TRY(SG_NEW(r->dy, r->in->cap * widest));
	return sg_pass_init(&r->pass, r->in->model, r->in->cap, true);
}

int sg_sensitivity_scores(struct sg_site_score *out, const struct sg_sensitivity_in *in)
{
	struct run r = { .in = in };
	int rc;

	memset(out, 0, in->sites->n * sizeof(*out));
	rc = run_init(&r, out);
	for (size_t at = 0, end; rc >= 0 && at < r.n; at = end)
		rc = listen(&r, at, &end);
	if (rc >= 0 && in->impact)
		rc = impacts(&r);
	if (r.pass.m)
		sg_pass_release(&r.pass);
	free(r.ear);
	free(r.loss);
	free(r.x);
	free(r.dy);
	return rc;
}
