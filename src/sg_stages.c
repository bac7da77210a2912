/*
 * Staged growth. A stage scores the sites, trains a short probe at each of the best,
 * trains the best of those for long (each alone, and together as one graft), ranks them
 * on the selection sets, and lets the gates judge them in that order until one passes.
 * The next stage grows on what was accepted.
 *
 * There is no state but the registry's: candidates are called <name>.<stage>p<k> (probe)
 * and <name>.<stage>d<k> (deep), everything that decides depends on the options and the
 * stack, and what is there already is not trained again. So a run that was stopped goes
 * on when it is called again, and comes to the same grafts.
 */
#include "sg_repo.h"
#include "sg_look.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/stats.h"

struct try {
	char name[80];
	struct sg_names sites;
	struct sg_found f;
	struct sg_stage_event e;
};

struct stages {
	struct sg_repo *r;
	const struct sg_stages_opts *o;
	const struct sg_progress *progress;
	sg_stage_fn *fn;
	void *arg;
	struct sg_stages_total *total;
	uint64_t stage;
	struct sg_names refine;		/* sites of the last accepted graft: the next stage looks inside */
	/* of the selection sets, documents one set after the other */
	struct sg_view view;
	struct sg_sets sets;
	double *parent, *cand;
	uint32_t *tokens;
	size_t docs, window;
};

/* --- the selection sets ------------------------------------------------------- */

static size_t select_docs(const struct sg_sets *sets)
{
	size_t n = 0;

	for (size_t i = 0; i < sets->n; i++)
		if (sets->set[i].manifest.role == SG_ROLE_SELECT && sets->set[i].present)
			n += (size_t)sets->set[i].shard.t.docs;
	return n;
}

static int losses(double *nats, struct stages *s, const struct sg_extra *extra, const char *what)
{
	struct sg_composed m = { 0 };
	size_t at = 0;
	int rc = sg_view_compose(&m, &s->view, extra, extra != NULL, NULL, sg_rows(s->window));

	for (size_t i = 0; rc >= 0 && i < s->sets.n; i++) {
		const struct sg_set *set = &s->sets.set[i];

		if (set->manifest.role != SG_ROLE_SELECT || !set->present)
			continue;
		rc = sg_measure(nats + at, s->tokens + at, &m.model, &set->shard.t, (size_t)set->shard.t.docs, s->window,
				sg_rows(s->window), what, s->progress);
		at += (size_t)set->shard.t.docs;
	}
	sg_composed_release(&m);
	return rc;
}

/* The stack of this stage, and its losses. */
static int open_stage(struct stages *s)
{
	SG_TRY(sg_view_open(&s->view, s->r, NULL));
	SG_TRY(sg_view_base(&s->view, s->progress));
	SG_TRY(sg_sets_open(&s->sets, s->r, &s->view.commit));
	s->docs = select_docs(&s->sets);
	if (!s->docs)
		return sg_fail(SG_E_NOTFOUND, "grafts are ranked on data of role select, and none is here; add some with "
			       "'sg data add NAME --role select FILE...'");
	s->window = (size_t)s->o->train.seq;
	SG_TRY(SG_NEW(s->parent, s->docs));
	SG_TRY(SG_NEW(s->cand, s->docs));
	SG_TRY(SG_NEW(s->tokens, s->docs));
	return losses(s->parent, s, NULL, "selection set");
}

static void close_stage(struct stages *s)
{
	free(s->parent);
	free(s->cand);
	free(s->tokens);
	s->parent = s->cand = NULL;
	s->tokens = NULL;
	sg_sets_release(&s->sets);
	sg_view_release(&s->view);
}

/* The paired difference on the selection sets. */
static int rank(struct stages *s, struct try *t)
{
	struct sg_extra extra = { .commit = t->f.commit };
	struct sg_paired p;

	strcpy(extra.id, t->f.id);
	SG_TRY(losses(s->cand, s, &extra, t->name));
	SG_TRY(sg_paired(&p, &(struct sg_paired_in){ s->parent, s->cand, s->tokens, s->docs }));
	t->e.docs = p.n;
	t->e.parent = p.parent;
	t->e.change = p.finite ? p.mean : 1e308;
	t->e.lower = sg_paired_lower(&p, s->o->alpha);
	t->e.upper = sg_paired_upper(&p, s->o->alpha);
	return 0;
}

/* --- candidates ----------------------------------------------------------------- */

static void try_release(struct try *t)
{
	sg_names_release(&t->sites);
	sg_found_release(&t->f);
}

static int tell(struct stages *s, struct try *t, const char *what)
{
	t->e.what = what;
	t->e.stage = s->stage;
	t->e.name = t->name;
	t->e.graft = t->f.id;
	t->e.sites = &t->sites;
	return s->fn && s->fn(s->arg, &t->e) ? sg_fail(SG_E_INTERRUPTED, "interrupted") : 0;
}

static int join(char **out, const struct sg_names *l)
{
	struct sg_buf b = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < l->n; i++)
		rc = sg_buf_fmt(&b, "%s%s", i ? "," : "", l->name[i]);
	if (rc < 0) {
		sg_buf_release(&b);
		return rc;
	}
	*out = b.data;
	return 0;
}

/* A run of this name on this stack that was stopped goes on. */
static int was_stopped(bool *out, struct stages *s, const char *name)
{
	struct sg_status st;

	SG_TRY(sg_status(&st, s->r, 0));
	*out = st.n_jobs && st.job[0].newest && st.job[0].current && st.job[0].name && !strcmp(st.job[0].name, name);
	sg_status_release(&st);
	return 0;
}

static int train(struct stages *s, struct try *t, uint64_t steps)
{
	struct sg_train_opts o = s->o->train;
	struct sg_train_result done = { .steps = 0 };
	char *sites = NULL;
	int rc = join(&sites, &t->sites);

	o.sites = sites;
	o.steps = steps;
	o.tokens = 0;
	o.name = t->name;
	if (s->refine.n) {
		o.type = s->o->refine;
		o.hyper = s->o->refine_hyper;
	}
	if (rc >= 0)
		rc = was_stopped(&o.resume, s, t->name);
	if (rc >= 0)
		rc = sg_train(&done, s->r, &o, s->progress);
	s->total->trained += done.steps;
	s->total->tokens += done.tokens;
	s->total->seconds += done.seconds;
	sg_train_result_release(&done);
	free(sites);
	return rc;
}

static int count(struct stages *s, struct try *t)
{
	struct sg_graft_info i = { .name = NULL };
	int rc = sg_graft_info_read(&i, s->r, &t->f.commit, t->f.id);

	t->e.parameters = i.parameters;
	t->e.payload = i.payload;
	sg_graft_info_release(&i);
	return rc;
}

/* Finds the candidate of that name or trains it, then ranks it. */
static int make(struct stages *s, struct try *t, uint64_t steps, const char *what)
{
	int rc = sg_find_graft(&t->f, s->r, t->name);

	if (rc == -SG_E_NOTFOUND) {
		SG_TRY(train(s, t, steps));
		rc = sg_find_graft(&t->f, s->r, t->name);
	}
	SG_TRY(rc);
	SG_TRY(count(s, t));
	SG_TRY(rank(s, t));
	s->total->tried++;
	return tell(s, t, what);
}

static int better(const void *a, const void *b)
{
	const struct try *const *x = a, *const *y = b;
	double i = (*x)->e.change, k = (*y)->e.change;

	return i != k ? (i < k ? -1 : 1) : strcmp((*x)->name, (*y)->name);
}

/* --- sites ------------------------------------------------------------------------ */

/* By score, the highest first; places without scores (slots) in model order. */
static int propose(struct sg_names *out, struct stages *s)
{
	struct sg_sensitivity_opts o = {
		.sites = s->o->train.sites, .data = s->o->train.data, .seq = s->o->train.seq, .samples = s->o->samples,
		.seed = s->o->train.seed, .impact = s->o->by == SG_SCORE_impact,
	};
	struct sg_sensitivity found;
	char *inside = NULL;
	int rc = s->refine.n ? join(&inside, &s->refine) : 0;

	if (rc >= 0 && inside)
		o.sites = inside;
	if (rc >= 0)
		rc = sg_sensitivity(&found, s->r, &o, s->progress);
	free(inside);
	if (rc == -SG_E_REFUSED || rc == -SG_E_NOTFOUND) {
		struct sg_composed m = { 0 };

		rc = sg_view_compose(&m, &s->view, NULL, 0, NULL, 1);
		if (rc >= 0)
			rc = sg_site_match(out, &m.model, o.sites ? o.sites : "slot.*");
		sg_composed_release(&m);
		return rc;
	}
	SG_TRY(rc);
	sg_sensitivity_order(&found, s->o->by, SG_PER_SITE);
	for (size_t i = 0; rc >= 0 && i < found.n; i++)
		rc = sg_names_add(out, found.line[i].site);
	sg_sensitivity_release(&found);
	return rc;
}

/* --- a stage ------------------------------------------------------------------------ */

struct field { struct try *t; struct try **order; size_t n; };

static int field_init(struct field *f, size_t cap)
{
	SG_TRY(SG_NEW(f->t, cap));
	return SG_NEW(f->order, cap);
}

static void field_release(struct field *f)
{
	for (size_t i = 0; i < f->n; i++)
		try_release(&f->t[i]);
	free(f->t);
	free(f->order);
}

static struct try *field_add(struct field *f, struct stages *s, char kind)
{
	struct try *t = &f->t[f->n];

	snprintf(t->name, sizeof(t->name), "%.40s.%llu%c%zu", s->o->name, (unsigned long long)s->stage, kind, f->n);
	f->order[f->n++] = t;
	return t;
}

static int probe_all(struct field *f, struct stages *s)
{
	struct sg_names sites = { 0 };
	int rc = propose(&sites, s);

	if (rc >= 0)
		rc = field_init(f, SG_MIN(sites.n, (size_t)s->o->probes));
	for (size_t i = 0; rc >= 0 && i < sites.n && i < s->o->probes; i++) {
		struct try *t = field_add(f, s, 'p');

		rc = sg_names_add(&t->sites, sites.name[i]);
		if (rc >= 0)
			rc = make(s, t, s->o->probe_steps, "probe");
	}
	if (rc >= 0)
		qsort(f->order, f->n, sizeof(struct try *), better);
	sg_names_release(&sites);
	return rc;
}

/* The best probes' sites, each alone and, where there are several, all in one graft. */
static int train_best(struct field *deep, struct stages *s, const struct field *probes)
{
	size_t top = SG_MIN((size_t)s->o->top, probes->n);
	struct try *all = NULL;

	SG_TRY(field_init(deep, top + 1));
	for (size_t i = 0; i < top; i++) {
		struct try *t = field_add(deep, s, 'd');

		SG_TRY(sg_names_add(&t->sites, probes->order[i]->sites.name[0]));
		SG_TRY(make(s, t, s->o->train.steps, "deep"));
	}
	if (top > 1) {
		all = field_add(deep, s, 'd');
		for (size_t i = 0; i < top; i++)
			SG_TRY(sg_names_add(&all->sites, probes->order[i]->sites.name[0]));
		SG_TRY(make(s, all, s->o->train.steps, "deep"));
	}
	qsort(deep->order, deep->n, sizeof(struct try *), better);
	return 0;
}

/* The ranking goes into the accept's message: what was tried, and what it gave. */
static int story(struct sg_buf *out, const struct stages *s, const struct field *probes, const struct field *deep)
{
	SG_TRY(sg_buf_fmt(out, "Stage %llu of '%s', on %zu documents of role select, nats per token:\n",
			  (unsigned long long)s->stage, s->o->name, s->docs));
	for (size_t k = 0; k < probes->n + deep->n; k++) {
		const struct try *t = k < probes->n ? probes->order[k] : deep->order[k - probes->n];

		SG_TRY(sg_buf_fmt(out, "%s %.16s %+.5f [%+.5f, %+.5f]", t->name, t->f.id, t->e.change, t->e.lower, t->e.upper));
		for (size_t i = 0; i < t->sites.n; i++)
			SG_TRY(sg_buf_fmt(out, " %s", t->sites.name[i]));
		SG_TRY(sg_buf_str(out, "\n"));
	}
	return 0;
}

/* Gates in order of the ranking; one that is not better there is not worth a use of the
 * acceptance set. */
static int judge(struct try **won, struct stages *s, const struct field *probes, struct field *deep)
{
	struct sg_buf text = { 0 };
	int rc = story(&text, s, probes, deep);

	*won = NULL;
	for (size_t i = 0; rc >= 0 && !*won && i < deep->n; i++) {
		struct sg_verdict_info v = { .n = 0 };
		struct try *t = deep->order[i];

		if (t->f.where != SG_CANDIDATE || !(t->e.upper < 0) || -t->e.change < s->o->min_gain)
			continue;
		rc = sg_accept(&v, s->r, t->f.id, text.data, s->progress);
		if (rc == 0)
			*won = t;
		if (rc >= 0)
			rc = tell(s, t, rc == 0 ? "accept" : v.verdict);
		sg_verdict_info_release(&v);
	}
	sg_buf_release(&text);
	return rc;
}

/* What was not chosen keeps its numbers and makes room. */
static int set_aside(struct stages *s, struct field *f, const struct try *won)
{
	for (size_t i = 0; i < f->n; i++) {
		struct try *t = &f->t[i];
		char why[200], id[SG_SHA256_HEX];

		if (t == won || t->f.where != SG_CANDIDATE)
			continue;
		snprintf(why, sizeof(why), "Not chosen in stage %llu of '%.40s': %+.5f [%+.5f, %+.5f] nats per token on %llu "
			 "documents of role select.", (unsigned long long)s->stage, s->o->name, t->e.change, t->e.lower,
			 t->e.upper, (unsigned long long)t->e.docs);
		SG_TRY(sg_reject(id, s->r, t->f.id, why));
	}
	return 0;
}

static int remember(struct stages *s, const struct sg_names *sites)
{
	for (size_t i = 0; s->o->refine && i < sites->n; i++)
		SG_TRY(sg_names_add(&s->refine, sites->name[i]));
	return 0;
}

/* What a stage that brought a graft leaves to the next one. */
static int leave(struct stages *s, const struct sg_names *sites, bool refined)
{
	sg_names_release(&s->refine);
	return refined ? 0 : remember(s, sites);
}

static int leave_found(struct stages *s, const struct sg_found *f)
{
	struct sg_graft_info i = { .name = NULL };
	int rc = sg_graft_info_read(&i, s->r, &f->commit, f->id);

	if (rc >= 0)
		rc = leave(s, &i.sites, s->refine.n > 0);
	sg_graft_info_release(&i);
	return rc;
}

/* Is there the graft that this stage brought when it ran before, by its name? */
static int finished(bool *out, struct stages *s)
{
	*out = false;
	for (uint64_t k = 0; !*out && k <= s->o->top; k++) {
		struct sg_found f = { 0 };
		char name[80];
		int rc;

		snprintf(name, sizeof(name), "%.40s.%llud%llu", s->o->name, (unsigned long long)s->stage, (unsigned long long)k);
		rc = sg_find_graft(&f, s->r, name);
		*out = rc >= 0 && f.where == SG_ACTIVE;
		if (*out)
			rc = leave_found(s, &f);
		sg_found_release(&f);
		if (rc < 0 && rc != -SG_E_NOTFOUND)
			return rc;
	}
	return 0;
}

/* 1: the stage brought a graft. */
static int one_stage(struct stages *s)
{
	struct field probes = { 0 }, deep = { 0 };
	struct try *won = NULL;
	bool refined = s->refine.n;
	int rc = open_stage(s);

	if (rc >= 0)
		rc = probe_all(&probes, s);
	if (rc >= 0)
		rc = train_best(&deep, s, &probes);
	if (rc >= 0)
		rc = judge(&won, s, &probes, &deep);
	if (rc >= 0)
		rc = set_aside(s, &probes, NULL);
	if (rc >= 0)
		rc = set_aside(s, &deep, won);
	if (rc >= 0 && won) {
		s->total->accepted++;
		s->total->gain -= won->e.change;
		rc = leave(s, &won->sites, refined);
	} else if (rc >= 0) {
		sg_names_release(&s->refine);
	}
	field_release(&probes);
	field_release(&deep);
	close_stage(s);
	return rc < 0 ? rc : won != NULL || refined;
}

int sg_stages(struct sg_stages_total *out, struct sg_repo *r, const struct sg_stages_opts *o, sg_stage_fn *fn, void *arg,
	      const struct sg_progress *progress)
{
	struct sg_stages_total total = { .stages = 0 };
	struct stages s = { .r = r, .o = o, .progress = progress, .fn = fn, .arg = arg, .total = &total };
	int rc = sg_dataset_name_ok(o->name) && strlen(o->name) <= 40 ? 1 :
		 sg_fail(SG_E_USAGE, "'%.100s' is no name for a run (letters, digits, '.', '_', '-', at most 40)", o->name);

	for (s.stage = 1; rc > 0 && s.stage <= o->stages; s.stage++) {
		bool done;

		rc = finished(&done, &s);
		if (rc >= 0 && done) {
			total.skipped++;
			rc = 1;
			continue;
		}
		if (rc >= 0)
			rc = one_stage(&s);
		total.stages += rc >= 0;
	}
	total.plateau = rc == 0;	/* a stage without a graft: more of the same would not help */
	sg_names_release(&s.refine);
	*out = total;
	return rc < 0 ? rc : 0;
}
