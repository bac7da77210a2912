/* Was what the candidate is judged on in what it was trained on? Probe "<set>/ngrams", one
 * document: of the set's sequences of 13 words, `tokens` in all, `cand` stand in the
 * training sets too. */
#include "gate/gate.h"

static bool enabled(const struct sg_policy *p)
{
	return p->contamination.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_receipt_set *s = in->set;
	double share;

	if (s->docs != 1)
		return sg_gate_say(out, SG_DEFER, "nothing was counted");
	share = s->tokens[0] ? s->cand[0] / s->tokens[0] : 0;
	out->n = 1;
	out->mean = share;
	out->threshold = in->policy->contamination.max_share;
	return sg_gate_say(out, share <= out->threshold ? SG_ACCEPT : SG_REJECT,
			   "%.0f of %u sequences of 13 words are in the training sets", s->cand[0], s->tokens[0]);
}

static int missing(const struct sg_policy *p, struct sg_receipt *r)
{
	(void)p;
	return sg_gate_probed(r, "contamination");
}

const struct sg_gate sg_gate_contamination = {
	.name = "contamination", .role = "contamination", .enabled = enabled, .run = run, .missing = missing,
};
