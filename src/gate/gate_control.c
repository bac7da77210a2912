/* The payload's order matters: better than the same numbers shuffled within each
 * tensor. Probe: losses under the shuffled candidate, and under the candidate. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->control.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	struct sg_gate_test t = { .alpha = p->control.alpha, .min_docs = p->control.min_docs };

	return sg_gate_paired(in->set, &t, out);
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	(void)p;
	return sg_gate_probed(r, "control");
}

const struct sg_gate sg_gate_control = {
	.name = "control", .role = "control", .enabled = enabled, .run = run, .missing = missing,
};
