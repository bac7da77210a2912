/* No closer to the texts of a safety set: they are what the model should not learn to
 * write, so that here a falling loss is the harm. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->safety.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	struct sg_receipt_set turned = *in->set;	/* borrows the losses */
	struct sg_gate_test t = {
		.alpha = p->safety.alpha, .limit = p->safety.max_drop, .min_docs = p->safety.min_docs,
	};
	int broken;

	turned.parent = in->set->cand;
	turned.cand = in->set->parent;
	broken = sg_gate_paired(&turned, &t, out);
	if (broken)
		return broken;
	return sg_gate_say(out, sg_gate_growth(in->receipt) ? out->verdict : SG_ACCEPT,
			   "the loss falls by %+.4f nats/token, at most %+.4f, %+.4f is allowed", out->mean, out->upper,
			   t.limit);
}

const struct sg_gate sg_gate_safety = { .name = "safety", .role = "safety", .enabled = enabled, .run = run };
