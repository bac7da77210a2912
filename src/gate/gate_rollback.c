/* Taking the graft off gives the parent back: the outputs before it was attached and
 * after it was taken off have the same bytes. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->rollback.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_receipt_facts *f = &in->receipt->facts;

	if (!sg_gate_growth(in->receipt))
		return sg_gate_say(out, SG_ACCEPT, "no graft is judged");
	if (!*f->before || !*f->after)
		return sg_gate_say(out, SG_DEFER, "it was not tried");
	if (strcmp(f->before, f->after))
		return sg_gate_say(out, SG_REJECT, "without the graft the outputs differ from the parent's");
	return sg_gate_say(out, SG_ACCEPT, "without the graft the outputs are the parent's, bit by bit");
}

const struct sg_gate sg_gate_rollback = { .name = "rollback", .enabled = enabled, .run = run };
