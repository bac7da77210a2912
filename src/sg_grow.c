/* Training: from options to a candidate on its own ref. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "train/state.h"
#include "train/train.h"
#include <math.h>
#include <sys/stat.h>

#define CURVE_POINTS 200	/* kept in train.json */
#define KNOWS_LITTLE 0.1	/* nats below guessing: what a base of random weights may have */

bool sg_type_info(struct sg_type_info *out, size_t i)
{
	const struct sg_graft_type *t;

	for (size_t k = 0; k <= i; k++)
		if (!sg_graft_types[k])
			return false;
	t = sg_graft_types[i];
	*out = (struct sg_type_info){ t->name, t->brief, t->default_sites };
	return true;
}

bool sg_type_key(struct sg_type_key *out, const char *type, size_t i)
{
	const struct sg_graft_type *t = sg_graft_type_find(type);
	const struct sg_hyper *h = t ? t->hyper : NULL;

	for (; h && h->key; h++)
		if (i-- == 0) {
			*out = (struct sg_type_key){ h->key, h->value, h->help };
			return true;
		}
	return false;
}

void sg_train_defaults(struct sg_train_opts *o)
{
	struct sg_recipe r;

	sg_recipe_default(&r);
	*o = (struct sg_train_opts){
		.seed = r.seed, .steps = r.steps, .batch = r.batch, .seq = r.seq, .warmup = r.warmup,
		.lr = r.lr, .min_lr = r.min_lr, .decay = r.decay, .clip = r.clip, .save_every = 50,
	};
}

/* Everything that a run holds. */
struct grow {
	struct sg_repo *r;
	const struct sg_train_opts *o;
	struct sg_view view;
	struct sg_sets sets;
	struct sg_recipe recipe;
	struct sg_composed model;
	struct sg_graft *g;
	const struct sg_tokens **train;	/* [recipe.data.n] */
	size_t micro;
	char *state;
};

/* --- the recipe -------------------------------------------------------------- */

static int add_set(struct sg_recipe *c, const struct sg_set *s)
{
	char text[200];

	snprintf(text, sizeof(text), "%.64s:%s", s->manifest.name, s->id);
	return sg_names_add(&c->data, text);
}

static int choose_sets(struct grow *w)
{
	for (size_t i = 0; i < w->o->data.n; i++) {
		const struct sg_set *s = sg_sets_find(&w->sets, w->o->data.name[i]);

		if (!s)
			return sg_fail(SG_E_NOTFOUND, "no data set '%s'", w->o->data.name[i]);
		if (s->manifest.role != SG_ROLE_TRAIN)
			return sg_fail(SG_E_REFUSED, "data set '%s' has the role %s; only sets of role train are trained on",
				       s->manifest.name, sg_role_name(s->manifest.role));
		SG_TRY(add_set(&w->recipe, s));
	}
	for (size_t i = 0; !w->o->data.n && i < w->sets.n; i++)
		if (w->sets.set[i].manifest.role == SG_ROLE_TRAIN)
			SG_TRY(add_set(&w->recipe, &w->sets.set[i]));
	if (!w->recipe.data.n)
		return sg_fail(SG_E_NOTFOUND, "no data to train on; add some with 'sg data add NAME --role train FILE...'");
	return 0;
}

/* Tokens of the recipe's sets; the ids must still be those of the recipe. */
static int open_train_sets(struct grow *w)
{
	SG_TRY(SG_NEW(w->train, w->recipe.data.n));
	for (size_t i = 0; i < w->recipe.data.n; i++) {
		const char *text = w->recipe.data.name[i], *colon = strrchr(text, ':');
		char name[200];
		const struct sg_set *s;

		snprintf(name, sizeof(name), "%.*s", (int)(colon ? colon - text : 0), text);
		s = sg_sets_find(&w->sets, name);
		if (!s || !colon || strcmp(s->id, colon + 1))
			return sg_fail(SG_E_NOTFOUND, "the registry has no data set '%s' as the run wants it", name);
		SG_TRY(sg_set_tokens(&w->train[i], s));
	}
	return 0;
}

static int fill_recipe(struct grow *w)
{
	const struct sg_train_opts *o = w->o;
	struct sg_recipe *c = &w->recipe;

	if (o->name && !sg_dataset_name_ok(o->name))
		return sg_fail(SG_E_USAGE, "'%.100s' is no name for a graft (letters, digits, '.', '_', '-', at most 64)",
			       o->name);
	sg_recipe_default(c);
	SG_TRY((c->type = sg_strdup(o->type)) ? 0 : -SG_E_NOMEM);
	if (o->name)
		SG_TRY((c->name = sg_strdup(o->name)) ? 0 : -SG_E_NOMEM);
	for (size_t i = 0; i < o->hyper.n; i++)
		SG_TRY(sg_names_add(&c->hyper, o->hyper.name[i]));
	strcpy(c->parent, w->view.state);
	c->seed = o->seed;
	c->batch = o->batch;
	c->seq = o->seq;
	c->steps = o->tokens ? (o->tokens + o->batch * o->seq - 1) / SG_MAX(o->batch * o->seq, 1) : o->steps;
	c->warmup = o->warmup;
	c->lr = o->lr;
	c->min_lr = o->min_lr;
	c->decay = o->decay;
	c->clip = o->clip;
	SG_TRY(sg_recipe_check(c));
	return choose_sets(w);
}

static bool named(const char *globs, const char *site)
{
	size_t n = strlen(site);

	for (const char *s = globs; (s = strstr(s, site)); s += n)
		if ((s == globs || strchr(", ", s[-1])) && (!s[n] || strchr(", ", s[n])))
			return true;
	return false;
}

/* What a glob matched and the type cannot use is not meant; a name is. */
static int fitting_sites(struct grow *w, const struct sg_graft_type *t, const struct sg_names *all, const char *globs)
{
	for (size_t i = 0; i < all->n; i++) {
		struct sg_site at;

		SG_TRY(sg_site_find(&at, &w->model.model, all->name[i]));
		if (t->sites >> at.kind & 1 || named(globs, all->name[i]))
			SG_TRY(sg_names_add(&w->recipe.sites, all->name[i]));
	}
	return w->recipe.sites.n ? 0 : sg_fail(SG_E_REFUSED, "no site that '%s' names can take a graft of type '%s'", globs,
					       t->name);
}

/* Site globs become names once there is a model to match them with. */
static int choose_sites(struct grow *w)
{
	const struct sg_graft_type *t = sg_graft_type_find(w->recipe.type);
	const char *globs = w->o->sites;
	struct sg_names all = { 0 };
	char top[40];
	int rc;

	if (!t)
		return sg_fail(SG_E_USAGE, "no graft type '%s'", w->recipe.type);
	snprintf(top, sizeof(top), "slot.%zu", w->model.model.desc.layers);
	if (!globs)
		globs = t->default_sites ? t->default_sites : top;
	rc = sg_site_match(&all, &w->model.model, globs);
	if (rc >= 0)
		rc = fitting_sites(w, t, &all, globs);
	sg_names_release(&all);
	return rc;
}

/* --- continuing -------------------------------------------------------------- */

/* The newest saved run. */
static int last_state(char **out, struct sg_repo *r)
{
	struct sg_names l = { 0 };
	char *dir = sg_repo_path(r, "jobs"), *best = NULL;
	struct timespec newest = { 0 };
	int rc = dir ? sg_dir_list(&l, dir) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const char *dot = strrchr(l.name[i], '.');
		char *path = sg_path_join(dir, l.name[i]);
		struct stat st;

		if (path && dot && !strcmp(dot, ".state") && stat(path, &st) == 0 &&
		    (st.st_mtim.tv_sec > newest.tv_sec ||
		     (st.st_mtim.tv_sec == newest.tv_sec && st.st_mtim.tv_nsec >= newest.tv_nsec))) {
			newest = st.st_mtim;
			free(best);
			best = path;
			path = NULL;
		}
		free(path);
	}
	sg_names_release(&l);
	free(dir);
	if (rc == -SG_E_NOTFOUND || (rc >= 0 && !best))
		rc = sg_fail(SG_E_NOTFOUND, "no stopped run to resume");
	*out = best;
	return rc;
}

static int take_up(struct grow *w)
{
	SG_TRY(last_state(&w->state, w->r));
	SG_TRY(sg_train_state_recipe(&w->recipe, w->state));
	if (strcmp(w->recipe.parent, w->view.state))
		return sg_fail(SG_E_REFUSED, "the stopped run was training on state %.16s, HEAD is at %.16s; "
			       "removing '%s' forgets it", w->recipe.parent, w->view.state, w->state);
	return 0;
}

static int name_state(struct grow *w)
{
	char id[SG_SHA256_HEX], *dir = sg_repo_path(w->r, "jobs");
	int rc = dir ? sg_dir_make(dir) : -SG_E_NOMEM;

	if (rc >= 0)
		rc = sg_recipe_id(id, &w->recipe);
	if (rc >= 0)
		rc = (w->state = sg_asprintf("%s/%.16s.state", dir, id)) ? 0 : -SG_E_NOMEM;
	free(dir);
	return rc;
}

/* --- the graft --------------------------------------------------------------- */

/* Grafts whose inside is a site are required; the other active ones come before. */
static int set_relations(struct grow *w)
{
	struct sg_graftfile *f = &w->g->file;

	for (size_t i = 0; i < w->view.ids.n; i++) {
		const char *id = w->view.ids.name[i];
		char prefix[40];
		bool inside = false;

		snprintf(prefix, sizeof(prefix), "grown.%.16s.", id);
		for (size_t j = 0; j < f->sites.n; j++)
			inside |= !strncmp(f->sites.name[j], prefix, strlen(prefix));
		SG_TRY(sg_names_add(inside ? &f->requires : &f->after, id));
	}
	return 0;
}

static int make_graft(struct grow *w)
{
	size_t rows = (size_t)(w->recipe.batch * w->recipe.seq);
	size_t cap = SG_MIN(SG_MAX(w->micro, (size_t)w->recipe.seq), rows);

	SG_TRY(sg_graft_new(&w->g, w->recipe.type, &w->recipe.sites, &w->recipe.hyper, w->view.base));
	SG_TRY(set_relations(w));
	return sg_graft_attach(w->g, &w->model.model, cap, true, w->recipe.seed, NULL);
}

/* --- the candidate ----------------------------------------------------------- */

static int train_json(struct sg_buf *out, const struct grow *w, const struct sg_train_out *t)
{
	struct sg_buf recipe = { 0 };
	struct sg_json_doc doc = { 0 };
	struct sg_jsonw j;
	uint64_t step = SG_MAX(t->steps / CURVE_POINTS, 1);
	int rc = sg_recipe_emit(&recipe, &w->recipe);

	if (rc >= 0)
		rc = sg_json_parse(&doc, recipe.data, recipe.len, "recipe");
	if (rc >= 0) {
		sg_jsonw_init(&j, out);
		sg_jsonw_object(&j);
		sg_jsonw_key(&j, "curve");
		sg_jsonw_array(&j);
		for (uint64_t i = 0; i < t->steps; i += step)
			sg_jsonw_f64(&j, t->curve[i]);
		sg_jsonw_end(&j, ']');
		sg_jsonw_key(&j, "curve_step");
		sg_jsonw_i64(&j, (int64_t)step);
		sg_jsonw_key(&j, "fingerprint");
		sg_jsonw_str(&j, w->r->dev.fingerprint);
		sg_jsonw_key(&j, "format");
		sg_jsonw_str(&j, "sg-train-1");
		sg_jsonw_key(&j, "last_loss");
		sg_jsonw_f64(&j, t->curve[t->steps - 1]);
		if (w->recipe.name) {
			sg_jsonw_key(&j, "name");
			sg_jsonw_str(&j, w->recipe.name);
		}
		sg_jsonw_key(&j, "recipe");
		sg_jsonw_node(&j, sg_json_root(&doc));
		sg_jsonw_key(&j, "seconds");
		sg_jsonw_f64(&j, round(t->seconds * 1000) / 1000);
		sg_jsonw_key(&j, "tokens");
		sg_jsonw_i64(&j, (int64_t)t->tokens);
		sg_jsonw_key(&j, "tool");
		sg_jsonw_str(&j, SG_TOOL);
		sg_jsonw_end(&j, '}');
		rc = sg_jsonw_done(&j);
	}
	sg_json_release(&doc);
	sg_buf_release(&recipe);
	return rc;
}

int sg_put_graft(struct sg_change *c, struct sg_graft *g)
{
	struct sg_buf b = { 0 };
	char path[300];
	int rc = sg_graftfile_write(&b, &g->file);

	snprintf(path, sizeof(path), "grafts/%.16s/graft.json", g->id);
	if (rc >= 0)
		rc = sg_tree_put_data(c->tree, c->pack, path, b.data, b.len);
	sg_buf_release(&b);
	for (size_t i = 0; rc >= 0 && i < g->params.n; i++) {
		const struct sg_tensor *t = &g->params.t[i];
		float *v;

		snprintf(path, sizeof(path), "grafts/%.16s/data/%s", g->id, t->name);
		rc = sg_graft_tensor(&v, g, t);
		if (rc < 0)
			break;
		rc = sg_payload_write(c->pack, c->tree, path, v, t->n * sizeof(float), sizeof(float));
		free(v);
	}
	return rc;
}

static int message(struct sg_buf *m, const struct grow *w, const struct sg_train_out *t)
{
	char subject[256];

	snprintf(subject, sizeof(subject), "candidate %.64s: %s on %zu %s, %llu steps, loss %.4f -> %.4f",
		 w->recipe.name ? w->recipe.name : w->g->id, w->recipe.type, w->recipe.sites.n,
		 w->recipe.sites.n == 1 ? "site" : "sites", (unsigned long long)t->steps, t->curve[0],
		 t->curve[t->steps - 1]);
	SG_TRY(sg_message(m, subject, NULL));
	SG_TRY(sg_message_trailer(m, "Sg-Op", "candidate"));
	SG_TRY(sg_message_trailer(m, "Sg-Graft", "sha256:%s", w->g->id));
	SG_TRY(sg_message_trailer(m, "Sg-Base", "sha256:%s", w->view.base));
	return sg_message_trailer(m, "Sg-Prev-State", "sha256:%s", w->view.state);
}

static int keep(struct grow *w, const struct sg_train_out *t)
{
	struct sg_change c = { 0 };
	struct sg_buf m = { 0 }, json = { 0 };
	struct sg_oid old;
	char path[64], ref[64];
	int rc;

	snprintf(path, sizeof(path), "grafts/%.16s/train.json", w->g->id);
	snprintf(ref, sizeof(ref), "refs/sg/cand/%.16s", w->g->id);
	if (sg_ref_get(&old, w->r->reg, ref) >= 0)
		return 0;	/* the same recipe gave the same graft before */
	rc = sg_change_begin_at(&c, w->r, &w->view.commit);
	if (rc >= 0)
		rc = sg_put_graft(&c, w->g);
	if (rc >= 0)
		rc = train_json(&json, w, t);
	if (rc >= 0)
		rc = sg_tree_put_data(c.tree, c.pack, path, json.data, json.len);
	if (rc >= 0)
		rc = message(&m, w, t);
	if (rc >= 0)
		rc = sg_change_done_ref(&c, NULL, ref, NULL, &w->view.commit, 1, m.data);
	sg_change_release(&c);
	sg_buf_release(&m);
	sg_buf_release(&json);
	return rc;
}

static int report(struct sg_train_result *out, const struct grow *w, const struct sg_train_out *t)
{
	*out = (struct sg_train_result){
		.first = t->curve[0], .last = t->curve[t->steps - 1], .steps = t->steps, .tokens = t->tokens,
		.trained = sg_graft_trained(w->g), .payload = w->g->params.floats * sizeof(float), .seconds = t->seconds,
		.guess = log((double)w->model.model.desc.vocab),
	};
	out->untrained = !w->view.ids.n && sg_checkpoint_count(w->view.ckpt) && !(out->first < out->guess - KNOWS_LITTLE);
	strcpy(out->id, w->g->id);
	if (w->recipe.name)
		SG_TRY((out->name = sg_strdup(w->recipe.name)) ? 0 : -SG_E_NOMEM);
	return 0;
}

/* --- the whole --------------------------------------------------------------- */

static int prepare(struct grow *w, const struct sg_progress *progress)
{
	size_t cap;

	SG_TRY(sg_view_open(&w->view, w->r, NULL));
	SG_TRY(sg_sets_open(&w->sets, w->r, &w->view.commit));
	SG_TRY(w->o->resume ? take_up(w) : fill_recipe(w));
	SG_TRY(open_train_sets(w));
	SG_TRY(sg_view_base(&w->view, progress));
	SG_TRY(sg_view_window(&w->view, w->recipe.seq));
	w->micro = w->o->micro ? w->o->micro : sg_rows((size_t)w->recipe.seq);
	cap = SG_MIN(SG_MAX(w->micro, (size_t)w->recipe.seq), (size_t)(w->recipe.batch * w->recipe.seq));
	SG_TRY(sg_view_compose(&w->model, &w->view, NULL, 0, NULL, cap));
	if (!w->o->resume) {
		SG_TRY(choose_sites(w));
		SG_TRY(name_state(w));
	}
	return make_graft(w);
}

static int run(struct grow *w, struct sg_train_result *out, const struct sg_progress *progress)
{
	struct sg_train_out t = { 0 };
	struct sg_train_in in = {
		.model = &w->model.model, .graft = w->g, .sets = w->train, .n_sets = w->recipe.data.n,
		.recipe = &w->recipe, .micro = w->micro, .state = w->state, .resume = w->o->resume,
		.save_every = (unsigned)w->o->save_every, .progress = progress,
	};
	int rc = sg_train_run(&t, &in);

	if (rc >= 0)
		rc = sg_graft_seal(w->g);
	if (rc >= 0)
		rc = keep(w, &t);
	if (rc >= 0)
		rc = report(out, w, &t);
	if (rc >= 0)
		(void)remove(w->state);	/* the candidate is safe now */
	free(t.curve);
	return rc;
}

int sg_train(struct sg_train_result *out, struct sg_repo *r, const struct sg_train_opts *o,
	     const struct sg_progress *progress)
{
	struct grow w = { .r = r, .o = o };
	int rc = prepare(&w, progress);

	if (rc >= 0)
		rc = run(&w, out, progress);
	sg_composed_release(&w.model);
	sg_graft_free(w.g);
	sg_recipe_release(&w.recipe);
	sg_sets_release(&w.sets);
	sg_view_release(&w.view);
	free(w.train);
	free(w.state);
	return rc;
}

void sg_train_result_release(struct sg_train_result *t)
{
	free(t->name);
	*t = (struct sg_train_result){ 0 };
}
