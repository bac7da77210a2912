/*
 * What some gates want to know besides the losses: a pair of numbers for each of the
 * first documents of a set. Which probes there are follows from the policy alone, and
 * their numbers from the two compositions, so that a receipt with probes is replayed
 * like any other.
 *
 *	role		name		parent			cand
 *	drift		SET/drift	entropy of the parent	cross entropy of the candidate
 *	conflict	SET/ID16	losses of the parent without that graft, and of the candidate
 *	control		SET/shuffled	losses, payload shuffled	losses
 *	degenerate	SET/greedy	repeated tokens		repeated tokens
 *	contamination	SET/ngrams	0			sequences of 13 words, of `tokens`, that were trained on
 *	exec		program/exec	0			exit status
 */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/overlap.h"
#include "train/recipe.h"

/* --- which ------------------------------------------------------------------- */

static int add(struct sg_trial *t, size_t set, const char *role, const char *what, int64_t docs)
{
	const struct sg_receipt_set *s = &t->receipt.set[set];
	size_t n = SG_MIN((size_t)docs, s->docs);
	struct sg_receipt_set *out;
	char name[160];

	snprintf(name, sizeof(name), "%s/%s", s->name, what);
	SG_TRY(sg_receipt_add_probe(&t->receipt, &out, name, role, s->id, s->shard, s->uses, n));
	memcpy(out->bytes, s->bytes, n * sizeof(*s->bytes));
	return 0;
}

/* The first set of a role; -1: none. */
static int64_t first_of(const struct sg_trial *t, const char *role)
{
	for (size_t i = 0; i < t->receipt.n_sets; i++)
		if (!strcmp(t->receipt.set[i].role, role))
			return (int64_t)i;
	return -1;
}

/* On the retained sets, else where the candidate is judged. */
static int add_drift(struct sg_trial *t)
{
	int64_t accept = first_of(t, "accept");

	if (first_of(t, "retain") < 0)
		return accept < 0 ? 0 : add(t, (size_t)accept, "drift", "drift", t->policy.drift.docs);
	for (size_t i = 0; i < t->receipt.n_sets; i++)
		if (!strcmp(t->receipt.set[i].role, "retain"))
			SG_TRY(add(t, i, "drift", "drift", t->policy.drift.docs));
	return 0;
}

/* The grafts that came last, but for those that something else stands in. */
static int add_conflicts(struct sg_trial *t, size_t set, struct sg_view *parent, const struct sg_extra *cand)
{
	size_t most = SG_MIN((size_t)t->policy.conflict.grafts, parent->ids.n);

	for (size_t i = parent->ids.n - most; i < parent->ids.n; i++) {
		char state[SG_SHA256_HEX], id16[17];
		struct sg_names without = { .name = &parent->ids.name[i], .n = 1 };
		int rc = sg_view_state(state, parent, cand, 1, &without);

		if (rc == -SG_E_REFUSED)
			continue;
		SG_TRY(rc);
		snprintf(id16, sizeof(id16), "%.16s", parent->ids.name[i]);
		SG_TRY(add(t, set, "conflict", id16, t->policy.conflict.docs));
	}
	return 0;
}

static int add_all(struct sg_trial *t, struct sg_view *parent, const struct sg_extra *cand)
{
	const struct sg_policy *p = &t->policy;
	int64_t accept = first_of(t, "accept");

	if (p->drift.enabled)
		SG_TRY(add_drift(t));
	if (accept < 0)
		return 0;
	if (p->conflict.enabled)
		SG_TRY(add_conflicts(t, (size_t)accept, parent, cand));
	if (p->control.enabled)
		SG_TRY(add(t, (size_t)accept, "control", "shuffled", p->control.docs));
	if (p->degenerate.enabled)
		SG_TRY(add(t, (size_t)accept, "degenerate", "greedy", p->degenerate.docs));
	for (size_t i = 0; p->contamination.enabled && i < t->receipt.n_sets; i++)
		if (!strcmp(t->receipt.set[i].role, "accept"))
			SG_TRY(add(t, i, "contamination", "ngrams", 1));
	return 0;
}

/* --- measuring ----------------------------------------------------------------- */

struct probe {
	struct sg_receipt_set *s;
	const struct sg_receipt *receipt;	/* its sets are measured */
	struct sg_view *parent;
	const struct sg_extra *cand;
	const struct sg_tokens *t;
	const struct sg_policy *policy;
	size_t window;
	const struct sg_progress *progress;
};

static int losses(double *nats, const struct probe *p, const struct sg_extra *extra, const struct sg_names *without)
{
	struct sg_composed m = { 0 };
	int rc = sg_view_compose(&m, p->parent, extra, extra != NULL, without, sg_rows(p->window));

	if (rc >= 0)
		rc = sg_measure(nats, p->s->tokens, &m.model, p->t, p->s->docs, p->window, sg_rows(p->window), p->s->name,
				p->progress);
	sg_composed_release(&m);
	return rc;
}

static int drift(const struct probe *p)
{
	struct sg_composed a = { 0 }, b = { 0 };
	int rc = sg_view_compose(&a, p->parent, NULL, 0, NULL, sg_rows(p->window));

	if (rc >= 0)
		rc = sg_view_compose(&b, p->parent, p->cand, 1, NULL, sg_rows(p->window));
	if (rc >= 0)
		rc = sg_measure_drift(p->s->parent, p->s->cand, p->s->tokens, &a.model, &b.model, p->t, p->s->docs,
				      p->window, p->s->name, p->progress);
	sg_composed_release(&b);
	sg_composed_release(&a);
	return rc;
}

static int conflict(const struct probe *p)
{
	const char *id16 = strrchr(p->s->name, '/') + 1;
	struct sg_names without = { 0 };
	int rc = 0;

	for (size_t i = 0; i < p->parent->ids.n; i++)
		if (!strncmp(p->parent->ids.name[i], id16, 16))
			without = (struct sg_names){ .name = &p->parent->ids.name[i], .n = 1 };
	if (!without.n)
		return sg_fail(SG_E_CORRUPT, "receipt: graft %.16s of a probe is not active", id16);
	rc = losses(p->s->parent, p, NULL, &without);
	return rc < 0 ? rc : losses(p->s->cand, p, p->cand, &without);
}

static int control(const struct probe *p)
{
	const struct sg_receipt_set *whole = sg_receipt_whole(p->receipt, p->s);
	struct sg_extra shuffled = *p->cand;

	if (!whole)
		return sg_fail(SG_E_CORRUPT, "receipt: the set of probe '%s' was not measured", p->s->name);
	memcpy(p->s->cand, whole->cand, p->s->docs * sizeof(*p->s->cand));
	shuffled.shuffled = true;
	return losses(p->s->parent, p, &shuffled, NULL);
}

static int repeats(double *out, const struct probe *p, const struct sg_extra *extra)
{
	size_t prompt = (size_t)p->policy->degenerate.prompt, n = (size_t)p->policy->degenerate.tokens;
	struct sg_composed m = { 0 };
	int rc = sg_view_compose(&m, p->parent, extra, extra != NULL, NULL, prompt + n);

	if (rc >= 0)
		rc = sg_measure_repeats(out, p->s->tokens, &m.model, p->t, p->s->docs, prompt, n, p->s->name, p->progress);
	sg_composed_release(&m);
	return rc;
}

/* Hashes that stand in both sorted lists. */
static uint64_t in_both(const struct sg_ngrams *a, const struct sg_ngrams *b)
{
	uint64_t n = 0;
	size_t k = 0;

	for (size_t i = 0; i < a->n; i++) {
		while (k < b->n && b->hash[k] < a->hash[i])
			k++;
		n += k < b->n && b->hash[k] == a->hash[i];
	}
	return n;
}

/* Sets that a graft was trained on, by its folder's recipe; none when it was not here. */
static int trained_on(struct sg_recipe *out, struct sg_repo *r, const struct sg_extra *cand)
{
	struct sg_json_doc doc = { 0 };
	struct sg_buf text = { 0 };
	const struct sg_json *recipe;
	struct sg_jsonw w;
	int rc = sg_training_open(&doc, r, &cand->commit, cand->id);

	if (rc == -SG_E_NOTFOUND)
		return 0;
	recipe = rc >= 0 ? sg_json_get(sg_json_root(&doc), "recipe") : NULL;
	if (recipe) {
		sg_jsonw_init(&w, &text);
		sg_jsonw_node(&w, recipe);
		rc = sg_jsonw_done(&w);
	}
	if (rc >= 0 && recipe)
		rc = sg_recipe_parse(out, text.data, text.len, "train.json");
	sg_json_release(&doc);
	sg_buf_release(&text);
	return rc;
}

/* The most that any of its training sets shares with the set. */
static int contamination(const struct probe *p, const struct sg_set *set)
{
	struct sg_repo *r = p->parent->r;
	struct sg_recipe recipe = { 0 };
	struct sg_ngrams mine = { 0 }, theirs = { 0 };
	struct sg_sets sets = { 0 };
	uint64_t most = 0;
	int rc = sg_set_ngrams(&mine, r, set);

	if (rc >= 0)
		rc = sg_sets_open(&sets, r, &p->parent->commit);
	if (rc >= 0)
		rc = trained_on(&recipe, r, p->cand);
	for (size_t i = 0; rc >= 0 && i < sets.n; i++) {
		char *name = sg_asprintf("%s:%s", sets.set[i].manifest.name, sets.set[i].id);
		bool trained = name && sg_names_has(&recipe.data, name);

		rc = name ? 0 : -SG_E_NOMEM;
		free(name);
		if (!trained)
			continue;
		rc = sg_set_ngrams(&theirs, r, &sets.set[i]);
		if (rc >= 0)
			most = SG_MAX(most, in_both(&mine, &theirs));
		sg_ngrams_release(&theirs);
	}
	p->s->parent[0] = 0;
	p->s->cand[0] = (double)most;
	p->s->tokens[0] = (uint32_t)mine.n;
	sg_recipe_release(&recipe);
	sg_sets_release(&sets);
	sg_ngrams_release(&mine);
	return rc;
}

int sg_probe_measure(struct sg_receipt_set *s, const struct sg_receipt *r, struct sg_view *parent,
		     const struct sg_extra *cand, const struct sg_set *set, const struct sg_policy *policy, size_t window,
		     const struct sg_progress *progress)
{
	const struct probe p = { s, r, parent, cand, &set->shard.t, policy, window, progress };

	if (s->docs > p.t->docs)
		return sg_fail(SG_E_CORRUPT, "receipt: probe '%s' has more documents than its set", s->name);
	if (!strcmp(s->role, "drift"))
		return drift(&p);
	if (!strcmp(s->role, "conflict"))
		return conflict(&p);
	if (!strcmp(s->role, "control"))
		return control(&p);
	if (!strcmp(s->role, "contamination"))
		return s->docs ? contamination(&p, set) : 0;
	if (strcmp(s->role, "degenerate"))
		return sg_fail(SG_E_UNSUPPORTED, "no probe of the kind '%s'", s->role);
	SG_TRY(repeats(s->parent, &p, NULL));
	return repeats(s->cand, &p, cand);
}

const struct sg_set *sg_probe_set(const struct sg_sets *sets, const struct sg_receipt_set *s)
{
	char name[160];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(s->name, "/"), s->name);
	return sg_sets_find(sets, name);
}

int sg_probe_all(struct sg_trial *t, struct sg_view *parent, const struct sg_extra *cand)
{
	SG_TRY(add_all(t, parent, cand));
	for (size_t i = 0; i < t->receipt.n_probes; i++) {
		struct sg_receipt_set *s = &t->receipt.probe[i];

		SG_TRY(sg_probe_measure(s, &t->receipt, parent, cand, sg_probe_set(&t->sets, s), &t->policy, t->window,
					t->progress));
	}
	return sg_probe_exec(t, parent, cand);
}
