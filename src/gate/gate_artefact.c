/* What is stored of the graft: its size, that it is finite, that it is not empty. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->artefact.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_receipt_facts *f = &in->receipt->facts;
	const struct sg_policy *p = in->policy;
	double share = f->elements ? (double)f->nonzero / (double)f->elements : 0;

	if (!sg_gate_growth(in->receipt))
		return sg_gate_say(out, SG_ACCEPT, "no graft is judged");
	if (!f->elements)
		return sg_gate_say(out, SG_REJECT, "the graft has no elements");
	if (p->artefact.finite && f->nonfinite)
		return sg_gate_say(out, SG_REJECT, "%llu elements are not finite", (unsigned long long)f->nonfinite);
	if (p->artefact.max_bytes && f->size > (uint64_t)p->artefact.max_bytes)
		return sg_gate_say(out, SG_REJECT, "%llu bytes are more than %lld", (unsigned long long)f->size,
				   (long long)p->artefact.max_bytes);
	if (share < p->artefact.min_nonzero)
		return sg_gate_say(out, SG_REJECT, "%.4f of the elements are not zero, less than %.4f", share,
				   p->artefact.min_nonzero);
	return sg_gate_say(out, SG_ACCEPT, "%llu bytes, %.4f of the elements are not zero",
			   (unsigned long long)f->size, share);
}

const struct sg_gate sg_gate_artefact = { .name = "artefact", .enabled = enabled, .run = run };
