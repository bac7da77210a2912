/* Not much worse on each retained set; the sets that the policy names must be there. */
#include "gate/gate.h"
#include "base/error.h"

static bool enabled(const struct sg_policy *p)
{
	return p->retention.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	struct sg_gate_test t = {
		.alpha = p->retention.alpha, .limit = p->retention.max_increase, .min_docs = p->retention.min_docs,
		.max_uses = p->retention.max_uses, .correct_uses = p->retention.correct_uses,
		.test = p->retention.test,
	};

	for (size_t i = 0; i < p->n_retain; i++) {
		const struct sg_policy_retain *own = &p->retain[i];

		if (strcmp(own->name, in->set->name))
			continue;
		t.limit = own->has_increase ? own->max_increase : t.limit;
		t.min_docs = own->has_docs ? own->min_docs : t.min_docs;
	}
	return sg_gate_paired(in->set, &t, out);
}

static bool measured(const struct sg_receipt *r, const char *name)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (!strcmp(r->set[i].role, "retain") && !strcmp(r->set[i].name, name))
			return true;
	return false;
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	struct sg_receipt_gate *g;
	int64_t n = 0;

	for (size_t i = 0; i < r->n_sets; i++)
		n += !strcmp(r->set[i].role, "retain");
	for (size_t i = 0; i < p->n_retain; i++) {
		if (measured(r, p->retain[i].name))
			continue;
		SG_TRY(sg_gate_add(r, &g, "retention", p->retain[i].name));
		SG_TRY(sg_gate_say(g, SG_DEFER, "the policy retains this set, but it was not measured"));
	}
	if (n >= p->retention.min_sets)
		return 0;
	SG_TRY(sg_gate_add(r, &g, "retention", ""));
	return sg_gate_say(g, SG_DEFER, "%lld retained sets, the policy asks for %lld", (long long)n,
			   (long long)p->retention.min_sets);
}

const struct sg_gate sg_gate_retention = {
	.name = "retention", .role = "retain", .enabled = enabled, .run = run, .missing = missing,
};
