/* Scores of the sites of a composition, from text that it may be trained on. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/batch.h"
#include "search/sensitivity.h"

#define HELD ((size_t)1 << 30)	/* bytes of what is heard at once */

struct look {
	const struct sg_sensitivity_opts *o;
	struct sg_view view;
	struct sg_composed model;
	struct sg_sets sets;
	const struct sg_tokens **set;
	size_t n_sets;
	struct sg_plan plan;		/* for its list of windows */
	uint32_t *order;
	struct sg_batch batch;
	int32_t *ids;
};

/* The named sets, or all of the role train; a set that judges shows no gradient. */
static int choose_sets(struct look *l)
{
	SG_TRY(SG_NEW(l->set, l->sets.n));
	for (size_t i = 0; i < l->o->data.n; i++)
		if (!sg_sets_find(&l->sets, l->o->data.name[i]))
			return sg_fail(SG_E_NOTFOUND, "no data set '%s'", l->o->data.name[i]);
	for (size_t i = 0; i < l->sets.n; i++) {
		const struct sg_set *s = &l->sets.set[i];
		bool train = s->manifest.role == SG_ROLE_TRAIN, named = sg_names_has(&l->o->data, s->manifest.name);

		if (named && !train)
			return sg_fail(SG_E_REFUSED, "data set '%s' has the role %s; where to grow is chosen on sets of role "
				       "train", s->manifest.name, sg_role_name(s->manifest.role));
		if (!train || (l->o->data.n && !named))
			continue;
		SG_TRY(sg_set_tokens(&l->set[l->n_sets], s));
		l->n_sets++;
	}
	return l->n_sets ? 0 : sg_fail(SG_E_NOTFOUND, "no data of role train; add some with 'sg data add'");
}

/* Windows in an order that the seed gives, one a sample. */
static int next(struct sg_batch **out, void *arg, size_t i)
{
	struct look *l = arg;
	const struct sg_window *w;

	*out = NULL;
	if (i >= l->plan.n_windows || i >= l->o->samples)
		return 0;
	w = &l->plan.window[l->order[i]];
	for (size_t k = 0; k <= w->rows; k++)
		l->ids[k] = (int32_t)sg_tokens_at(l->set[w->set], w->begin + k);
	sg_batch_clear(&l->batch);
	if (!sg_batch_add(&l->batch, l->ids, w->rows, 0))
		return sg_fail(SG_E_ERROR, "a window of %u tokens does not fit", (unsigned)w->rows);
	*out = &l->batch;
	return 0;
}

static int open_look(struct look *l, struct sg_repo *r)
{
	size_t seq = (size_t)l->o->seq;

	SG_TRY(sg_view_open(&l->view, r, l->o->rev));
	SG_TRY(sg_view_base(&l->view, NULL));
	SG_TRY(sg_view_window(&l->view, seq));
	SG_TRY(sg_sets_open(&l->sets, r, &l->view.commit));
	SG_TRY(choose_sets(l));
	SG_TRY(sg_plan_init(&l->plan, l->set, l->n_sets, seq, seq, l->o->seed));
	SG_TRY(SG_NEW(l->order, l->plan.n_windows));
	sg_rng_shuffle(l->order, l->plan.n_windows, l->o->seed, sg_rng_stream("sensitivity"));
	SG_TRY(SG_NEW(l->ids, seq + 1));
	SG_TRY(sg_batch_init(&l->batch, seq));
	return sg_view_compose(&l->model, &l->view, NULL, 0, NULL, seq);
}

static void close_look(struct look *l)
{
	sg_composed_release(&l->model);
	sg_batch_release(&l->batch);
	sg_plan_release(&l->plan);
	free(l->order);
	free(l->ids);
	free(l->set);
	sg_sets_release(&l->sets);
	sg_view_release(&l->view);
}

static int scores(struct sg_sensitivity *out, struct look *l, const struct sg_names *sites,
		  const struct sg_progress *progress)
{
	struct sg_site_score *s = NULL;
	struct sg_sensitivity_in in = {
		.model = &l->model.model, .sites = sites, .next = next, .arg = l, .cap = (size_t)l->o->seq, .bytes = HELD,
		.impact = l->o->impact, .progress = progress,
	};
	int rc = SG_NEW(s, sites->n);

	if (rc >= 0)
		rc = SG_NEW(out->line, sites->n);
	if (rc >= 0)
		rc = sg_sensitivity_scores(s, &in);
	for (size_t i = 0; rc >= 0 && i < sites->n; i++) {
		struct sg_sensitivity_line *o = &out->line[i];

		*o = (struct sg_sensitivity_line){ .parameters = s[i].parameters, .bytes = s[i].bytes, .place = i };
#define X(name) o->score[SG_SCORE_##name] = s[i].name;
		SG_SCORES(X)
#undef X
		rc = (o->site = sg_strdup(s[i].site)) ? 0 : -SG_E_NOMEM;
		out->n++;
	}
	free(s);
	return rc;
}

int sg_sensitivity(struct sg_sensitivity *out, struct sg_repo *r, const struct sg_sensitivity_opts *o,
		   const struct sg_progress *progress)
{
	struct sg_sensitivity found = { .n = 0 };
	struct sg_names sites = { 0 };
	struct look l = { .o = o };
	int rc = open_look(&l, r);

	if (rc >= 0)
		rc = sg_site_match(&sites, &l.model.model, o->sites ? o->sites : "*.attn.*,*.mlp.*,*.out");
	if (rc >= 0)
		rc = scores(&found, &l, &sites, progress);
	if (rc >= 0)
		rc = sg_view_state(found.state, &l.view, NULL, 0, NULL);
	found.samples = SG_MIN(o->samples, l.plan.n_windows);
	sg_names_release(&sites);
	close_look(&l);
	if (rc < 0)
		sg_sensitivity_release(&found);
	else
		*out = found;
	return rc;
}

void sg_sensitivity_release(struct sg_sensitivity *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->line[i].site);
	free(s->line);
	*s = (struct sg_sensitivity){ .n = 0 };
}

static int higher(const void *a, const void *b)
{
	const struct sg_sensitivity_line *x = a, *y = b;

	return x->key != y->key ? (x->key < y->key ? 1 : -1) : (x->place > y->place) - (x->place < y->place);
}

void sg_sensitivity_order(struct sg_sensitivity *s, enum sg_score by, enum sg_per per)
{
	for (size_t i = 0; i < s->n; i++) {
		struct sg_sensitivity_line *l = &s->line[i];
		uint64_t of = per == SG_PER_SITE ? 1 : per == SG_PER_PARAMETER ? l->parameters : l->bytes;

		l->key = of ? l->score[by] / (double)of : 0;
	}
	qsort(s->line, s->n, sizeof(*s->line), higher);
}

static const char *const names[] = {
#define X(name) [SG_SCORE_##name] = #name,
	SG_SCORES(X)
#undef X
};

enum sg_score sg_score_of(const char *name)
{
	int s = 0;

	while (s < SG_SCORE_COUNT && strcmp(names[s], name))
		s++;
	return (enum sg_score)s;
}

const char *sg_score_name(enum sg_score s)
{
	return names[s];
}
