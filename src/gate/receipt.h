#ifndef SG_GATE_RECEIPT_H
#define SG_GATE_RECEIPT_H
#include "base/base.h"
#include "base/buf.h"
#include "base/hash.h"
SG_C_BEGIN
/*
 * The replayable record of a validation, sg-receipt(5): what was compared, the
 * loss of every document under both, and what each gate said. Everything that a
 * verdict depends on is in here or in the policy that it names.
 */
#define SG_RECEIPT_FORMAT "sg-receipt-1"
#define SG_RECEIPT_MAX	((size_t)256 << 20)	/* bytes of a receipt */
#define SG_RECEIPT_SETS	256	/* and as many probes as 16 times that */
#define SG_RECEIPT_DOCS	((size_t)1 << 24)	/* documents of a set */
#define SG_RECEIPT_GATES 1024

enum sg_verdict { SG_ACCEPT, SG_REJECT, SG_DEFER, SG_VERDICT_COUNT };
const char *sg_verdict_name(enum sg_verdict v);	/* "accept", "reject", "defer" */

/*
 * One data set and what was measured on it; or a probe, which is some other pair of
 * numbers for each of the first documents of a set, made for one gate: its role is the
 * gate's, its name "<set>/<what>", and src/sg_probe.c says what parent and cand are.
 */
struct sg_receipt_set {
	char *name, *role;		/* role: "accept", "retain", ... */
	char id[SG_SHA256_HEX];		/* of the manifest */
	char shard[SG_SHA256_HEX];	/* of the tokens */
	uint64_t uses;			/* candidates judged on this set so far, this one included: >= 1 */
	size_t docs;
	double *parent, *cand;		/* [docs] sum of loss over scored tokens, nats */
	uint32_t *tokens, *bytes;	/* [docs] scored tokens; bytes of text */
};

/* What is known of the graft itself. */
struct sg_receipt_facts {
	uint64_t size;			/* bytes of payload as stored */
	uint64_t elements, nonzero, nonfinite;
	/* Rollback: SHA-256 of the parent's outputs before the graft was attached and
	 * after it was taken off again; both empty: not tried. */
	char before[SG_SHA256_HEX], after[SG_SHA256_HEX];
};

/*
 * What one gate said of one set, or of the graft (set ""). Reals are nats per token,
 * 0 where a gate has none; stats.h says what they are. threshold: what the bound was
 * held against; alpha: after correction for uses.
 */
#define SG_RECEIPT_REALS(X) \
	X(parent) X(mean) X(se) X(skew) X(lower) X(upper) X(ratio) X(worst) X(threshold) X(alpha)
struct sg_receipt_gate {
	char *name, *set;
	enum sg_verdict verdict;
	uint64_t n, worse;		/* documents; those that got much worse */
#define X(field) double field;
	SG_RECEIPT_REALS(X)
#undef X
	char *text;			/* for people; not part of the decision */
};

struct sg_receipt {
	char base[SG_SHA256_HEX], policy[SG_SHA256_HEX];
	char graft[SG_SHA256_HEX];	/* "": a composition was judged: what a merge brings in has facts, a revert none */
	char parent[SG_SHA256_HEX], candidate[SG_SHA256_HEX];	/* state hashes */
	char *fingerprint, *tool;	/* numerics fingerprint; "sg 0.1.0" */
	uint32_t window;		/* T: tokens of a window */
	struct sg_receipt_facts facts;
	struct sg_receipt_set *set;
	size_t n_sets, cap_sets;
	struct sg_receipt_set *probe;
	size_t n_probes, cap_probes;
	struct sg_receipt_gate *gate;	/* made by sg_gate_judge */
	size_t n_gates, cap_gates;
	enum sg_verdict verdict;
};

void sg_receipt_release(struct sg_receipt *r);
/* Drops the results, keeps the measurements. */
void sg_receipt_clear_gates(struct sg_receipt *r);

/* A new set with copies of the strings and zeroed arrays of `docs` entries, to be
 * filled by the caller; *out is borrowed and dies at the next add. */
int sg_receipt_add_set(struct sg_receipt *r, struct sg_receipt_set **out, const char *name,
		       const char *role, const char *id, const char *shard, uint64_t uses, size_t docs);

/* The same for a probe. */
int sg_receipt_add_probe(struct sg_receipt *r, struct sg_receipt_set **out, const char *name,
			 const char *role, const char *id, const char *shard, uint64_t uses, size_t docs);

/* The set that a probe looks at, with its documents and more; NULL: not in the receipt. */
const struct sg_receipt_set *sg_receipt_whole(const struct sg_receipt *r, const struct sg_receipt_set *probe);

/* Canonical msgpack, added to *out: equal receipts are equal bytes. CORRUPT when the receipt
 * breaks a rule of the format (an id that is none, no uses, ...). */
int sg_receipt_emit(struct sg_buf *out, const struct sg_receipt *r);
/* Strict: bytes that emit would not have written are CORRUPT. *out is written on
 * success only. */
int sg_receipt_parse(struct sg_receipt *out, const void *data, size_t n, const char *what);
SG_C_END
#endif
