/* No more stuck than its parent. Probe: repeated tokens in the greedy continuations of
 * both, of so many tokens each. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->degenerate.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	struct sg_gate_test t = {
		.alpha = p->degenerate.alpha, .limit = p->degenerate.max_repeat, .min_docs = p->degenerate.min_docs,
	};
	int broken = sg_gate_paired(in->set, &t, out);

	if (broken)
		return broken;
	return sg_gate_say(out, out->verdict, "repeated tokens %.3f -> %.3f, at most %+.3f more is shown, %+.3f is allowed",
			   out->parent, out->parent + out->mean, out->upper, t.limit);
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	(void)p;
	return sg_gate_probed(r, "degenerate");
}

const struct sg_gate sg_gate_degenerate = {
	.name = "degenerate", .role = "degenerate", .enabled = enabled, .run = run, .missing = missing,
};
