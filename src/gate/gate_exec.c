/* What a program of the user's says. Probe "program/exec", one document: `cand` is its
 * exit status. Its command line and what it printed are in the probe's id and shard. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->exec.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	double status = in->set->docs == 1 ? in->set->cand[0] : 2;

	if (status == 0 || status == 1)
		return sg_gate_say(out, status == 0 ? SG_ACCEPT : SG_REJECT, "the program says so");
	return sg_gate_say(out, SG_DEFER, "the program ended with status %.0f", status);
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	(void)p;
	return sg_gate_probed(r, "exec");
}

const struct sg_gate sg_gate_exec = {
	.name = "exec", .role = "exec", .enabled = enabled, .run = run, .missing = missing,
};
