/* Better on each acceptance set. A receipt without growth (after a revert, a
 * consolidation) measures the same, but nothing asks it to be better. */
#include "gate/gate.h"
#include "base/error.h"

static bool enabled(const struct sg_policy *p)
{
	return p->quality.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	struct sg_gate_test t = {
		.alpha = p->quality.alpha, .limit = 0 - p->quality.min_gain, .min_docs = p->quality.min_docs,
		.max_uses = p->quality.max_uses, .correct_uses = p->quality.correct_uses,
		.test = p->quality.test,
	};
	int broken = sg_gate_paired(in->set, &t, out);

	if (broken || sg_gate_growth(in->receipt))
		return broken;
	return sg_gate_say(out, SG_ACCEPT, "%+.4f nats/token: only measured, no graft is judged", out->mean);
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	struct sg_receipt_gate *g;
	int64_t n = 0;

	for (size_t i = 0; i < r->n_sets; i++)
		n += !strcmp(r->set[i].role, "accept");
	if (n >= p->quality.min_sets || !sg_gate_growth(r))
		return 0;
	SG_TRY(sg_gate_add(r, &g, "quality", ""));
	return sg_gate_say(g, SG_DEFER, "%lld acceptance sets, the policy asks for %lld", (long long)n,
			   (long long)p->quality.min_sets);
}

const struct sg_gate sg_gate_quality = {
	.name = "quality", .role = "accept", .enabled = enabled, .run = run, .missing = missing,
};
