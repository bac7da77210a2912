#ifndef SG_GATE_GATE_H
#define SG_GATE_GATE_H
#include "base/base.h"
#include "gate/policy.h"
#include "gate/receipt.h"
SG_C_BEGIN
/*
 * A gate looks at measurements and says accept, reject or defer; it measures
 * nothing itself, so that a verdict can be replayed from its receipt. All must
 * accept: one rejection rejects, otherwise one deferral defers.
 *
 * To add a gate: src/gate/gate_foo.c with `const struct sg_gate sg_gate_foo` and a
 * line in gates.def, keys in policy.c, and a test.
 */
struct sg_gate_input {
	const struct sg_policy *policy;
	const struct sg_receipt *receipt;	/* all sets and facts */
	const struct sg_receipt_set *set;	/* or probe, the one to judge; NULL for a gate without role */
};

struct sg_gate {
	const char *name;	/* as the policy has it: [gate "name"] */
	const char *role;	/* run once for each set or probe of this role; NULL: once */
	bool (*enabled)(const struct sg_policy *p);
	/* Fill numbers, verdict and text of *out, whose name and set are there already. */
	int (*run)(const struct sg_gate_input *in, struct sg_receipt_gate *out);
	/* May be NULL. What is not there to be judged, as a set that the policy asks for:
	 * one sg_gate_add for each. */
	int (*missing)(const struct sg_policy *p, struct sg_receipt *r);
};

/* The list, in order of gates.def. */
extern const struct sg_gate *const sg_gates[];
extern const size_t sg_gates_n;

/*
 * Judge what r holds (ids, sets with losses, facts) under p: r->gate, r->verdict
 * and r->policy are made anew. 0 whatever the verdict is; an error only when it
 * could not be judged.
 */
int sg_gate_judge(struct sg_receipt *r, const struct sg_policy *p);

/* Judge again from the measurements in r and compare all but texts, bit by bit.
 * REFUSED names the first difference, or that the policy is another one. That the
 * losses themselves are true is for a caller with model and data to see. */
int sg_gate_replay(const struct sg_receipt *r, const struct sg_policy *p);

/* --- for gates --- */

/* Verdict and text; 0 or NOMEM. */
int sg_gate_say(struct sg_receipt_gate *g, enum sg_verdict v, const char *fmt, ...) SG_PRINTF(3, 4);
/* Is growth judged, a graft or what a merge brings in, rather than what is left after
 * something went? The first has facts of a payload. */
bool sg_gate_growth(const struct sg_receipt *r);
/* One more result, borrowed until the next. */
int sg_gate_add(struct sg_receipt *r, struct sg_receipt_gate **out, const char *name, const char *set);

/*
 * The test that quality and retention share: is the mean difference of a set below
 * `limit`? With min_docs documents or more the answer is final: accept when the
 * upper bound is below, else reject (the sequential test defers while the limit lies
 * between its bounds). With fewer it is reject when the lower bound is above, else
 * defer. A set used more than max_uses times (0: no limit) defers. A
 * loss that is not finite rejects, and 1 is returned.
 */
struct sg_gate_test { double alpha, limit; int64_t min_docs, max_uses, test; bool correct_uses; };
int sg_gate_paired(const struct sg_receipt_set *set, const struct sg_gate_test *t, struct sg_receipt_gate *out);
/* For `missing`: a candidate whose receipt has no probe of this role is deferred. */
int sg_gate_probed(struct sg_receipt *r, const char *role);
SG_C_END
#endif
