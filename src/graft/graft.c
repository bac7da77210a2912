#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include <assert.h>
#include <errno.h>
#include <math.h>

const struct sg_graft_type *const sg_graft_types[] = {
#define SG_GRAFT(name) &sg_graft_##name,
#include "graft/types.def"
#undef SG_GRAFT
	NULL
};

const struct sg_graft_type *sg_graft_type_find(const char *name)
{
	for (const struct sg_graft_type *const *t = sg_graft_types; *t; t++)
		if (!strcmp((*t)->name, name))
			return *t;
	return NULL;
}

/* --- hyperparameters ------------------------------------------------------- */

static const struct sg_hyper *hyper_find(const struct sg_graft_type *t, const char *key, size_t n)
{
	for (const struct sg_hyper *h = t->hyper; h && h->key; h++)
		if (strlen(h->key) == n && !memcmp(h->key, key, n))
			return h;
	return NULL;
}

static bool is_number(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	return *s && !*end && isfinite(v);
}

/* Integers are stored as integers, numbers in their one way of writing, all else as text. */
static int set_hyper(struct sg_graft *g, const char *key, const char *value, bool number)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(value, &end, 10);
	if (*value && !*end && !errno)
		return sg_graftfile_set_i64(&g->file, key, v);
	return number ? sg_graftfile_set_f64(&g->file, key, strtod(value, NULL)) :
	       sg_graftfile_set_str(&g->file, key, value);
}

static int set_hypers(struct sg_graft *g, const struct sg_names *given)
{
	for (const struct sg_hyper *h = g->type->hyper; h && h->key; h++)
		SG_TRY(set_hyper(g, h->key, h->value, is_number(h->value)));
	for (size_t i = 0; given && i < given->n; i++) {
		const char *kv = given->name[i], *eq = strchr(kv, '=');
		const struct sg_hyper *h = eq ? hyper_find(g->type, kv, (size_t)(eq - kv)) : NULL;

		if (!h)
			return sg_fail(SG_E_USAGE, "graft type '%s' has no hyperparameter '%.*s'", g->type->name,
				       (int)strcspn(kv, "="), kv);
		if (is_number(h->value) && !is_number(eq + 1))
			return sg_fail(SG_E_USAGE, "%s: %s must be a number, not '%.100s'", g->type->name, h->key, eq + 1);
		SG_TRY(set_hyper(g, h->key, eq + 1, is_number(h->value)));
	}
	return 0;
}

/* A graft from before the type had the key: the default stands for what it did then. */
static const char *default_of(const struct sg_graft *g, const char *key)
{
	const struct sg_hyper *h = hyper_find(g->type, key, strlen(key));

	return h ? h->value : "";
}

int64_t sg_graft_int(const struct sg_graft *g, const char *key)
{
	int64_t v = strtoll(default_of(g, key), NULL, 10);

	return sg_graftfile_i64(&g->file, key, INT64_MIN, INT64_MAX, &v) < 0 ? 0 : v;
}

double sg_graft_num(const struct sg_graft *g, const char *key)
{
	double v = strtod(default_of(g, key), NULL);

	return sg_graftfile_f64(&g->file, key, &v) < 0 ? 0 : v;
}

const char *sg_graft_str(const struct sg_graft *g, const char *key)
{
	const char *s = default_of(g, key);

	return sg_graftfile_str(&g->file, key, &s) < 0 ? "" : s;
}

/* --- make, parse, free ----------------------------------------------------- */

static int set_sites(struct sg_graft *g, const struct sg_names *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		SG_TRY(sg_names_add(&g->file.sites, sites->name[i]));
	return 0;
}

int sg_graft_new(struct sg_graft **out, const char *type, const struct sg_names *sites,
		 const struct sg_names *hyper, const char *base)
{
	const struct sg_graft_type *t = sg_graft_type_find(type);
	struct sg_graft *g;
	int rc;

	if (!t)
		return sg_fail(SG_E_USAGE, "no graft type '%s'", type);
	SG_TRY(SG_NEW(g, 1));
	g->type = t;
	snprintf(g->file.base, sizeof(g->file.base), "%s", base);
	rc = sg_graftfile_set_kind(&g->file, type);
	if (rc >= 0)
		rc = set_hypers(g, hyper);
	if (rc >= 0)
		rc = set_sites(g, sites);
	if (rc < 0)
		sg_graft_free(g);
	else
		*out = g;
	return rc;
}

int sg_graft_parse(struct sg_graft **out, const char *data, size_t n, const char *what)
{
	struct sg_graft *g;
	int rc;

	SG_TRY(SG_NEW(g, 1));
	rc = sg_graftfile_parse(&g->file, data, n, what);
	if (rc >= 0) {
		g->type = sg_graft_type_find(g->file.kind);
		rc = g->type ? sg_sha256_hex(g->id, data, n) :
		     sg_fail(SG_E_UNSUPPORTED, "%s: this sg does not know graft type '%s'", what, g->file.kind);
	}
	if (rc < 0)
		sg_graft_free(g);
	else
		*out = g;
	return rc;
}

void sg_graft_free(struct sg_graft *g)
{
	if (!g)
		return;
	if (g->scratch)
		g->dev->be->free(g->dev, g->scratch);
	sg_slab_release(&g->params);
	sg_slab_release(&g->grads);
	sg_graftfile_release(&g->file);
	free(g->part);
	free(g);
}

/* --- attach ---------------------------------------------------------------- */

int sg_part_tensor(struct sg_part *p, size_t i, const char *name, size_t rows, size_t cols, bool frozen)
{
	char full[160];

	assert(i < SG_LEN(p->t));
	if (p->at.kind == SG_SITE_SLOT)
		snprintf(full, sizeof(full), "%s", name);
	else
		snprintf(full, sizeof(full), "%s.%s", p->site, name);
	SG_TRY(sg_slab_add(&p->g->params, full, rows, cols, frozen));
	p->index[i] = p->g->params.n;
	return 0;
}

/* The array of tensors moved while it grew: pointers come last. */
static void point_at_tensors(struct sg_graft *g)
{
	for (size_t i = 0; i < g->n; i++)
		for (size_t j = 0; j < SG_LEN(g->part[i].t); j++)
			if (g->part[i].index[j])
				g->part[i].t[j] = &g->params.t[g->part[i].index[j] - 1];
}

static int resolve(struct sg_graft *g, struct sg_model *m)
{
	g->n = g->file.sites.n;
	SG_TRY(SG_NEW(g->part, g->n));
	for (size_t i = 0; i < g->n; i++) {
		struct sg_part *p = &g->part[i];

		p->g = g;
		p->site = g->file.sites.name[i];
		SG_TRY(sg_site_find(&p->at, m, p->site));
		if (!(g->type->sites >> p->at.kind & 1))
			return sg_fail(SG_E_REFUSED, "a graft of type '%s' cannot stand at '%s'", g->type->name, p->site);
		SG_TRY(g->type->declare(p, m));
	}
	return 0;
}

/* The manifest of a loaded graft must list just the tensors that its type makes here. */
static int check_shapes(const struct sg_graft *g)
{
	if (g->file.n_tensors != g->params.n)
		return sg_fail(SG_E_REFUSED, "graft %.16s has %zu tensors where this model gives it %zu", g->id,
			       g->file.n_tensors, g->params.n);
	for (size_t i = 0; i < g->params.n; i++) {
		const struct sg_tensor *t = &g->params.t[i];
		const struct sg_graftfile_tensor *f = sg_graftfile_tensor(&g->file, t->name);

		if (!f || f->dtype != SG_F32 || f->ndim != t->ndim || f->shape[0] != t->shape[0] ||
		    (t->ndim > 1 && f->shape[1] != t->shape[1]))
			return sg_fail(SG_E_REFUSED, "graft %.16s: tensor '%s' does not fit this model", g->id, t->name);
	}
	return 0;
}

static int load_params(struct sg_graft *g, const struct sg_graft_source *src)
{
	for (size_t i = 0; i < g->params.n; i++) {
		const struct sg_tensor *t = &g->params.t[i];
		size_t bytes = t->n * sizeof(float);
		float *tmp;
		int rc;

		SG_TRY(SG_NEW(tmp, t->n));
		rc = src->read(src->arg, tmp, bytes, t->name, sg_graftfile_tensor(&g->file, t->name)->sha256);
		if (rc >= 0)
			rc = g->dev->be->put(g->dev, sg_slab_ptr(&g->params, t), tmp, bytes);
		free(tmp);
		SG_TRY(rc);
	}
	return 0;
}

static size_t floats(size_t (*of)(const struct sg_part *), const struct sg_part *p)
{
	return of ? of(p) : 0;
}

/* What parts need whatever the batch stands in front of what they need for each token. */
static int make_scratch(struct sg_graft *g, size_t cap)
{
	const struct sg_graft_type *t = g->type;
	size_t front = 0, total = 0, at = 0;
	void *p;

	for (size_t i = 0; i < g->n; i++) {
		front += floats(t->fixed, &g->part[i]);
		total += floats(t->scratch, &g->part[i]) * cap;
	}
	if (!front && !total)
		return 0;
	SG_TRY(g->dev->be->alloc(g->dev, &p, (front + total) * sizeof(float)));
	g->scratch = p;
	g->cap = cap;
	for (size_t i = 0, f = 0; i < g->n; i++) {
		g->part[i].fixed = g->scratch + f;
		g->part[i].scratch = g->scratch + front + at;
		f += floats(t->fixed, &g->part[i]);
		at += floats(t->scratch, &g->part[i]) * cap;
	}
	return front ? SG_CALL(g->dev, zero, g->scratch, front) : 0;
}

/* The tensors' gradients and behind them the sums, so that zeroing the slab zeroes both. */
static int make_grads(struct sg_graft *g)
{
	struct sg_slab s = g->params;
	size_t at = s.floats;

	for (size_t i = 0; i < g->n; i++)
		s.floats += floats(g->type->sums, &g->part[i]);
	SG_TRY(sg_slab_like(&g->grads, &s));
	for (size_t i = 0; i < g->n; i++) {
		g->part[i].sums = g->grads.data + at;
		at += floats(g->type->sums, &g->part[i]);
	}
	return 0;
}

int sg_part_join(struct sg_part *p, sg_part_fwd *fwd, sg_part_bwd *bwd)
{
	p->hook.fwd = fwd;
	p->hook.bwd = bwd;
	sg_hook_add(p->at.kind == SG_SITE_HIDDEN ? &p->at.block->out : p->at.kind == SG_SITE_MLP ? &p->at.block->mlp :
		    &p->at.lin->hooks, &p->hook);
	return 0;
}

int sg_graft_attach(struct sg_graft *g, struct sg_model *m, size_t cap, bool trains, uint64_t seed,
		    const struct sg_graft_source *src)
{
	g->dev = m->dev;
	g->trains = trains;
	SG_TRY(resolve(g, m));
	if (src)
		SG_TRY(check_shapes(g));
	SG_TRY(sg_slab_alloc(&g->params, m->dev));
	point_at_tensors(g);
	SG_TRY(make_scratch(g, cap));
	if (src)
		SG_TRY(load_params(g, src));
	for (size_t i = 0; !src && i < g->n; i++)
		SG_TRY(g->type->start(&g->part[i], m, seed));
	if (trains)
		SG_TRY(make_grads(g));
	for (size_t i = 0; i < g->n; i++) {
		g->part[i].hook.ctx = &g->part[i];
		g->part[i].hook.trains = trains;
		SG_TRY(g->type->attach(&g->part[i], m));
	}
	return 0;
}

/* --- values in and out ----------------------------------------------------- */

int sg_part_put(struct sg_part *p, size_t i, const float *v)
{
	return p->g->dev->be->put(p->g->dev, sg_part_data(p, i), v, p->t[i]->n * sizeof(float));
}

int sg_part_normal(struct sg_part *p, size_t i, float std, uint64_t seed)
{
	size_t n = p->t[i]->n;
	float *v;
	int rc;

	SG_TRY(SG_NEW(v, n));
	sg_rng_normal(v, n, seed, sg_rng_stream(p->t[i]->name));
	for (size_t j = 0; j < n; j++)
		v[j] *= std;
	rc = sg_part_put(p, i, v);
	free(v);
	return rc;
}

int sg_part_fill(struct sg_part *p, size_t i, float value)
{
	size_t n = p->t[i]->n;
	float *v;
	int rc;

	SG_TRY(SG_NEW(v, n));
	for (size_t j = 0; j < n; j++)
		v[j] = value;
	rc = sg_part_put(p, i, v);
	free(v);
	return rc;
}

int sg_graft_tensor(float **out, const struct sg_graft *g, const struct sg_tensor *t)
{
	float *v;
	int rc;

	SG_TRY(SG_NEW(v, t->n));
	rc = g->dev->be->get(g->dev, v, sg_slab_ptr(&g->params, t), t->n * sizeof(float));
	if (rc < 0)
		free(v);
	else
		*out = v;
	return rc;
}

int sg_graft_tensor_add(float *to, const struct sg_graft *g, const struct sg_tensor *t)
{
	float *v;

	SG_TRY(sg_graft_tensor(&v, g, t));
	for (size_t i = 0; i < t->n; i++)
		to[i] += v[i];
	free(v);
	return 0;
}

int sg_linear_weight(float **out, const struct sg_linear *l, struct sg_device *dev)
{
	const struct sg_mat *w = &l->w;
	struct sg_mat host = { .dtype = w->dtype, .rows = w->rows, .cols = w->cols };
	void *bytes = NULL;
	float *v = NULL;
	int rc;

	rc = (bytes = sg_calloc(sg_mat_bytes(w), 1)) ? SG_NEW(v, w->rows * w->cols) : -SG_E_NOMEM;
	host.data = bytes;
	if (rc >= 0 && (w->ld || w->pair))	/* a view of host memory */
		sg_mat_pack(bytes, w);
	else if (rc >= 0)
		rc = dev->be->get(dev, bytes, w->data, sg_mat_bytes(w));
	for (size_t i = 0; rc >= 0 && i < w->rows; i++)
		sg_mat_widen(v + i * w->cols, &host, i);
	free(bytes);
	if (rc < 0)
		free(v);
	else
		*out = v;
	return rc;
}

int sg_part_weight(float **out, const struct sg_part *p)
{
	if (!p->at.lin->w.data)
		return sg_fail(SG_E_REFUSED, "%s: '%s' has no weight of its own", p->g->type->name, p->site);
	return sg_linear_weight(out, p->at.lin, p->g->dev);
}

int sg_part_bias(float **out, const struct sg_part *p)
{
	const struct sg_linear *l = p->at.lin;
	float *v = NULL;
	int rc = 0;

	if (l->bias.v) {
		SG_TRY(SG_NEW(v, l->out));
		rc = p->g->dev->be->get(p->g->dev, v, l->bias.v, l->out * sizeof(*v));
	}
	if (rc < 0)
		free(v);
	else
		*out = v;
	return rc;
}

int sg_graft_seal(struct sg_graft *g)
{
	for (size_t i = 0; i < g->params.n; i++) {
		const struct sg_tensor *t = &g->params.t[i];
		float *v;
		int rc;

		SG_TRY(sg_graft_tensor(&v, g, t));
		rc = sg_graftfile_add_tensor(&g->file, t->name, SG_F32, t->ndim, t->shape, v);
		free(v);
		SG_TRY(rc);
	}
	if (g->type->seal)
		SG_TRY(g->type->seal(g));
	return sg_graftfile_id(g->id, &g->file);
}

size_t sg_graft_trained(const struct sg_graft *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->params.n; i++)
		n += g->params.t[i].frozen ? 0 : g->params.t[i].n;
	return n;
}
