/*
 * Measuring again: the losses of a receipt under the two compositions that it
 * compares. With the fingerprint that it was made with, every bit must come back;
 * with another one the numbers may move a little, and the verdict must not.
 */
#include "sg_verify.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/gate.h"
#include <math.h>

static void measured_free(struct sg_measured *m)
{
	free(m->nats);
	free(m->tokens);
}

void sg_measured_release(struct sg_prover *p)
{
	for (size_t i = 0; i < p->n; i++)
		measured_free(&p->measured[i]);
	free(p->measured);
	p->measured = NULL;
	p->n = p->cap = 0;
}

/* What is of neither composition will not be asked for again. */
static void forget(struct sg_prover *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->measured[i].state, p->prev.state) && strcmp(p->measured[i].state, p->now.state))
			measured_free(&p->measured[i]);
		else
			p->measured[kept++] = p->measured[i];
	}
	p->n = kept;
}

static const struct sg_measured *known(const struct sg_prover *p, const char *state, const char *set, uint32_t window)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->measured[i].state, state) && !strcmp(p->measured[i].set, set) &&
		    p->measured[i].window == window)
			return &p->measured[i];
	return NULL;
}

/* --- measuring --------------------------------------------------------------- */

static int measure_set(struct sg_prover *p, struct sg_model *model, const char *state, const struct sg_set *set,
		       uint32_t window)
{
	struct sg_measured m = { .window = window, .docs = (size_t)set->shard.t.docs };
	char what[100];
	int rc;

	strcpy(m.state, state);
	strcpy(m.set, set->id);
	snprintf(what, sizeof(what), "replaying %.60s", set->manifest.name);
	rc = SG_GROW(p->measured, p->n, p->cap);
	if (rc >= 0)
		rc = SG_NEW(m.nats, m.docs);
	if (rc >= 0)
		rc = SG_NEW(m.tokens, m.docs);
	if (rc >= 0)
		rc = sg_measure(m.nats, m.tokens, model, &set->shard.t, m.docs, window, sg_rows(window), what, p->progress);
	if (rc < 0)
		measured_free(&m);
	else
		p->measured[p->n++] = m;
	return rc;
}

/* Every set of the receipt whose tokens are here, under the view's composition. */
static int measure_view(struct sg_prover *p, struct sg_view *v, const struct sg_sets *sets, const struct sg_receipt *r)
{
	struct sg_composed m = { 0 };
	bool built = false;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < r->n_sets; i++) {
		const struct sg_set *set = sg_sets_find(sets, r->set[i].name);

		if (!set || !set->present || known(p, v->state, set->id, r->window))
			continue;
		if (!built)
			rc = sg_view_compose(&m, v, NULL, 0, NULL, sg_rows(r->window));
		built = true;
		if (rc >= 0)
			rc = measure_set(p, &m.model, v->state, set, r->window);
	}
	sg_composed_release(&m);
	return rc;
}

/* --- comparing --------------------------------------------------------------- */

struct compared { size_t docs, sets, other; double worst; char where[200]; };

/* Bits of n losses; the largest difference a token is kept. */
static void compare(struct compared *c, const struct sg_receipt_set *s, const double *stored, const double *is,
		    const char *side)
{
	for (size_t d = 0; d < s->docs; d++) {
		double off = fabs(stored[d] - is[d]) / SG_MAX(s->tokens[d], (uint32_t)1);

		if (!memcmp(&stored[d], &is[d], sizeof(is[d])))
			continue;
		if (!c->other++)
			snprintf(c->where, sizeof(c->where), "%s, document %zu of '%.60s': %.17g is stored, %.17g was measured",
				 side, d, s->name, stored[d], is[d]);
		if (!(off <= c->worst))
			c->worst = off;
	}
}

/* The receipt with what was measured here in the place of what it says. */
static int compare_sets(struct compared *c, struct sg_prover *p, const struct sg_sets *sets, struct sg_receipt *again)
{
	for (size_t i = 0; i < again->n_sets; i++) {
		struct sg_receipt_set *s = &again->set[i];
		const struct sg_set *set = sg_sets_find(sets, s->name);
		const struct sg_measured *a = NULL, *b = NULL;

		if (set && set->present) {
			a = known(p, p->prev.state, set->id, again->window);
			b = known(p, p->now.state, set->id, again->window);
		}
		if (!a || !b)
			continue;
		if (a->docs != s->docs || memcmp(a->tokens, s->tokens, s->docs * sizeof(*s->tokens)))
			return sg_fail(SG_E_CORRUPT, "set '%s': other documents or tokens were scored", s->name);
		compare(c, s, s->parent, a->nats, "parent");
		compare(c, s, s->cand, b->nats, "candidate");
		memcpy(s->parent, a->nats, s->docs * sizeof(*s->parent));
		memcpy(s->cand, b->nats, s->docs * sizeof(*s->cand));
		c->docs += s->docs;
		c->sets++;
	}
	return 0;
}

/* One probe again, on the compositions that it was made with. */
static int compare_probe(struct compared *c, struct sg_prover *p, const struct sg_set *set, const struct sg_policy *policy,
			 struct sg_receipt *again, size_t i)
{
	struct sg_receipt_set *s = &again->probe[i], now = *s;
	struct sg_extra cand = { .commit = p->now.commit };
	size_t n = SG_MAX(s->docs, (size_t)1);
	int rc;

	strcpy(cand.id, again->graft);
	now.parent = now.cand = NULL;
	now.tokens = NULL;
	rc = SG_NEW(now.parent, n);
	if (rc >= 0)
		rc = SG_NEW(now.cand, n);
	if (rc >= 0)
		rc = SG_NEW(now.tokens, n);
	if (rc >= 0)
		rc = sg_probe_measure(&now, again, &p->prev, &cand, set, policy, again->window, p->progress);
	if (rc >= 0 && memcmp(now.tokens, s->tokens, s->docs * sizeof(*s->tokens)))
		rc = sg_fail(SG_E_CORRUPT, "probe '%s': other tokens were scored", s->name);
	if (rc >= 0) {
		compare(c, s, s->parent, now.parent, "parent");
		compare(c, s, s->cand, now.cand, "candidate");
		memcpy(s->parent, now.parent, s->docs * sizeof(*s->parent));
		memcpy(s->cand, now.cand, s->docs * sizeof(*s->cand));
	}
	free(now.parent);
	free(now.cand);
	free(now.tokens);
	return rc;
}

static int compare_probes(struct compared *c, struct sg_prover *p, const struct sg_sets *sets, struct sg_receipt *again)
{
	struct sg_policy policy = { 0 };
	int rc = again->n_probes ? sg_policy_at(&policy, p->r, &p->prev.commit) : 0;

	for (size_t i = 0; rc >= 0 && i < again->n_probes; i++) {
		const struct sg_set *set = sg_probe_set(sets, &again->probe[i]);

		if (set && set->present && strcmp(again->probe[i].role, "exec"))
			rc = compare_probe(c, p, set, &policy, again, i);
	}
	sg_policy_release(&policy);
	return rc;
}

/* The rollback hashes are of the parent's first documents of the first set. */
static int check_rollback(struct compared *c, const struct sg_receipt *again)
{
	const struct sg_receipt_set *s = again->n_sets ? &again->set[0] : NULL;
	char is[SG_SHA256_HEX];

	if (!s || !*again->facts.before)
		return 0;
	SG_TRY(sg_sha256_hex(is, s->parent, SG_MIN(s->docs, (size_t)SG_ROLLBACK_DOCS) * sizeof(*s->parent)));
	if (strcmp(is, again->facts.before)) {
		c->other++;
		snprintf(c->where, sizeof(c->where), "the rollback check stores another hash of the parent's losses");
	}
	return 0;
}

static int copy_receipt(struct sg_receipt *out, const struct sg_receipt *r)
{
	struct sg_buf b = { 0 };
	int rc = sg_receipt_emit(&b, r);

	if (rc >= 0)
		rc = sg_receipt_parse(out, b.data, b.len, "receipt");
	sg_buf_release(&b);
	return rc;
}

static int judge_again(struct sg_prover *p, struct sg_receipt *again)
{
	struct sg_policy policy = { 0 };
	int rc = sg_policy_at(&policy, p->r, &p->prev.commit);

	if (rc >= 0)
		rc = sg_gate_judge(again, &policy);
	sg_policy_release(&policy);
	return rc;
}

static int say(struct sg_prover *p, struct compared *c, struct sg_receipt *again, const struct sg_receipt *r,
	       const char *subject)
{
	bool same_print = !strcmp(r->fingerprint, p->r->dev.fingerprint);

	if (!c->sets)
		return 0;
	p->total->replayed++;
	if (c->sets == again->n_sets && same_print)
		SG_TRY(check_rollback(c, again));
	if (!c->other) {
		p->total->same_bits++;
		return sg_prove_say(p, SG_PROVEN, "replay", subject, "same bits: %zu documents of %zu sets", c->docs, c->sets);
	}
	if (same_print)
		return sg_prove_say(p, SG_DIFFERS, "replay", subject, "%s", c->where);
	SG_TRY(judge_again(p, again));
	if (again->verdict != r->verdict)
		return sg_prove_say(p, SG_DIFFERS, "replay", subject, "the verdict is %s here (%s), %s is stored (%.200s)",
				    sg_verdict_name(again->verdict), p->r->dev.fingerprint, sg_verdict_name(r->verdict),
				    r->fingerprint);
	p->total->same_verdict++;
	return sg_prove_say(p, SG_PROVEN, "replay", subject,
			    "same verdict, other fingerprint: at most %.3g nats/token away (%.200s is stored)", c->worst,
			    r->fingerprint);
}

/* The same base is read once for a whole line: the view that is done hands it on. */
static int open_base(struct sg_prover *p)
{
	if (!p->now.ckpt && !strcmp(p->prev.base, p->now.base)) {
		p->now.ckpt = p->prev.ckpt;
		p->prev.ckpt = NULL;
	}
	return sg_view_base(&p->now, p->progress);
}

static int replay(struct sg_prover *p, const struct sg_sets *sets, const struct sg_receipt *r, const char *subject)
{
	struct compared c = { .docs = 0 };
	struct sg_receipt again = { 0 };
	int rc = measure_view(p, &p->prev, sets, r);

	if (rc >= 0)
		rc = open_base(p);
	if (rc >= 0)
		rc = measure_view(p, &p->now, sets, r);
	if (rc >= 0)
		rc = copy_receipt(&again, r);
	if (rc >= 0)
		rc = compare_sets(&c, p, sets, &again);
	if (rc >= 0)
		rc = compare_probes(&c, p, sets, &again);
	if (rc >= 0)
		rc = say(p, &c, &again, r, subject);
	sg_receipt_release(&again);
	if (rc == -SG_E_NOTFOUND)
		return sg_prove_say(p, SG_OPEN, "replay", subject, "not replayed: %s", sg_error_message());
	return rc < 0 ? sg_prove(p, rc, "replay", subject, "") : rc;
}

int sg_prove_replay(struct sg_prover *p, const struct sg_receipt *r, const char *subject)
{
	struct sg_sets sets = { 0 };
	int rc;

	forget(p);
	rc = sg_view_base(&p->prev, p->progress);
	if (rc == -SG_E_NOTFOUND)
		return sg_prove_say(p, SG_OPEN, "replay", subject, "not replayed: %s", sg_error_message());
	if (rc >= 0)
		rc = sg_sets_open(&sets, p->r, &p->prev.commit);
	for (size_t i = 0; rc >= 0 && i < r->n_sets; i++) {
		const struct sg_set *set = sg_sets_find(&sets, r->set[i].name);

		if (!set || !set->present)
			rc = sg_prove_say(p, SG_OPEN, "replay", subject,
					  "set '%.70s' was not replayed: its tokens are not on this machine", r->set[i].name);
	}
	rc = rc < 0 ? sg_prove(p, rc, "replay", subject, "") : replay(p, &sets, r, subject);
	sg_sets_release(&sets);
	return rc;
}
