#ifndef SG_GATE_POLICY_H
#define SG_GATE_POLICY_H
#include "base/base.h"
#include "base/buf.h"
#include "base/hash.h"
SG_C_BEGIN
/*
 * What a graft must pass, sg-policy(5): text in git-config syntax with defaults
 * built in. An unknown section or key, or a key set twice, is refused with its
 * line: a gate that was misspelt must not be a gate that is off.
 */
enum sg_gate_bounds { SG_BOUNDS_T, SG_BOUNDS_BOOTSTRAP, SG_BOUNDS_SEQUENTIAL };	/* value of `test` */

struct sg_policy_retain {		/* [retain "NAME"]: a set that must be measured */
	char *name;
	double max_increase;
	int64_t min_docs;
	bool has_increase, has_docs;	/* given here, else the gate's own */
};
#define SG_POLICY_KEY 81		/* "ssh-ed25519 AAAA..." and the NUL */
struct sg_policy_signer {		/* [signer "NAME"] */
	char *name;
	char key[SG_POLICY_KEY];
	bool required;			/* each approval needs this one's */
};
struct sg_policy {
	struct { bool sign; int64_t approvals; char protect[256]; } trust;	/* without effect while there are no signers */
	struct {
		bool enabled, correct_uses;
		double alpha, min_gain;
		int64_t min_docs, min_sets, max_uses, test;
	} quality;
	struct {
		bool enabled, correct_uses;
		double alpha, max_increase;
		int64_t min_docs, min_sets, max_uses, test;
	} retention;
	struct { bool enabled; int64_t max_bytes; bool finite; double min_nonzero; } artefact;
	struct { bool enabled; } rollback;
	struct { bool enabled; double alpha, max_kl; int64_t docs, min_docs; } drift;
	struct { bool enabled; double alpha, max_interaction; int64_t docs, min_docs, grafts; } conflict;
	struct { bool enabled; double alpha; int64_t docs, min_docs; } control;
	struct { bool enabled; double alpha, max_drop; int64_t min_docs; } safety;
	struct { bool enabled; double max_share; } contamination;
	struct { bool enabled; double alpha, max_rank; int64_t min_docs; char set[256], control[256]; } canary;
	struct { bool enabled, model; } exec;
	struct { bool enabled; double alpha, max_repeat; int64_t docs, min_docs, prompt, tokens; } degenerate;
	struct sg_policy_retain *retain;
	size_t n_retain, cap_retain;
	struct sg_policy_signer *signer;
	size_t n_signers, cap_signers;
	char id[SG_SHA256_HEX];		/* SHA-256 of the text it was read from */
};

/* `what` names the source in messages. Empty text gives the defaults.
 * *out is written on success only. */
int sg_policy_parse(struct sg_policy *out, const char *data, size_t n, const char *what);
void sg_policy_release(struct sg_policy *p);

/* Is the branch ("main") one that trust.protected names? Not while there are no signers. */
bool sg_policy_protects(const struct sg_policy *p, const char *branch);

/* The text of a new registry: every key at its default, with comments. */
int sg_policy_default(struct sg_buf *out);

/* The value in force of one key ("gate.quality.alpha"), as text, added to *out.
 * NOTFOUND: no such key. */
int sg_policy_get(struct sg_buf *out, const struct sg_policy *p, const char *name);
/* Each key in force, "name=value" and a newline. */
int sg_policy_list(struct sg_buf *out, const struct sg_policy *p);
/* The text with one key changed (value NULL: back to the default), added to *out
 * only when the whole is still a policy. The rest is kept byte by byte. */
int sg_policy_set(struct sg_buf *out, const char *data, size_t n, const char *what,
		  const char *name, const char *value);
SG_C_END
#endif
