#ifndef SG_SG_VERIFY_H
#define SG_SG_VERIFY_H
/* What the files behind sg_verify() share. Not installed. */
#include "sg_repo.h"
SG_C_BEGIN
/* Losses that were measured here: of a composition on a set. */
struct sg_measured {
	char state[SG_SHA256_HEX], set[SG_SHA256_HEX];
	uint32_t window;
	size_t docs;
	double *nats;
	uint32_t *tokens;
};

/* The work at hand. */
struct sg_prover {
	struct sg_repo *r;
	const struct sg_verify_opts *o;
	const struct sg_progress *progress;
	struct sg_verify_total *total;
	struct sg_verified v;		/* what is found of `c` */
	const struct sg_commit *c;
	struct sg_view prev, now;	/* compositions of its first parent and its own */
	bool has_prev, has_now;		/* they could be read */
	struct sg_receipt_facts came;	/* of the grafts that a merge brought in */
	char *branch;			/* that the line is judged as, or NULL */
	bool nested;			/* the commit came in by a merge */
	struct sg_names bases;		/* ids whose weights were looked for */
	struct sg_measured *measured;
	size_t n, cap;
};

/* One more finding; only NOMEM fails. */
int sg_prove_say(struct sg_prover *p, enum sg_proof proof, const char *what, const char *subject,
		 const char *fmt, ...) SG_PRINTF(5, 6);
/*
 * A finding from the answer of a call: 0 or more is proven (with `text`), an error
 * is a difference with its message. Errors that say nothing of the registry (out of
 * memory, interrupted, a device) are passed on.
 */
int sg_prove(struct sg_prover *p, int rc, const char *what, const char *subject, const char *text);
/* Two texts that must be equal: an id that is stated and what was computed. */
int sg_prove_same(struct sg_prover *p, const char *what, const char *subject, const char *stated, const char *is);

/* The manifest data/<name> of a commit, and its id. CORRUPT when it is that of
 * another name. */
int sg_prove_manifest(struct sg_dataset_manifest *m, char id[SG_SHA256_HEX], struct sg_repo *r,
		      const struct sg_oid *commit, const char *name);

/* sg_evidence.c: the folder of a graft that this commit brought, and the receipt of
 * a composition (reverted/..., consolidated/...) with what people read of it. */
int sg_prove_graft(struct sg_prover *p, const char *id16);
int sg_prove_effect(struct sg_prover *p, const char *receipt, const char *json, const char *subject);
/* sg_attest.c: the commit's signature and whether the policy in force let it stand on
 * its branch; the signature beside a receipt; the approvals in a graft's folder. */
int sg_prove_trust(struct sg_prover *p);
int sg_prove_receipt_signature(struct sg_prover *p, const char *receipt, const char *subject);
int sg_prove_approvals(struct sg_prover *p, const char *id16);
/* Branches of remotes against what was seen of them. */
int sg_prove_refs(struct sg_prover *p);
/* The branch ("main") that a revision is, or that has it; yours, NULL: none. */
int sg_prove_branch(char **out, struct sg_repo *r, const char *rev, const struct sg_oid *tip);
/* sg_replay.c: the losses of a receipt, measured again. */
int sg_prove_replay(struct sg_prover *p, const struct sg_receipt *receipt, const char *subject);
void sg_measured_release(struct sg_prover *p);
SG_C_END
#endif
