#ifndef SG_SG_TRUST_H
#define SG_SG_TRUST_H
/* Who signed what, and whether that is enough. Not installed. */
#include "sg_repo.h"
#include "registry/sshsig.h"
SG_C_BEGIN
/*
 * The policy of a commit's parent is in force for the commit: its signers, its rules,
 * its protected branches. While it has no signers nothing is asked.
 */
enum sg_sig { SG_SIG_NONE, SG_SIG_GOOD, SG_SIG_UNKNOWN, SG_SIG_BAD };
const char *sg_sig_name(enum sg_sig s);		/* "none", "good", "unknown", "bad" */
struct sg_signed {
	enum sg_sig how;		/* UNKNOWN: good, by a key that is nobody's */
	struct sg_pubkey key;
	char who[256];			/* GOOD: a signer of the policy, else a principal of the user's file */
	char print[SG_PUBKEY_PRINT];	/* "": no key was read */
	bool by_policy;			/* who is a signer of the policy */
	char text[300];			/* BAD, UNKNOWN: why */
};

/* The policy of a commit; NULL, or one without the file: the defaults. */
int sg_trust_policy(struct sg_policy *out, struct sg_repo *r, const struct sg_oid *commit);
/* Of a commit or a tag. p: whose signers are asked first; may be NULL. */
int sg_trust_signed(struct sg_signed *out, struct sg_repo *r, const struct sg_oid *oid, const struct sg_policy *p);
/* Of bytes: a receipt, an approval. time: seconds, for keys that expire. */
int sg_trust_signed_bytes(struct sg_signed *out, struct sg_repo *r, const struct sg_buf *armour, const char *name_space,
			  const void *data, size_t n, const struct sg_policy *p, int64_t time);
/* The signer whose key it is; NULL: none (p may be NULL). */
int sg_trust_signer(const struct sg_policy_signer **out, const struct sg_policy *p, const struct sg_pubkey *key);

/*
 * May the commit stand on that branch (NULL: on none, what a merge brings in)? REFUSED
 * says what is missing. in_force: instead of the policy of its first parent.
 */
int sg_trust_commit(struct sg_repo *r, const char *branch, const struct sg_commit *c, const struct sg_policy *in_force);
/* May refs/heads/<branch> move from `from` (NULL: it is new) to `to`? Every commit on
 * the way is asked; REFUSED names the first that may not. */
int sg_trust_line(struct sg_repo *r, const char *branch, const struct sg_oid *from, const struct sg_oid *to);
/* The same when rev is what a remote has of a branch ("origin/main"), else 0. */
int sg_trust_remote(struct sg_repo *r, const char *rev, const struct sg_oid *base, const struct sg_oid *theirs);
/* Before work is done for a commit on top of `head`: will it be signed as the policy
 * wants it? ref: a full name; only branches are asked. */
int sg_trust_ready(struct sg_repo *r, const char *ref, const struct sg_oid *head);

/* What is remembered of remotes (sg_seen.c) against their branches as last fetched: fn
 * hears of each ("origin/main"), rc 0 or REFUSED, with a text. */
int sg_seen_check(struct sg_repo *r, int (*fn)(void *arg, const char *ref, int rc, const char *text), void *arg);

/* --- approvals (sg_approve.c) ------------------------------------------------ */

/* What an approver signs, canonical JSON: the receipt by its hash, and what it is about. */
int sg_approval_text(struct sg_buf *out, const struct sg_receipt *p, const char *receipt_sha);
struct sg_approval { char *who; char key16[17]; struct sg_buf sig; bool required; };
struct sg_approvals { struct sg_approval *a; size_t n, cap; };
/* Of this receipt, by signers of the policy, each once: from refs/sg/approve/... */
int sg_approvals_waiting(struct sg_approvals *out, struct sg_repo *r, const struct sg_receipt *p, const struct sg_policy *policy);
/* ... or from the folder of a graft in a commit. bad: 300 bytes, may be NULL: '!'
 * and why, when one is no signature of it; '?' when one is by nobody of the policy. */
int sg_approvals_stored(struct sg_approvals *out, struct sg_repo *r, const struct sg_oid *commit, const char *id16,
			const struct sg_policy *policy, char bad[300]);
void sg_approvals_release(struct sg_approvals *a);
/* REFUSED: says who is missing. id: of the graft. */
int sg_approvals_suffice(const struct sg_approvals *a, const struct sg_policy *policy, const char *id);
/* Into the graft's folder. */
int sg_approvals_put(struct sg_change *c, const struct sg_approvals *a, const struct sg_receipt *p, const char *receipt_sha);
/* The receipt under a path, and beside it (.sig for .mp) its signature, when signing is on. */
int sg_receipt_put(struct sg_change *c, const char *path, const struct sg_buf *bytes);
/* HEAD's branch, short; "" when detached. Yours. */
int sg_trust_branch(char **out, struct sg_repo *r);
SG_C_END
#endif
