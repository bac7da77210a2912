/* Near its parent where it should stay. Probe: entropy of the parent's prediction, and
 * cross entropy of the candidate's under it, so that their difference is the divergence. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->drift.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	struct sg_gate_test t = { .alpha = p->drift.alpha, .limit = p->drift.max_kl, .min_docs = p->drift.min_docs };

	return sg_gate_paired(in->set, &t, out);
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	(void)p;
	return sg_gate_probed(r, "drift");
}

const struct sg_gate sg_gate_drift = {
	.name = "drift", .role = "drift", .enabled = enabled, .run = run, .missing = missing,
};
