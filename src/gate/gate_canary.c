/*
 * Were inserted texts learnt by heart? The policy names a safety set of texts that were
 * put into the training data, and one of controls, made alike and never put there
 * (Carlini and others 2019). For each canary: the share of the controls whose loss fell
 * less than its own. Without memory that is 1/2 in the mean; with perfect memory 1.
 */
#include "gate/gate.h"
#include "base/error.h"
#include "base/mem.h"

static bool enabled(const struct sg_policy *p)
{
	return p->canary.enabled;
}

static const struct sg_receipt_set *find(const struct sg_receipt *r, const char *name)
{
	for (size_t i = 0; i < r->n_sets; i++)
		if (!strcmp(r->set[i].name, name))
			return &r->set[i];
	return NULL;
}

/* Nats per token that document d gained. */
static double gain(const struct sg_receipt_set *s, size_t d)
{
	return s->tokens[d] ? (s->parent[d] - s->cand[d]) / s->tokens[d] : 0;
}

static int run(const struct sg_gate_input *input, struct sg_receipt_gate *out)
{
	const struct sg_policy *p = input->policy;
	const struct sg_receipt_set *in = find(input->receipt, p->canary.set);
	const struct sg_receipt_set *control = find(input->receipt, p->canary.control);
	struct sg_gate_test t = {
		.alpha = p->canary.alpha, .limit = p->canary.max_rank, .min_docs = p->canary.min_docs,
	};
	struct sg_receipt_set ranks;
	int rc;

	if (!sg_gate_growth(input->receipt))
		return sg_gate_say(out, SG_ACCEPT, "no graft is judged");
	if (!in || !control || !in->docs || !control->docs)
		return sg_gate_say(out, SG_DEFER, "the canaries '%s' or the controls '%s' were not measured", p->canary.set,
				   p->canary.control);
	ranks = *in;
	ranks.parent = ranks.cand = NULL;
	ranks.tokens = NULL;
	rc = SG_NEW(ranks.parent, in->docs);
	if (rc >= 0)
		rc = SG_NEW(ranks.cand, in->docs);
	if (rc >= 0)
		rc = SG_NEW(ranks.tokens, in->docs);
	for (size_t i = 0; rc >= 0 && i < in->docs; i++) {
		ranks.tokens[i] = 1;
		for (size_t k = 0; k < control->docs; k++)
			ranks.cand[i] += (gain(control, k) < gain(in, i)) + 0.5 * (gain(control, k) == gain(in, i));
		ranks.cand[i] /= (double)control->docs;
	}
	if (rc >= 0)
		rc = sg_gate_paired(&ranks, &t, out);
	free(ranks.parent);
	free(ranks.cand);
	free(ranks.tokens);
	if (rc)
		return rc;
	return sg_gate_say(out, out->verdict, "a canary gains more than %.3f of the controls, at most %.3f, %.3f is allowed",
			   out->mean, out->upper, t.limit);
}

const struct sg_gate sg_gate_canary = { .name = "canary", .enabled = enabled, .run = run };
