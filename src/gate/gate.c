/*
 * The list of gates, run in its order over the sets of a receipt, and the same run
 * once more to see whether a receipt says what its numbers say.
 */
#include "gate/gate.h"
#include "base/error.h"
#include "base/mem.h"
#include "gate/stats.h"
#include <math.h>
#include <stdarg.h>

#define SG_GATE(name) extern const struct sg_gate sg_gate_##name;
#include "gate/gates.def"
#undef SG_GATE

const struct sg_gate *const sg_gates[] = {
#define SG_GATE(name) &sg_gate_##name,
#include "gate/gates.def"
#undef SG_GATE
};
const size_t sg_gates_n = SG_LEN(sg_gates);

int sg_gate_say(struct sg_receipt_gate *g, enum sg_verdict v, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	free(g->text);
	g->verdict = v;
	return (g->text = sg_strdup(text)) ? 0 : -SG_E_NOMEM;
}

bool sg_gate_growth(const struct sg_receipt *r)
{
	return *r->graft || r->facts.elements;
}

int sg_gate_add(struct sg_receipt *r, struct sg_receipt_gate **out, const char *name, const char *set)
{
	struct sg_receipt_gate *g;

	SG_TRY(SG_GROW(r->gate, r->n_gates, r->cap_gates));
	g = &r->gate[r->n_gates++];
	*g = (struct sg_receipt_gate){ .name = sg_strdup(name), .set = sg_strdup(set), .text = sg_strdup("") };
	*out = g;
	return g->name && g->set && g->text ? 0 : -SG_E_NOMEM;
}

static int bounds(double *lower, double *upper, const struct sg_paired *p, const struct sg_paired_in *in,
		  int64_t test, double alpha)
{
	double half;

	if (test == SG_BOUNDS_BOOTSTRAP)
		return sg_paired_bootstrap(lower, upper, in, alpha, 0);
	if (test == SG_BOUNDS_SEQUENTIAL) {
		half = sg_paired_always(p, alpha);
		*lower = p->mean - half;
		*upper = p->mean + half;
		return 0;
	}
	*lower = sg_paired_lower(p, alpha);
	*upper = sg_paired_upper(p, alpha);
	return 0;
}

int sg_gate_paired(const struct sg_receipt_set *set, const struct sg_gate_test *t, struct sg_receipt_gate *out)
{
	const struct sg_paired_in in = { set->parent, set->cand, set->tokens, set->docs };
	bool always = t->test == SG_BOUNDS_SEQUENTIAL;
	struct sg_paired p;
	double lower, upper;

	SG_TRY(sg_paired(&p, &in));
	out->n = p.n;
	out->threshold = t->limit;
	out->alpha = t->correct_uses ? sg_alpha_uses(t->alpha, set->uses) : t->alpha;
	SG_TRY(bounds(&lower, &upper, &p, &in, t->test, out->alpha));
	if (!p.finite || !isfinite(lower) || !isfinite(upper)) {
		SG_TRY(sg_gate_say(out, SG_REJECT, "a loss is not finite"));
		return 1;
	}
	out->parent = p.parent;
	out->mean = p.mean;
	out->se = p.se;
	out->skew = p.skew;
	out->ratio = p.ratio;
	out->worst = p.worst;
	out->worse = p.worse;
	if (p.n < 2)
		return sg_gate_say(out, SG_DEFER, "%llu scored documents: nothing can be told", (unsigned long long)p.n);
	out->lower = lower;
	out->upper = upper;
	if (t->max_uses && set->uses > (uint64_t)t->max_uses)
		return sg_gate_say(out, SG_DEFER, "the set was used %llu times, %lld are allowed",
				   (unsigned long long)set->uses, (long long)t->max_uses);
	if (p.n < (uint64_t)t->min_docs)
		return out->lower > t->limit ?
			sg_gate_say(out, SG_REJECT, "%+.4f nats/token, lower bound %+.4f is above %+.4f",
				    p.mean, out->lower, t->limit) :
			sg_gate_say(out, SG_DEFER, "%+.4f nats/token, but %llu documents are fewer than %lld",
				    p.mean, (unsigned long long)p.n, (long long)t->min_docs);
	if (always && out->lower <= t->limit && out->upper >= t->limit)
		return sg_gate_say(out, SG_DEFER, "%+.4f nats/token, %+.4f is within [%+.4f, %+.4f]: more documents can tell",
				   p.mean, t->limit, out->lower, out->upper);
	return out->upper < t->limit ?
		sg_gate_say(out, SG_ACCEPT, "%+.4f nats/token, upper bound %+.4f is below %+.4f",
			    p.mean, out->upper, t->limit) :
		sg_gate_say(out, SG_REJECT, "%+.4f nats/token, upper bound %+.4f is not below %+.4f",
			    p.mean, out->upper, t->limit);
}

int sg_gate_probed(struct sg_receipt *r, const char *role)
{
	struct sg_receipt_gate *g;

	for (size_t i = 0; i < r->n_probes; i++)
		if (!strcmp(r->probe[i].role, role))
			return 0;
	if (!*r->graft)
		return 0;
	SG_TRY(sg_gate_add(r, &g, role, ""));
	return sg_gate_say(g, SG_DEFER, "the policy asks for it, but it was not measured");
}

static int run_on(const struct sg_gate *g, struct sg_receipt *r, const struct sg_policy *p,
		  const struct sg_receipt_set *set)
{
	struct sg_gate_input in = { .policy = p, .receipt = r, .set = set };
	struct sg_receipt_gate *out;

	SG_TRY(sg_gate_add(r, &out, g->name, set ? set->name : ""));
	return g->run(&in, out);
}

static int run_gate(const struct sg_gate *g, struct sg_receipt *r, const struct sg_policy *p)
{
	if (!g->role)
		SG_TRY(run_on(g, r, p, NULL));
	for (size_t i = 0; g->role && i < r->n_sets; i++)
		if (!strcmp(r->set[i].role, g->role))
			SG_TRY(run_on(g, r, p, &r->set[i]));
	for (size_t i = 0; g->role && i < r->n_probes; i++)
		if (!strcmp(r->probe[i].role, g->role))
			SG_TRY(run_on(g, r, p, &r->probe[i]));
	return g->missing ? g->missing(p, r) : 0;
}

/* One rejection rejects, else one deferral defers. No gate at all accepts: that is
 * what a policy with every gate off asks for. */
static enum sg_verdict combine(const struct sg_receipt *r)
{
	enum sg_verdict v = SG_ACCEPT;

	for (size_t i = 0; i < r->n_gates; i++) {
		if (r->gate[i].verdict == SG_REJECT)
			return SG_REJECT;
		if (r->gate[i].verdict == SG_DEFER)
			v = SG_DEFER;
	}
	return v;
}

int sg_gate_judge(struct sg_receipt *r, const struct sg_policy *p)
{
	sg_receipt_clear_gates(r);
	r->verdict = SG_DEFER;
	memcpy(r->policy, p->id, sizeof(r->policy));
	for (size_t i = 0; i < sg_gates_n; i++)
		if (sg_gates[i]->enabled(p))
			SG_TRY(run_gate(sg_gates[i], r, p));
	r->verdict = combine(r);
	return 0;
}

/* --- replay ----------------------------------------------------------------- */

static int differs(const struct sg_receipt_gate *g, const char *field, double stored, double again)
{
	return sg_fail(SG_E_REFUSED, "gate '%s'%s%s: %s is stored as %.17g, the losses give %.17g", g->name,
		       *g->set ? " on " : "", g->set, field, stored, again);
}

static int compare(const struct sg_receipt_gate *a, const struct sg_receipt_gate *b)
{
	if (strcmp(a->name, b->name) || strcmp(a->set, b->set))
		return sg_fail(SG_E_REFUSED, "gate '%s' on '%s' is stored where '%s' on '%s' was judged", a->name,
			       a->set, b->name, b->set);
#define X(field) \
	if (memcmp(&a->field, &b->field, sizeof(a->field))) \
		return differs(a, #field, a->field, b->field);
	SG_RECEIPT_REALS(X)
#undef X
	if (a->n != b->n)
		return differs(a, "n", (double)a->n, (double)b->n);
	if (a->worse != b->worse)
		return differs(a, "worse", (double)a->worse, (double)b->worse);
	if (a->verdict != b->verdict)
		return sg_fail(SG_E_REFUSED, "gate '%s': stored verdict is %s, the losses give %s", a->name,
			       sg_verdict_name(a->verdict), sg_verdict_name(b->verdict));
	return 0;
}

static int compare_all(const struct sg_receipt *a, const struct sg_receipt *b)
{
	if (a->n_gates != b->n_gates)
		return sg_fail(SG_E_REFUSED, "%zu results are stored, %zu were judged", a->n_gates, b->n_gates);
	for (size_t i = 0; i < a->n_gates; i++)
		SG_TRY(compare(&a->gate[i], &b->gate[i]));
	if (a->verdict != b->verdict)
		return sg_fail(SG_E_REFUSED, "stored verdict is %s, the losses give %s",
			       sg_verdict_name(a->verdict), sg_verdict_name(b->verdict));
	return 0;
}

int sg_gate_replay(const struct sg_receipt *r, const struct sg_policy *p)
{
	struct sg_receipt again = *r;	/* shares the measurements, has its own results */
	int rc;

	if (strcmp(r->policy, p->id))
		return sg_fail(SG_E_REFUSED, "the receipt was made under policy %.16s, not %.16s", r->policy, p->id);
	again.gate = NULL;
	again.n_gates = again.cap_gates = 0;
	rc = sg_gate_judge(&again, p);
	if (rc >= 0)
		rc = compare_all(r, &again);
	sg_receipt_clear_gates(&again);
	free(again.gate);
	return rc;
}
