/*
 * At peace with each active graft. Probe "<set>/<id16>": losses without that graft,
 * under the parent and under the candidate. What is tested is the interaction: the
 * change that the candidate makes where the graft is, less the change that it makes
 * where the graft is not. Above zero both do the same work or one undoes the other's.
 */
#include "gate/gate.h"
#include "base/error.h"
#include "base/mem.h"

static bool enabled(const struct sg_policy *p)
{
	return p->conflict.enabled;
}

static int run(const struct sg_gate_input *in, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = in->policy;
	const struct sg_receipt_set *without = in->set, *with = sg_receipt_whole(in->receipt, without);
	struct sg_gate_test t = {
		.alpha = p->conflict.alpha, .limit = p->conflict.max_interaction, .min_docs = p->conflict.min_docs,
	};
	struct sg_receipt_set change = *without;
	size_t n = SG_MAX(without->docs, (size_t)1);
	int rc;

	if (!with)
		return sg_gate_say(out, SG_DEFER, "the set itself was not measured");
	change.parent = change.cand = NULL;
	rc = SG_NEW(change.parent, n);
	if (rc >= 0)
		rc = SG_NEW(change.cand, n);
	for (size_t d = 0; rc >= 0 && d < without->docs; d++) {
		change.parent[d] = without->cand[d] - without->parent[d];
		change.cand[d] = with->cand[d] - with->parent[d];
	}
	if (rc >= 0)
		rc = sg_gate_paired(&change, &t, out);
	free(change.parent);
	free(change.cand);
	if (rc)
		return rc;
	return sg_gate_say(out, out->verdict,
			   "%+.4f nats/token where it is, %+.4f without it; at most %+.4f apart, %+.4f is allowed",
			   out->parent + out->mean, out->parent, out->upper, t.limit);
}

/* Nothing is missing where nothing is active: the receipt cannot tell, so the caller
 * who measures must not leave a graft out. */
const struct sg_gate sg_gate_conflict = { .name = "conflict", .role = "conflict", .enabled = enabled, .run = run };
