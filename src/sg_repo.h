#ifndef SG_SG_REPO_H
#define SG_SG_REPO_H
/* What the files behind sg.h share. Not installed. */
#include "sg.h"
#include "base/json.h"
#include "format/tokens.h"
#include "gate/policy.h"
#include "gate/receipt.h"
#include "graft/compose.h"
#include "model/checkpoint.h"
#include "model/dataset.h"
#include "model/tokenizer.h"
#include "registry/commit.h"
#include "registry/history.h"
#include "registry/object.h"
#include "registry/packer.h"
#include "registry/payload.h"
#include "registry/ref.h"
#include "registry/registry.h"
#include "registry/signer.h"
#include "registry/tree.h"
SG_C_BEGIN
#define SG_VERSION "0.1.0"
#define SG_TOOL "sg " SG_VERSION

/*
 * Tree of a commit:
 *	sg.json			{"base":<pin>,"format":"sg-1"}
 *	base/config.json, base/tokenizer.json, base/data/<tensor>/0000 (embedded only)
 *	policy
 *	data/<name>.json, data/<name>.docs
 *	grafts/<id16>/graft.json train.json accept.json receipt.mp receipt.sig data/<tensor>/0000
 *	grafts/<id16>/approval.json approvals/<key16>.sig
 *	reverted/<id16>/effect.json receipt.mp receipt.sig
 *	consolidated/<state16>.json <state16>.mp <state16>.sig
 *	merged/<state16>.json <state16>.mp <state16>.sig
 * Local, beside registry.git: data/<sha256>.tokens, jobs/<recipe id>.state
 */
struct sg_repo {
	struct sg_registry *reg;
	char *device_name;
	unsigned threads;
	bool no_cache;			/* prove: believe nothing that was remembered (sg_stack.h) */
	struct sg_device dev;		/* opened when first wanted: sg_repo_device */
	bool dev_open;
};
int sg_repo_device(struct sg_device **out, struct sg_repo *r);
/* Who signs in it; s may be NULL. */
int sg_repo_signing(struct sg_repo *r, const struct sg_signing *s);
/* "<.sg>/<name>", yours. */
char *sg_repo_path(const struct sg_repo *r, const char *name);

/* --- a composition as a commit has it --------------------------------------- */

struct sg_view {
	struct sg_repo *r;
	struct sg_oid commit;
	char base[SG_SHA256_HEX], state[SG_SHA256_HEX];
	struct sg_names ids;		/* active grafts in stack order */
	struct sg_checkpoint *ckpt;	/* opened by sg_view_base */
	struct sg_tokenizer *tok;	/* opened by sg_view_tokenizer */
	char tokenizer[SG_SHA256_HEX];	/* its digest */
};
/* rev NULL: HEAD. Reads manifests, not weights. */
int sg_view_open(struct sg_view *out, struct sg_repo *r, const char *rev);
int sg_view_at(struct sg_view *out, struct sg_repo *r, const struct sg_oid *commit);
void sg_view_release(struct sg_view *v);
/* The checkpoint, checked against the pin; NOTFOUND says how to bind it. */
int sg_view_base(struct sg_view *v, const struct sg_progress *progress);
/* Hash the weights that sg_view_base opened, whatever was remembered of them. */
int sg_view_check_pin(struct sg_view *v, const struct sg_progress *progress);
int sg_view_tokenizer(struct sg_view *v);
/* USAGE when the opened base has fewer positions than `window`. */
int sg_view_window(const struct sg_view *v, uint64_t window);

/* Where a graft's payload is read from: the commit that holds its folder. */
struct sg_stored { struct sg_repo *r; struct sg_oid commit; char id[SG_SHA256_HEX]; bool shuffled; };
/* Parses grafts/<id16>/graft.json of a commit and proves the id. */
int sg_stored_graft(struct sg_graft **out, struct sg_repo *r, const struct sg_oid *commit, const char *id16);

/*
 * The view's model, with `extra` candidates (each from its own commit) on top and
 * with the grafts named in `without` left out. Payloads are read at once; the view
 * must outlive *out. cap: most tokens of a pass.
 */
struct sg_extra {
	struct sg_oid commit;
	char id[SG_SHA256_HEX];
	bool shuffled;		/* a control: each tensor's elements in another order, the same each time */
};
int sg_view_compose(struct sg_composed *out, struct sg_view *v, const struct sg_extra *extra, size_t n_extra,
		    const struct sg_names *without, size_t cap);
/* State hash of the same choice, without building anything. */
int sg_view_state(char hex[SG_SHA256_HEX], struct sg_view *v, const struct sg_extra *extra, size_t n_extra,
		  const struct sg_names *without);

/* --- names ------------------------------------------------------------------ */

/* Where a graft is found. */
enum sg_graft_where { SG_ACTIVE, SG_CANDIDATE, SG_REJECTED, SG_DEFERRED, SG_PAST };
struct sg_found {
	enum sg_graft_where where;
	char id[SG_SHA256_HEX];
	struct sg_oid commit;		/* one that holds its folder */
	char *ref;			/* of a candidate, rejected or deferred one */
	char *name;			/* may be NULL */
};
/* id, beginning of one, or name; NOTFOUND, or ERROR when ambiguous. */
int sg_find_graft(struct sg_found *out, struct sg_repo *r, const char *word);
/* One that any line of growth, here or last seen on a remote, accepted: commit is
 * the accept, where is SG_PAST. */
int sg_find_accepted(struct sg_found *out, struct sg_repo *r, const char *word);
/* The same from the revision of the accept; REFUSED when it is none. */
int sg_find_step(struct sg_found *out, struct sg_repo *r, const char *rev);
void sg_found_release(struct sg_found *f);
/* Does a commit of this Sg-Op let one graft in through the gates? */
bool sg_op_accepts(const char *op);
/* The same, as what sg_view_compose puts on top. */
int sg_find_extra(struct sg_extra *out, struct sg_repo *r, const char *word);
/* train.json of a graft's folder; NOTFOUND: it was not trained here. */
int sg_training_open(struct sg_json_doc *doc, struct sg_repo *r, const struct sg_oid *commit, const char *id);
/* Name in a graft folder's train.json; NULL when it has none. Yours. */
char *sg_graft_name(struct sg_repo *r, const struct sg_oid *commit, const char *id16);

/* REFUSED when the commit is what a trainer or a judge left on its own ref, which no
 * gate let in. rev: what the user called it. */
int sg_check_step(struct sg_repo *r, const struct sg_oid *commit, const char *rev);

/* --- committing ------------------------------------------------------------- */

/* One change of the line of growth: begin at HEAD, edit the tree, then done. */
struct sg_change {
	struct sg_repo *r;
	char *ref;			/* the branch that moves */
	struct sg_oid head;		/* zero: unborn */
	struct sg_packer *pack;
	struct sg_tree *tree;
};
int sg_change_begin(struct sg_change *c, struct sg_repo *r);
/* The same on another commit, for another ref (sg_change_done_ref). */
int sg_change_begin_at(struct sg_change *c, struct sg_repo *r, const struct sg_oid *commit);
/* Commits with the message; second (may be NULL) is a second parent. BUSY when the
 * branch moved meanwhile. *out may be NULL. */
int sg_change_done(struct sg_change *c, struct sg_oid *out, const struct sg_oid *second, const char *message);
/* The same to another ref that must have the value `old` (NULL: must not exist). */
int sg_change_done_ref(struct sg_change *c, struct sg_oid *out, const char *ref, const struct sg_oid *old,
		       const struct sg_oid *parents, size_t n_parents, const char *message);
void sg_change_release(struct sg_change *c);

/* Manifest and payload of a sealed graft into its folder. */
int sg_put_graft(struct sg_change *c, struct sg_graft *g);

/* Puts pin, configuration, tokenizer and (embed) weights of a base into the change. */
int sg_base_put(struct sg_change *c, const struct sg_checkpoint *ckpt, const struct sg_buf *pin, bool embed);

/* --- sets ------------------------------------------------------------------- */

struct sg_set {
	struct sg_dataset_manifest manifest;
	char id[SG_SHA256_HEX];
	struct sg_shard shard;		/* opened when present */
	bool present;
};
struct sg_sets { struct sg_set *set; size_t n, cap; };
/* Manifests of a commit, in name order; tokens are mapped where they are here. */
int sg_sets_open(struct sg_sets *out, struct sg_repo *r, const struct sg_oid *commit);
struct sg_set *sg_sets_find(const struct sg_sets *s, const char *name);
/* Its tokens, borrowed; NOTFOUND says how to bring them to this machine. */
int sg_set_tokens(const struct sg_tokens **out, const struct sg_set *s);
void sg_sets_release(struct sg_sets *s);
/* Its sequences of 13 words, which stand beside its tokens; NOTFOUND when not here. */
struct sg_ngrams;
int sg_set_ngrams(struct sg_ngrams *out, struct sg_repo *r, const struct sg_set *set);

/* --- policy (sg_policy.c) ----------------------------------------------------- */

#define SG_POLICY_MAX ((size_t)1 << 20)	/* bytes */
/* The policy of a commit; NOTFOUND when it holds none. */
int sg_policy_at(struct sg_policy *out, struct sg_repo *r, const struct sg_oid *commit);

/* --- measuring -------------------------------------------------------------- */

/*
 * Sum of loss over the scored tokens of the first `docs` documents, in f64, tokens
 * in order; tokens[d] the number of them. `rows`: tokens of one pass.
 */
int sg_measure(double *nats, uint32_t *tokens, struct sg_model *m, const struct sg_tokens *t, size_t docs,
	       size_t window, size_t rows, const char *what, const struct sg_progress *progress);
/* The same for the ids of one document that is in no shard. */
int sg_measure_ids(double *nats, uint32_t *tokens, struct sg_model *m, const int32_t *ids, size_t n, size_t window,
		   size_t rows, const char *what, const struct sg_progress *progress);
/* The divergence of b from a, of the first `docs` documents: entropy of a's predictions
 * and cross entropy of b's under them, nats summed over the scored tokens. */
int sg_measure_drift(double *entropy, double *cross, uint32_t *tokens, struct sg_model *a, struct sg_model *b,
		     const struct sg_tokens *t, size_t docs, size_t window, const char *what,
		     const struct sg_progress *progress);
/* Tokens that end a sequence of four which the same text has had, in the greedy
 * continuation by n tokens of the document's first `prompt`. */
int sg_measure_repeats(double *repeats, uint32_t *tokens, struct sg_model *m, const struct sg_tokens *t, size_t docs,
		       size_t prompt, size_t n, const char *what, const struct sg_progress *progress);
/* Tokens of one pass when nobody says: large enough for the GEMMs, at least a window. */
size_t sg_rows(size_t window);

/* --- trials (sg_trial.c) ----------------------------------------------------- */

/*
 * open; set the window; fill the receipt's ids; sets; measure the parent, then the
 * candidate; judge. The receipt then holds all that was found.
 */
struct sg_trial {
	struct sg_repo *r;
	struct sg_sets sets;		/* of the commit */
	struct sg_policy policy;	/* of the commit */
	struct sg_receipt receipt;
	size_t window;			/* tokens of context; open presets it */
	const struct sg_progress *progress;
};
int sg_trial_open(struct sg_trial *t, struct sg_repo *r, const struct sg_oid *commit,
		  const struct sg_progress *progress);
void sg_trial_release(struct sg_trial *t);
#define SG_ROLLBACK_DOCS 8	/* documents of the first set that the rollback check measures again */
/* Context that a graft was trained with, by its folder in this commit; 256 when unknown. */
int sg_trained_window(size_t *out, struct sg_repo *r, const struct sg_oid *commit, const char *id);
/* Candidates that were judged on the set so far, this one included. */
typedef int sg_uses_fn(void *arg, uint64_t *out, const char *set);
/* Every acceptance, retained and safety set into the receipt, under its own role, or under
 * `role` when that is not NULL. uses NULL: 1. NOTFOUND when tokens are not here. */
int sg_trial_sets(struct sg_trial *t, const char *role, sg_uses_fn *uses, void *arg);
/* Losses of those sets under m, as the parent's or the candidate's. who: for progress. */
int sg_trial_measure(struct sg_trial *t, struct sg_model *m, bool cand, const char *who);
/* SHA-256 of the losses of the first documents of the first set: what the rollback
 * gate compares. Nothing without sets. */
int sg_trial_sample(char hex[SG_SHA256_HEX], struct sg_trial *t, struct sg_model *m);
/* Adds what is stored of a composed graft to the facts. */
int sg_trial_facts(struct sg_receipt_facts *f, const struct sg_graft *g);
/* What gates measure besides (sg_probe.c): the probes that the policy asks for, into
 * the receipt, whose sets are measured. The candidate stands on the parent. */
int sg_probe_all(struct sg_trial *t, struct sg_view *parent, const struct sg_extra *cand);
/* What the user's program says (sg_exec.c), where the policy wants one. */
int sg_probe_exec(struct sg_trial *t, struct sg_view *parent, const struct sg_extra *cand);
/* One probe's numbers; the sets of r are measured by then. */
int sg_probe_measure(struct sg_receipt_set *probe, const struct sg_receipt *r, struct sg_view *parent,
		     const struct sg_extra *cand, const struct sg_set *set, const struct sg_policy *policy, size_t window,
		     const struct sg_progress *progress);
/* The set that a probe looks at; NULL: not there. */
const struct sg_set *sg_probe_set(const struct sg_sets *sets, const struct sg_receipt_set *probe);
/* Numerics fingerprint, then the gates. */
int sg_trial_judge(struct sg_trial *t);
/* Looks that were had at a set so far (sg_judge.c), that of this graft or composition
 * on this state with this window included; the same again is not one more. */
int sg_looks(uint64_t *out, struct sg_repo *r, const char *set, const char *id, const char *state, size_t window);
/* Keeps a receipt on refs/sg/report/<id16>/<worker>, id of the graft or of the
 * composition, in a commit on top of the one that it is about. name may be NULL. */
int sg_report_keep(struct sg_repo *r, const struct sg_receipt *p, const struct sg_oid *about, const char *name);
/* The verdict for a caller. name may be NULL. */
int sg_verdict_of(struct sg_verdict_info *out, const struct sg_receipt *p, const char *name);

/* "gates": what each said, into the open object; accept.json of a judged receipt; and
 * its numbers as trailers. */
void sg_gates_json(struct sg_jsonw *w, const struct sg_receipt *p);
int sg_accept_json(struct sg_buf *out, const struct sg_receipt *p, const char *name, const char *receipt_sha);
int sg_message_metrics(struct sg_buf *m, const struct sg_receipt *p);

/* sg_accept() of a graft that another line accepted (sg_judge.c). Takes over *f. */
int sg_accept_found(struct sg_verdict_info *out, struct sg_repo *r, struct sg_found *f, const char *message,
		    const struct sg_progress *progress);

/* The receipt that judged a candidate on HEAD's stack under HEAD's policy, the candidate
 * and the policy; of several the one that most signers approved. NOTFOUND: not judged. */
int sg_judged_receipt(struct sg_receipt *out, struct sg_found *cand, struct sg_policy *policy, struct sg_repo *r,
		      const char *word);

/* --- plain weights (sg_consolidate.c) ---------------------------------------- */

struct sg_fold;
/* "stored" or NULL (SG_DTYPE_COUNT), "F32", "BF16", "F16". */
int sg_fold_dtype(enum sg_dtype *out, const char *name);
int sg_fold_table_of(struct sg_fold_table *out, const struct sg_fold *f);
/* Writes into the new folder dir, opens it as anybody would, and compares. */
int sg_fold_artefact(struct sg_checkpoint **out, struct sg_fold *f, const char *dir);
/* A folder that is to be made: its absolute name (yours), and one beside it to write to
 * first. EXISTS when there is something of that name. */
int sg_new_folder(char **full, char **tmp, const char *path);
/* Remember that this base's weights, checked just now, are in this folder (absolute). */
int sg_base_found(struct sg_repo *r, const char *base, const char *path);

/* Line and trailers of a message. */
int sg_message(struct sg_buf *out, const char *subject, const char *body);
int sg_message_trailer(struct sg_buf *out, const char *key, const char *fmt, ...) SG_PRINTF(3, 4);
SG_C_END
#endif
