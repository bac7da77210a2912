#ifndef SG_SG_H
#define SG_SG_H
#include "base/base.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
SG_C_BEGIN
/*
 * The library: everything that the commands do, without printing, exiting or
 * asking. Calls return 0 or a count, or a negative code with a message
 * (base/error.h). A call that fails leaves the registry as it was.
 *
 * A graft is named by its id (64 digits), an unambiguous beginning of at least 4,
 * or its name; a composition by a revision as git writes it ("main", "HEAD~2", a
 * tag), NULL meaning HEAD.
 */
struct sg_repo;

/* --- opening (sg_repo.c) ---------------------------------------------------- */

/*
 * Signatures of commits, tags, receipts and approvals: ed25519, in the format of SSH
 * that git has. As git's configuration says (gpg.format, user.signingKey,
 * commit.gpgSign, tag.gpgSign), or always, or never.
 */
enum sg_signing_how { SG_SIGNING_CONFIG, SG_SIGNING_ALWAYS, SG_SIGNING_NEVER };
struct sg_signing {
	enum sg_signing_how how;
	const char *key;		/* instead of user.signingKey; NULL: that */
	/* Asks a person for the passphrase of a key: fills out (n bytes, with a NUL). NULL:
	 * a key that needs one cannot be used. */
	int (*ask)(void *arg, char *out, size_t n, const char *prompt);
	void *arg;
};

struct sg_open_opts {
	const char *start;		/* folder to look from; NULL: the current one */
	const char *device;		/* "auto", "cpu", "cuda", "cuda:N"; NULL: auto */
	unsigned threads;		/* 0: all */
	const struct sg_signing *signing;	/* NULL: as configured */
};
int sg_open(struct sg_repo **out, const struct sg_open_opts *o);
void sg_close(struct sg_repo *r);
/* Path of the .sg folder, borrowed. */
const char *sg_repo_dir(const struct sg_repo *r);

/* Configuration of the registry, in git's keys ("user.name"): get also sees the
 * user's and the system's. *out is yours; NOTFOUND. value NULL: remove it. */
int sg_config_get(char **out, struct sg_repo *r, const char *key);
int sg_config_set(struct sg_repo *r, const char *key, const char *value);
/* The registry's own, "key=value". */
int sg_config_list(struct sg_names *out, struct sg_repo *r);

/*
 * What decides whether and how well sg works here, and with a registry (r may be
 * NULL) how that one is. fn hears of each thing: what it is about ("processor",
 * "cuda", "base", ...), how it is, and a sentence. Returns the number of faults.
 */
enum sg_health { SG_WELL, SG_LACKS, SG_FAULT };	/* LACKS: works, with less */
int sg_doctor(struct sg_repo *r, const struct sg_open_opts *o,
	      void (*fn)(void *arg, const char *what, enum sg_health h, const char *text), void *arg);

struct sg_init_opts {
	const char *base;		/* folder of a checkpoint; NULL: a substrate made from the seed */
	uint64_t seed;			/* substrate */
	size_t width;			/* substrate: d_model; 0: the default */
	bool embed;			/* keep the base's weights in the registry */
	const struct sg_signing *signing;	/* NULL: as configured */
};
/* Makes dir/.sg with one commit on main. EXISTS when there is a registry with history. */
int sg_init(const char *dir, const struct sg_init_opts *o, char base_id[SG_SHA256_HEX],
	    const struct sg_progress *progress);

/* The base pinned at a revision. All texts are owned by the struct. */
struct sg_base_info {
	char id[SG_SHA256_HEX];
	char arch[16];
	char *config;			/* JSON text */
	char *path;			/* where its weights are bound, NULL: nowhere or not needed */
	bool embedded, made;		/* weights in the registry; made from a seed */
	size_t tensors;
	uint64_t parameters;
};
int sg_base_info(struct sg_base_info *out, struct sg_repo *r, const char *rev);
void sg_base_info_release(struct sg_base_info *b);
/* Check the folder against the pin and remember it. REFUSED names what differs. */
int sg_base_bind(struct sg_repo *r, const char *path, const struct sg_progress *progress);
/* Hash all weights again, whatever was remembered. */
int sg_base_verify(struct sg_repo *r, const struct sg_progress *progress);

/* --- data sets (sg_sets.c) -------------------------------------------------- */

struct sg_data_opts {
	const char *name, *role;
	const char *const *files;
	size_t n_files;
	const char *split, *field;	/* "paragraph", "line", "file"; JSON member */
	double from, to;		/* percent by position; both 0: all */
	bool per_file;			/* of each file, not of all together */
	uint64_t min_bytes, max_docs;
};
struct sg_data_info {
	char *name, *role, *split;
	char id[SG_SHA256_HEX], shard[SG_SHA256_HEX];
	uint64_t docs, tokens, bytes;
	uint64_t duplicates, overlap;	/* of an add: dropped; sharing 13 words in a row with a set of another role */
	bool present;			/* the tokens are on this machine */
};
struct sg_data_list { struct sg_data_info *set; size_t n, cap; };
/* One commit. The same set again only brings its tokens back (after a clone).
 * REFUSED: a document in two roles, a name that is taken. */
int sg_data_add(struct sg_data_info *out, struct sg_repo *r, const struct sg_data_opts *o,
		const struct sg_progress *progress);
int sg_data_list(struct sg_data_list *out, struct sg_repo *r, const char *rev);
/* The manifest's bytes: canonical JSON, sg-tokens(5). */
int sg_data_manifest(struct sg_buf *out, struct sg_repo *r, const char *rev, const char *name);
int sg_data_remove(struct sg_repo *r, const char *name);
/* HEAD's sets: manifests and document lists parse, tokens that are here have their
 * hashes, no document stands in two roles. fn hears of each problem; their number. */
int sg_data_check(struct sg_repo *r, void (*fn)(void *arg, const char *set, const char *text), void *arg,
		  const struct sg_progress *progress);
void sg_data_info_release(struct sg_data_info *d);
void sg_data_list_release(struct sg_data_list *l);

/* --- growing (sg_grow.c) ---------------------------------------------------- */

/* The graft types and their hyperparameters, in order; false past the last one.
 * Texts are borrowed and never go away; sites NULL: the slot on top. */
struct sg_type_info { const char *name, *brief, *sites; };
struct sg_type_key { const char *key, *value, *help; };	/* value: the default */
bool sg_type_info(struct sg_type_info *out, size_t i);
bool sg_type_key(struct sg_type_key *out, const char *type, size_t i);

struct sg_train_opts {
	const char *type, *sites;	/* globs; NULL: the type's default */
	struct sg_names hyper;		/* "rank=8" */
	struct sg_names data;		/* train sets; empty: all of role train */
	const char *name;		/* of the graft, may be NULL */
	uint64_t seed, steps, tokens, batch, seq, warmup;	/* tokens: instead of steps */
	double lr, min_lr, decay, clip;
	size_t micro;			/* tokens of one pass; 0: chosen */
	uint64_t save_every;
	bool resume;			/* continue the run that was stopped last */
};
void sg_train_defaults(struct sg_train_opts *o);
struct sg_train_result {
	char id[SG_SHA256_HEX];
	char *name;
	double first, last;		/* loss of the first and last step, nats per token */
	uint64_t steps, tokens, trained, payload;	/* parameters that trained; payload bytes */
	double seconds;
	double guess;			/* loss of guessing among all tokens, ln of the vocabulary */
	bool untrained;			/* the base has weights and no graft, and its loss is hardly below that */
};
/* Trains on HEAD's stack and keeps the candidate on its own ref. INTERRUPTED: the
 * state is saved, resume continues it. */
int sg_train(struct sg_train_result *out, struct sg_repo *r, const struct sg_train_opts *o,
	     const struct sg_progress *progress);
void sg_train_result_release(struct sg_train_result *t);

/* --- time and memory (sg_bench.c) ------------------------------------------- */

/* A training run on a base: the registry's, or a named shape with random weights. */
struct sg_bench_opts {
	const char *shape;		/* NULL: the base that HEAD has */
	const char *type, *sites;	/* of the graft; sites NULL: the type's usual ones */
	struct sg_names hyper;		/* "key=value" */
	uint64_t batch, seq, micro;	/* a step is batch * seq tokens; micro 0: chosen */
	uint64_t steps;			/* timed, behind two that are not */
	const char *rows;		/* "train,eval,generate,kernels"; NULL: all */
};
struct sg_memory_info { uint64_t weights, payload, gradients, optimiser, activations, workspace, total; };
struct sg_estimate {
	char device[40];
	struct sg_memory_info plan;
	uint64_t left;			/* memory that can be had */
	uint64_t micro, fits;		/* tokens of a pass; most tokens of one that fit, 0: not even a text */
};
/* Counts, and takes no more than the graft itself. r NULL with a shape. */
int sg_estimate(struct sg_estimate *out, struct sg_repo *r, const struct sg_open_opts *o, const struct sg_bench_opts *b,
		const struct sg_progress *progress);

struct sg_bench_row {
	const char *row, *what;		/* "train"; of kernels: the operation and its sizes, else "" */
	uint64_t tokens;		/* of one run of it; 0: none */
	double ms, fastest, slowest;	/* median, least, most */
	double rate;			/* FLOP/s, or bytes/s where `bytes` */
	bool bytes;
	double share;			/* of the ceiling that this run measured, 0 to 1; 0: is one */
	uint64_t plan, peak;		/* bytes, 0: not measured */
};
/* Measures and hands on each row as it comes. */
int sg_bench(struct sg_repo *r, const struct sg_open_opts *o, const struct sg_bench_opts *b,
	     void (*fn)(void *arg, const char *device, const struct sg_bench_row *row), void *arg,
	     const struct sg_progress *progress);

/* --- where to grow (sg_sensitivity.c) ---------------------------------------- */

/* search/sensitivity.h says what they are. */
enum sg_score {
	SG_SCORE_gradient, SG_SCORE_fisher, SG_SCORE_activation, SG_SCORE_actgrad, SG_SCORE_weightgrad, SG_SCORE_ntk,
	SG_SCORE_error, SG_SCORE_impact, SG_SCORE_COUNT
};
const char *sg_score_name(enum sg_score s);
enum sg_score sg_score_of(const char *name);	/* SG_SCORE_COUNT: none has it */
struct sg_sensitivity_opts {
	const char *rev, *sites;	/* NULL: HEAD; globs, NULL: all maps and hidden states */
	struct sg_names data;		/* train sets; empty: all */
	uint64_t seq, samples, seed;	/* tokens of a sample, samples at most */
	bool impact;			/* measure that too: a pass for each site */
};
struct sg_sensitivity_line {
	char *site;
	uint64_t parameters, bytes;
	double score[SG_SCORE_COUNT];
	double key;			/* that it stands in order by */
	size_t place;			/* in the model */
};
struct sg_sensitivity {
	char state[SG_SHA256_HEX];
	uint64_t samples;		/* that were there */
	struct sg_sensitivity_line *line;	/* in model order, until put into another */
	size_t n;
};
int sg_sensitivity(struct sg_sensitivity *out, struct sg_repo *r, const struct sg_sensitivity_opts *o,
		   const struct sg_progress *progress);
void sg_sensitivity_release(struct sg_sensitivity *s);
/* Highest score first, or score for each parameter or stored byte; equal ones in model order. */
enum sg_per { SG_PER_SITE, SG_PER_PARAMETER, SG_PER_BYTE };
void sg_sensitivity_order(struct sg_sensitivity *s, enum sg_score by, enum sg_per per);

/* --- dictionaries of tiles (sg_codebook.c) ------------------------------------- */

/* graft/codebook.h says what they are. */
struct sg_tiles_opts {
	const char *rev, *sites;	/* NULL: HEAD; globs, NULL: the linear maps of blocks */
	const char *graft;		/* an active one: of the change that it makes there; NULL: of the weights */
	const char *signature;		/* "exact", "quantized" or "stats" */
	uint64_t tile, codes;		/* 2, 4, 8 or 16; of learned */
	double step;
};
struct sg_tiles_line {
	const char *dictionary;
	uint64_t tiles, codes, bytes, raw;	/* of all matrices together */
	double reuse, l1, l2, worst;		/* worst: of any matrix */
};
struct sg_tiles {
	char state[SG_SHA256_HEX];
	uint64_t matrices, numbers;
	struct sg_tiles_line *line;
	size_t n;
};
int sg_tiles(struct sg_tiles *out, struct sg_repo *r, const struct sg_tiles_opts *o, const struct sg_progress *progress);
void sg_tiles_release(struct sg_tiles *t);

/* --- staged growth (sg_stages.c) ------------------------------------------------ */

struct sg_stages_opts {
	struct sg_train_opts train;	/* of a deep run; sites: globs to choose from; name, resume: not used */
	const char *name;		/* of the run: its candidates are <name>.<stage>p0, d0 ... */
	uint64_t stages, probes, probe_steps, top, samples;	/* samples: of the scores */
	enum sg_score by;
	double alpha, min_gain;		/* of the ranking: what its paired test must show */
	const char *refine;		/* type that looks once more inside an accepted graft's sites; NULL: none */
	struct sg_names refine_hyper;
};
/* What happened; borrowed for the call. */
struct sg_stage_event {
	const char *what;		/* "probe", "deep", then "accept", or "reject" or "defer" as the gates said */
	uint64_t stage;
	const char *name, *graft;
	const struct sg_names *sites;
	uint64_t parameters, payload, docs;
	double parent, change, lower, upper;	/* on the selection sets, nats per token */
};
typedef bool sg_stage_fn(void *arg, const struct sg_stage_event *e);	/* true stops */
struct sg_stages_total {
	uint64_t stages, skipped;	/* that ran; that an earlier call had finished */
	uint64_t tried, accepted, trained, tokens;	/* candidates; steps and tokens of this call */
	double gain, seconds;		/* on the selection sets, of what was accepted; of training */
	bool plateau;			/* it ended because a stage brought nothing */
};
/* Called again with the same options it goes on where it was stopped. */
int sg_stages(struct sg_stages_total *out, struct sg_repo *r, const struct sg_stages_opts *o, sg_stage_fn *fn, void *arg,
	      const struct sg_progress *progress);

/* --- judging (sg_judge.c) --------------------------------------------------- */

struct sg_gate_line {
	char *gate, *set, *verdict, *text;
	uint64_t docs;
	double parent, mean, lower, upper, threshold;
};
struct sg_verdict_info {
	char graft[SG_SHA256_HEX], state[SG_SHA256_HEX], prev[SG_SHA256_HEX];
	char *name, *verdict;		/* "accept", "reject", "defer" */
	struct sg_gate_line *line;
	size_t n;
};
/* Measures the candidate on HEAD's stack and keeps the receipt. `window`: tokens
 * of context; 0: what the candidate was trained with. */
int sg_validate(struct sg_verdict_info *out, struct sg_repo *r, const char *cand, uint64_t window,
		const struct sg_progress *progress);
/* The commit that takes a candidate in; validates first when no receipt for the
 * present stack is there. 1 (and *out) when the verdict is not accept. */
int sg_accept(struct sg_verdict_info *out, struct sg_repo *r, const char *cand, const char *message,
	      const struct sg_progress *progress);
/* Move a candidate to the rejected or deferred refs, receipt and all. */
int sg_reject(char id[SG_SHA256_HEX], struct sg_repo *r, const char *cand, const char *message);
int sg_defer(char id[SG_SHA256_HEX], struct sg_repo *r, const char *cand, const char *message);
void sg_verdict_info_release(struct sg_verdict_info *v);

/* Approvals of a candidate: of the receipt that judged it on HEAD's stack under HEAD's policy. */
struct sg_approved {
	char graft[SG_SHA256_HEX], state[SG_SHA256_HEX];
	char *name;			/* may be NULL */
	struct sg_names by;		/* signers of the policy who approved */
	struct sg_names open;		/* those who have not */
	struct sg_names required;	/* those of them who must */
	uint64_t needed;
	bool enough, again;		/* again: this user's was there already */
	bool look;
};
/* Signs one with the user's key, which must be that of a signer; look: only tells what
 * there is. REFUSED: nothing to approve, or nobody to. */
int sg_approve(struct sg_approved *out, struct sg_repo *r, const char *cand, bool look);
void sg_approved_release(struct sg_approved *a);

/* The value in force of one key, added to *out (NOTFOUND: no such key); all of
 * them, as "key=value" lines. */
int sg_policy_value(struct sg_buf *out, struct sg_repo *r, const char *rev, const char *key);
int sg_policy_values(struct sg_buf *out, struct sg_repo *r, const char *rev);
/* The policy's text at a revision; one key set, or the whole text replaced, is a commit. */
int sg_policy_text(struct sg_buf *out, struct sg_repo *r, const char *rev);
int sg_policy_change(struct sg_repo *r, const char *key, const char *value);
int sg_policy_replace(struct sg_repo *r, const char *text, size_t n);

/* --- using the model (sg_eval.c, sg_text.c) --------------------------------- */

struct sg_eval_opts {
	const char *rev, *cand;		/* NULL: HEAD; a candidate on top of it, or NULL */
	struct sg_names sets, files;	/* both empty: all sets with tokens here */
	uint64_t window;		/* tokens of context; 0: the model's, at most 512 */
	uint64_t batch;			/* tokens of one pass (0: chosen); cannot change a bit */
};
struct sg_eval_line {
	char *set, *role;		/* a file: its path, and NULL; it is one document */
	uint64_t docs, tokens, bytes;
	double nats;			/* sum over scored tokens, documents added in order */
	char losses[SG_SHA256_HEX];	/* SHA-256 of the per-document sums as f64 LE */
};
struct sg_eval_info {
	char state[SG_SHA256_HEX];
	uint64_t window;
	struct sg_eval_line *line;
	size_t n;
};
int sg_eval(struct sg_eval_info *out, struct sg_repo *r, const struct sg_eval_opts *o,
	    const struct sg_progress *progress);
void sg_eval_info_release(struct sg_eval_info *e);

struct sg_generate_opts {
	const char *rev, *cand, *prompt;
	uint64_t tokens, seed;
	double temperature, top_p;	/* 0: greedy; 1: all */
	const char *const *stop;	/* n_stop texts; the first that is written ends it, unseen */
	size_t n_stop;
	/* Called with each piece of text as it comes, whole characters where the text
	 * is UTF-8; true stops. */
	bool (*piece)(void *arg, const char *text, size_t n);
	void *arg;
};
struct sg_generate_info {
	char state[SG_SHA256_HEX];
	uint64_t tokens;
	bool ended;			/* the model ended the text itself */
	bool stopped;			/* a text of `stop` came */
	uint64_t read;			/* tokens of the prompt */
	double seconds;			/* spent writing; what goes before the first token is not in it */
};
/* The text that follows the prompt: the same for the same options, everywhere. */
int sg_generate(struct sg_generate_info *out, struct sg_repo *r, const struct sg_generate_opts *o);

/* --- looking (sg_look.c) ---------------------------------------------------- */

/*
 * What follows reads manifests, messages and receipts, never weights (but for the
 * norms of a diff). Text in it may come from anybody: print it safely. Trailers are
 * what a commit says of itself; 'sg verify' is who checks them.
 */
#define SG_COMMIT_HEX 41	/* a commit's git id: 40 digits and the NUL */

struct sg_graft_info {
	char id[SG_SHA256_HEX];
	char *name, *type;		/* name NULL: none; type NULL: the manifest is not there */
	struct sg_names sites;
	uint64_t parameters, payload;	/* elements of its tensors, and their bytes */
	size_t tensors;
	uint64_t tokens;		/* that it was trained on, and for how long; 0: not known, or not asked for */
	double seconds;
};
void sg_graft_info_release(struct sg_graft_info *g);

/* A paired measurement as a trailer has it, nats per token; bounds of cand - parent. */
struct sg_metric { char *gate, *set; double parent, cand, lower, upper; uint64_t docs; };

/* What somebody said of a commit afterwards; all texts owned. */
struct sg_note {
	char commit[SG_COMMIT_HEX];	/* that it is about */
	char graft[SG_SHA256_HEX];	/* "": the commit took none in */
	char *name;			/* of the graft, may be NULL */
	char *text, *by;		/* by "": not said */
	int64_t time;
};

/* A commit as a step of growth. */
struct sg_step {
	char commit[SG_COMMIT_HEX];
	struct sg_names parents;	/* ids; the first is the line's */
	struct sg_names refs;		/* "HEAD -> main", "dev", "tag: v1", "origin/main" */
	char *op;			/* Sg-Op: "accept", "revert", ...; "": it says none */
	char *subject, *body;		/* body: without the trailers */
	char *author, *email;
	int64_t time;
	bool has_signature;
	const char *signature;		/* "good", "unknown", "bad", "none"; NULL: not asked for */
	char *signer;			/* who, or of one who is not known the key; NULL: nobody */
	char *signature_text;		/* what is wrong with it; NULL: nothing */
	char state[SG_SHA256_HEX], prev[SG_SHA256_HEX], base[SG_SHA256_HEX];	/* "": not said */
	struct sg_graft_info *graft;	/* that it is about */
	size_t n;
	struct sg_graft_info *replaced;	/* grafts whose place was taken by a consolidation */
	size_t n_replaced;
	struct sg_metric *metric;
	size_t n_metrics;
	char *gate;			/* "pass 4/4"; NULL: not said */
	struct sg_note *note;		/* oldest first; of sg_log only when asked for */
	size_t n_notes;
};
struct sg_log_opts {
	const char *rev;		/* or "A..B": what B has and A lacks; NULL: HEAD */
	bool all;			/* from every branch, tag and candidate */
	bool parents;			/* every parent, candidates too; else the line with what was merged */
	bool first_parent;		/* the line alone */
	bool notes;
	bool cost;			/* tokens and seconds of grafts, from what was kept of their training */
	uint64_t max;			/* 0: no limit */
	bool signatures;		/* check them */
};
/* Children before parents, newer first. fn: 0 goes on, positive stops, negative
 * fails; the step is borrowed for the call. */
int sg_log(struct sg_repo *r, const struct sg_log_opts *o, int (*fn)(void *arg, const struct sg_step *s), void *arg);
int sg_step_read(struct sg_step *out, struct sg_repo *r, const char *rev);
void sg_step_release(struct sg_step *s);

/*
 * Notes (sg_notes.c) are kept on refs/notes/sg as git keeps notes, one line of JSON each,
 * so that stock git shows and merges them. They prove nothing and are not signed. word:
 * a graft, whose note is that of the commit that let it in or that it waits in, or a
 * revision.
 */
struct sg_note_list { struct sg_note *note; size_t n, cap; };
/* commit: the one that it is about. Loses to nobody who writes at the same time. */
int sg_note_add(char commit[SG_COMMIT_HEX], struct sg_repo *r, const char *word, const char *text);
/* word NULL: all there are. */
int sg_note_list(struct sg_note_list *out, struct sg_repo *r, const char *word);
/* The nth of them, from 1, or all (0). Returns how many went; NOTFOUND. */
int sg_note_remove(char commit[SG_COMMIT_HEX], struct sg_repo *r, const char *word, size_t nth);
void sg_note_list_release(struct sg_note_list *l);

/* A graft that waits on its own ref. */
struct sg_cand_info {
	struct sg_graft_info graft;
	char commit[SG_COMMIT_HEX];
	const char *where;		/* "candidate", "deferred", "rejected" */
	char *verdict;			/* of its newest report; NULL: not validated yet */
	bool current;			/* that report judged it on the present stack */
	char parent[SG_SHA256_HEX];	/* state that it was trained on, "": not said */
};
/* A training run that was stopped. */
struct sg_job_info {
	char *file, *type, *name;	/* name may be NULL; type NULL: the file cannot be read */
	size_t sites;
	uint64_t step, steps;
	bool current;			/* it trains on the present stack, so --resume takes it up */
	bool newest;			/* the one that --resume takes up */
	int64_t time;
};
struct sg_status {
	char *branch;			/* NULL: HEAD is detached */
	char commit[SG_COMMIT_HEX];
	char *subject;
	char *upstream;			/* remote branch of the same name; NULL: none */
	size_t ahead, behind;
	struct sg_base_info base;
	char state[SG_SHA256_HEX];
	struct sg_graft_info *stack;	/* the last ones, in stack order */
	size_t n_stack, n_active;	/* how many these are, and how many are active */
	struct sg_cand_info *cand;	/* candidates, then deferred, then rejected */
	size_t n_cand;
	struct sg_data_list data;
	struct sg_job_info *job;	/* newest first */
	size_t n_jobs;
};
/* most: how many of the stack to describe, from its end; SIZE_MAX: all. */
int sg_status(struct sg_status *out, struct sg_repo *r, size_t most);
void sg_status_release(struct sg_status *s);

/* A verdict that was kept, with what it was made with. */
struct sg_judged {
	char commit[SG_COMMIT_HEX];	/* that holds the receipt */
	bool accepted;			/* it opened the gate; else a report */
	int64_t time;
	struct sg_verdict_info v;
	char policy[SG_SHA256_HEX];
	char *tool, *fingerprint;
	uint32_t window;
};
struct sg_tensor_line { char *name, *shape; const char *dtype; uint64_t elements, bytes; };
struct sg_graft_detail {
	struct sg_graft_info info;
	const char *where;		/* "active", "candidate", "deferred", "rejected", "past" */
	char *ref;			/* its own ref; NULL: none */
	char commit[SG_COMMIT_HEX];	/* one that holds its folder */
	char base[SG_SHA256_HEX];
	struct sg_names requires, after, replaces, hyper;	/* ids; "key=value" */
	struct sg_tensor_line *tensor;
	size_t n_tensors;
	char *manifest;			/* graft.json as stored */
	char *recipe;			/* JSON text; NULL: it was not trained here */
	struct sg_names imported;	/* "key=value": where it came from; empty: trained here */
	double *curve;			/* loss of every curve_step-th step */
	size_t n_curve;
	uint64_t curve_step, tokens;
	double last_loss, seconds;
	char *tool, *fingerprint;	/* of the training, may be NULL */
	struct sg_judged *judged;	/* newest first */
	size_t n_judged;
};
/* Is the word a graft (1) or a revision (0)? A graft goes first; NOTFOUND: neither. */
int sg_show_kind(struct sg_repo *r, const char *word);
int sg_graft_detail(struct sg_graft_detail *out, struct sg_repo *r, const char *word);
void sg_graft_detail_release(struct sg_graft_detail *d);

/* What differs between two compositions. */
enum sg_diff_side { SG_DIFF_BOTH, SG_DIFF_A, SG_DIFF_B };
struct sg_site_norm { char *site; double norm; };	/* Frobenius norm of the weight's change */
struct sg_diff_graft {
	struct sg_graft_info info;
	enum sg_diff_side side;
	bool judged;			/* v: the verdict that let it in */
	struct sg_verdict_info v;
	struct sg_site_norm *norm;	/* one-sided grafts of a type that has one */
	size_t n_norms;
};
/* Principal angles, in degrees and least first, between what two grafts (indices of
 * `graft`, not both common) write at one site, and between what they read there. */
struct sg_diff_angles { char *site; size_t a, b; double *writes, *reads; size_t n_writes, n_reads; };
struct sg_diff_item { char *name, *a, *b; };	/* NULL: not there */
struct sg_diff {
	char commit[2][SG_COMMIT_HEX], state[2][SG_SHA256_HEX], base[2][SG_SHA256_HEX];
	bool same;			/* base, stack, data and policy */
	bool reordered;			/* the common grafts stand in another order */
	struct sg_diff_graft *graft;	/* only in a, only in b, common */
	size_t n;
	struct sg_diff_item *data, *policy;	/* what differs: "role id"; values in force */
	size_t n_data, n_policy;
	struct sg_diff_angles *angle;	/* of grafts whose change has a low rank */
	size_t n_angles, cap_angles;
	char *no_norms;			/* why there are none; NULL: nothing is missing */
};
/* a, b: revisions, or grafts that wait on a ref (then: as trained). */
int sg_diff(struct sg_diff *out, struct sg_repo *r, const char *a, const char *b, bool norms,
	    const struct sg_progress *progress);
void sg_diff_release(struct sg_diff *d);

/* --- changing the stack (sg_revert.c, sg_consolidate.c, sg_export.c) --------- */

struct sg_revert_opts {
	struct sg_names words;		/* grafts, revisions that took some in, ranges "A..B" of such */
	const char *message;		/* may be NULL */
	bool cascade;			/* those that require it go with it */
	bool force;			/* also when a gate rejects, or nothing can be measured */
	bool unmeasured;		/* measure nothing */
};
struct sg_revert_info {
	struct sg_names grafts;		/* ids of those asked for, top of the stack first */
	struct sg_names removed;	/* ids in stack order */
	char commit[SG_COMMIT_HEX];	/* of the revert; "": it was refused */
	char accept[SG_COMMIT_HEX];	/* that had let the first in; "": none is known */
	bool measured;			/* v has lines */
	bool restored;			/* the losses are those recorded before it came in, bit by bit */
	struct sg_verdict_info v;	/* of going from prev to state; verdict "" when unmeasured */
};
/* Takes active grafts out of the stack, in one commit that is judged as a whole; v is of
 * the first. REFUSED names those that require one of them. 1 (and
 * *out, and nothing changed) when a gate rejects what would be left. */
int sg_revert(struct sg_revert_info *out, struct sg_repo *r, const struct sg_revert_opts *o,
	      const struct sg_progress *progress);
void sg_revert_info_release(struct sg_revert_info *i);

/* --- two lines of growth (sg_merge.c) ----------------------------------------- */

enum sg_merge_side { SG_MERGE_ASK, SG_MERGE_OURS, SG_MERGE_THEIRS, SG_MERGE_BOTH };
struct sg_merge_opts {
	const char *rev, *message;	/* the other line; message may be NULL */
	enum sg_merge_side side;	/* how conflicts are decided; ASK: they are listed */
	bool no_ff, ff_only;
	bool force;			/* also when a gate rejects, or nothing can be measured */
	bool unmeasured;		/* measure nothing */
	bool dry_run;			/* plan, measure nothing and change nothing */
};
enum sg_merge_result {
	SG_MERGE_SAME,			/* the other line has nothing that this one lacks */
	SG_MERGE_FORWARD,		/* the branch moved forward to it */
	SG_MERGE_DONE,			/* a merge commit */
	SG_MERGE_CONFLICT, SG_MERGE_GATES,	/* nothing changed */
};
const char *sg_merge_result_name(enum sg_merge_result r);	/* "same", "forward", ... */
/* What becomes of a graft that only one line has: "in" (comes from theirs), "out" (of
 * ours, goes), "left" (of theirs, does not come). */
struct sg_merge_graft { struct sg_graft_info info; const char *what; };
/* What both lines did to one thing. kind: "site", "requires", "data", "role", "policy";
 * subject: the site or set; ids or names of what each line has there, may be "". */
struct sg_conflict { const char *kind; char *subject, *ours, *theirs, *text; bool decided; };
struct sg_merge_info {
	enum sg_merge_result result;
	char ours[SG_COMMIT_HEX], theirs[SG_COMMIT_HEX], base[SG_COMMIT_HEX];
	char commit[SG_COMMIT_HEX];	/* where the branch is now; "": it did not move */
	struct sg_merge_graft *graft;
	size_t n, cap;
	struct sg_names data_in, data_out;	/* data sets that come and go */
	bool policy;			/* theirs is taken */
	struct sg_conflict *conflict;
	size_t n_conflicts, cap_conflicts;
	size_t undecided;		/* of them */
	char state[SG_SHA256_HEX], prev[SG_SHA256_HEX];	/* state "": conflicts */
	bool measured;			/* v has lines */
	struct sg_verdict_info v;
};
/*
 * Takes another line of growth into HEAD's: grafts, data sets and policy that changed
 * there since the two parted. What comes in is judged as a graft is, on the new
 * composition against HEAD's. 1 (and *out, and nothing changed) when there are
 * conflicts that nobody decided, or a gate does not accept. REFUSED: another base, no
 * common beginning, or ff_only where that cannot be.
 */
int sg_merge(struct sg_merge_info *out, struct sg_repo *r, const struct sg_merge_opts *o,
	     const struct sg_progress *progress);
void sg_merge_info_release(struct sg_merge_info *i);

/* --- grafts of other lines (sg_pick.c) ----------------------------------------- */

struct sg_picked {
	char from[SG_COMMIT_HEX];	/* the commit that had accepted it there */
	char commit[SG_COMMIT_HEX];	/* the one that did here; "": it was refused */
	struct sg_verdict_info v;
};
struct sg_picked_list { struct sg_picked *pick; size_t n, cap; };
/*
 * Judges grafts that another line accepted on HEAD's stack, as candidates, and takes
 * them in, each in a commit; what others of them stand in or came after goes first.
 * word: a graft, or the revision that accepted it. EXISTS: active already. REFUSED
 * names what one requires and is neither active nor among them. 1 (and *out with
 * those up to it, of which the last was refused) when a gate does not accept.
 */
int sg_cherry_pick(struct sg_picked_list *out, struct sg_repo *r, const struct sg_names *word, const char *message,
		   const struct sg_progress *progress);
void sg_picked_list_release(struct sg_picked_list *l);

/* How well a weight's change outlived being folded and rounded. meant: the change, in
 * f32; made: what the stored numbers differ by from those without it. */
struct sg_fold_line {
	char *tensor;
	const char *dtype;
	double retained;		/* <made, meant> / |meant|^2 */
	double rel_err;			/* |made - meant| / |meant| */
	double unchanged;		/* share of the elements with a change meant that have none made */
	const char *verdict;		/* "ok" (retained >= 0.98), "warn", "refuse" (< 0.9) */
};
struct sg_fold_table { struct sg_fold_line *line; size_t n; };
void sg_fold_table_release(struct sg_fold_table *t);

struct sg_consolidate_opts {
	bool fold;			/* changes of linear maps into the weights of the base */
	bool structural;		/* grown layers into base blocks */
	const char *out;		/* folder of the new base; NULL: in the registry */
	const char *dtype;		/* "stored", "F32", "BF16", "F16"; NULL: stored */
	const char *message;
	bool force;
};
struct sg_consolidate_info {
	char base[SG_SHA256_HEX], old_base[SG_SHA256_HEX];
	char commit[SG_COMMIT_HEX];	/* "": it was refused */
	struct sg_names replaced;	/* ids that went into the base, stack order */
	struct sg_names carried, carried_from;	/* new and old ids of those that stay */
	struct sg_fold_table table;
	bool identical;			/* every loss has the bits that it had */
	struct sg_verdict_info v;
};
/* A new base that holds part of the stack. 1 (and *out, and nothing changed) when a
 * tensor lost too much or a gate says no. REFUSED when there is nothing to fold. */
int sg_consolidate(struct sg_consolidate_info *out, struct sg_repo *r, const struct sg_consolidate_opts *o,
		   const struct sg_progress *progress);
void sg_consolidate_info_release(struct sg_consolidate_info *i);

struct sg_export_opts {
	const char *rev, *dir;		/* dir must not be there */
	const char *cand;		/* a candidate on top, or NULL */
	const char *dtype;		/* as above */
	bool force;			/* also when a tensor lost too much */
};
struct sg_export_info {
	char state[SG_SHA256_HEX];
	size_t tensors, layers;
	uint64_t bytes;			/* of tensors */
	struct sg_fold_table table;
	bool written;
};
/* The composition as one plain checkpoint in a new folder, read back and compared. 1
 * (and *out, and no folder) when a tensor lost too much. REFUSED names what a
 * checkpoint cannot express. */
int sg_export_hf(struct sg_export_info *out, struct sg_repo *r, const struct sg_export_opts *o,
		 const struct sg_progress *progress);
void sg_export_info_release(struct sg_export_info *i);

/* --- PEFT's adapters (sg_peft.c, sg_import.c) -------------------------------- */

struct sg_export_peft_opts {
	const char *rev, *dir;		/* dir must not be there */
	const char *graft;		/* NULL: the only one of the stack that an adapter can hold */
};
/* A LoRA adapter and the graft that it is. */
struct sg_peft_info {
	char id[SG_SHA256_HEX];
	char *name;			/* of the graft, may be NULL */
	const char *type;		/* of the graft; borrowed, never goes away */
	char *base_name;		/* import: what the adapter calls its base; may be NULL */
	size_t modules;
	uint64_t rank, bytes;
	double alpha;
	bool known;			/* import: this very graft was waiting already */
};
/* One graft as an adapter in a new folder: lora as it is, phi with A Phi multiplied
 * out. REFUSED names what an adapter cannot hold. */
int sg_export_peft(struct sg_peft_info *out, struct sg_repo *r, const struct sg_export_peft_opts *o,
		   const struct sg_progress *progress);
struct sg_import_opts { const char *dir, *name; };	/* name: of the graft, may be NULL */
/* An adapter as a candidate on HEAD's base. That it was made for this base is the
 * caller's word: an adapter does not say, unless sg wrote it. REFUSED names what
 * is no plain LoRA, does not fit or is left over. EXISTS: it is in the stack. */
int sg_import_peft(struct sg_peft_info *out, struct sg_repo *r, const struct sg_import_opts *o,
		   const struct sg_progress *progress);
void sg_peft_info_release(struct sg_peft_info *i);

/* --- lines of growth (sg_line.c) -------------------------------------------- */

struct sg_branch_info {
	char *name, *subject;
	char commit[SG_COMMIT_HEX];
	int64_t time;
	size_t grafts;			/* in its stack */
	bool current, remote;
};
struct sg_branch_list { struct sg_branch_info *branch; size_t n, cap; };
/* Branches by name; remotes: those last seen on remotes too. */
int sg_branch_list(struct sg_branch_list *out, struct sg_repo *r, bool remotes);
void sg_branch_list_release(struct sg_branch_list *l);
/* rev NULL: HEAD. EXISTS; REFUSED for a commit that is no step of growth. */
int sg_branch_make(struct sg_repo *r, const char *name, const char *rev);
/* REFUSED: the current one; without force also one that holds what no other branch
 * or tag does. was: its commit. */
int sg_branch_delete(struct sg_repo *r, const char *name, bool force, char was[SG_COMMIT_HEX]);
/* Points a branch that may be there at another step of growth; was: where it stood, ""
 * when it is new. REFUSED for the current one unless `current`. */
int sg_branch_move(struct sg_repo *r, const char *name, const char *rev, bool current, char was[SG_COMMIT_HEX]);
/* Points HEAD at a branch ("-": the one before), and nothing else. 1 when it did already. */
int sg_checkout(struct sg_repo *r, const char *name);
/* The current branch's name; yours. NOTFOUND: HEAD is detached. */
int sg_branch_current(char **out, struct sg_repo *r);

/* One change of a branch or of HEAD, as it was remembered. */
struct sg_reflog_line {
	char commit[SG_COMMIT_HEX], old[SG_COMMIT_HEX];	/* old "": it was made */
	char *message, *who, *email;
	int64_t time;
	bool here;			/* the commit is still in the registry */
};
struct sg_reflog { char *ref; struct sg_reflog_line *line; size_t n; };	/* ref: short */
/* Newest first. ref NULL: HEAD. */
int sg_reflog(struct sg_reflog *out, struct sg_repo *r, const char *ref);
void sg_reflog_release(struct sg_reflog *l);

struct sg_tag_info {
	char *name, *message, *tagger;	/* message and tagger NULL: a plain ref */
	char commit[SG_COMMIT_HEX];
	int64_t time;			/* of the tag, else of the commit */
	bool has_signature;
};
struct sg_tag_list { struct sg_tag_info *tag; size_t n, cap; };
int sg_tag_list(struct sg_tag_list *out, struct sg_repo *r);
void sg_tag_list_release(struct sg_tag_list *l);
/* message NULL: a plain ref, else an annotated tag that names the composition. */
int sg_tag_add(struct sg_repo *r, const char *name, const char *rev, const char *message);
int sg_tag_remove(struct sg_repo *r, const char *name, char was[SG_COMMIT_HEX]);

/* --- sharing (sg_share.c) --------------------------------------------------- */

/*
 * A remote is a configured name, a path, or a URL that git knows. Nothing here
 * loses a commit of somebody else: a ref over there moves forward only, or (with a
 * lease) from the very commit that was seen.
 */
struct sg_remote_line { char *name, *url; };
struct sg_remotes { struct sg_remote_line *remote; size_t n, cap; };
int sg_share_remotes(struct sg_remotes *out, struct sg_repo *r);
void sg_remotes_release(struct sg_remotes *l);
int sg_share_add(struct sg_repo *r, const char *name, const char *url);
int sg_share_remove(struct sg_repo *r, const char *name);

/* What became of one ref. */
enum sg_share_what { SG_SHARE_NEW, SG_SHARE_MOVED, SG_SHARE_FORCED, SG_SHARE_SAME, SG_SHARE_REMOVED, SG_SHARE_REFUSED };
const char *sg_share_what_name(enum sg_share_what w);	/* "new", "moved", ... */
struct sg_share_ref {
	char *from, *to;		/* full names; NULL: none (a removal, objects only) */
	char old[SG_COMMIT_HEX], now[SG_COMMIT_HEX];	/* of `to`; "": absent */
	enum sg_share_what what;
	char *text;			/* why it was refused, or a remark; may be NULL */
};
struct sg_shared {
	char *remote, *url;
	struct sg_share_ref *ref;
	size_t n, cap;
	size_t refused;			/* how many of them */
	size_t shards;			/* data sets whose tokens came along (clone) */
};
void sg_shared_release(struct sg_shared *s);

struct sg_push_opts {
	const char *remote;		/* NULL: origin */
	/* Branches, tags, candidates (id, beginning or name), full names, "from:to",
	 * ":to" (remove what was last seen there). Empty: the current branch. */
	struct sg_names refs;
	bool candidates, tags;		/* all that waits on refs/sg, with its reports; all tags */
	bool link;			/* to a path on this machine: by second names of packs; no hooks run */
	bool lease;			/* a ref may also go back, if it is there what was last seen */
	struct sg_names leases;		/* the same for one: "ref" or "ref:commit" */
};
/* 1 when a ref was refused; *out says which and why. */
int sg_share_push(struct sg_shared *out, struct sg_repo *r, const struct sg_push_opts *o,
		  const struct sg_progress *progress);
/* Branches to refs/remotes/<remote>/ and tags; candidates: also those that wait
 * over there, taken up here when they are unknown here. 1 when something was refused: a
 * tag that differs, a protected branch that went back (accept: it may) or has commits
 * that are not signed as its policy wants it; those are stored all the same. */
int sg_share_fetch(struct sg_shared *out, struct sg_repo *r, const char *remote, bool candidates, bool prune, bool accept,
		   const struct sg_progress *progress);
/* Fetch, then move the current branch forward. 1 when it cannot: both sides grew. */
int sg_share_pull(struct sg_shared *out, struct sg_repo *r, const char *remote, const char *branch,
		  const struct sg_progress *progress);
/* dir NULL: named after the URL; *made is the folder, yours. From a path on this
 * machine the tokens of its data sets come along, checked by their hashes. link: from
 * such a path packs come by a second name instead of a copy. */
int sg_share_clone(struct sg_shared *out, char **made, const char *url, const char *dir, bool candidates, bool link,
		   const struct sg_progress *progress);

/* --- proving (sg_verify.c, sg_fsck.c) ---------------------------------------- */

enum sg_proof { SG_PROVEN, SG_DIFFERS, SG_OPEN };	/* OPEN: cannot be told here */
const char *sg_proof_name(enum sg_proof p);	/* "proven", "differs", "open" */
struct sg_check {
	const char *what;		/* "graft", "payload", "receipt", "verdict", "state", ... */
	char *subject;			/* of it: a graft, a set, a trailer; may be "" */
	enum sg_proof proof;
	char *text;			/* what was found */
};
/* One commit of the line of growth and what could be shown of it. */
struct sg_verified {
	char commit[SG_COMMIT_HEX], state[SG_SHA256_HEX];
	char *op, *subject;		/* op "": the commit says none */
	const char *signature;		/* "good", "unknown" (by nobody who is known), "bad", "none"; NULL: not read */
	char *signer;			/* who, or of one who is not known the key; NULL: nobody */
	struct sg_check *check;
	size_t n, cap;
	size_t proven, differs, open;
};
struct sg_verify_total {
	uint64_t commits, proven, differs, open;
	uint64_t grafts, tensors, bytes, receipts, sets;	/* distinct ones that were checked */
	uint64_t replayed, same_bits, same_verdict;		/* receipts measured again */
};
struct sg_verify_opts { const char *rev; bool replay; };
/*
 * From the first commit to rev (NULL: HEAD), first parents: what each commit says
 * against what its content gives. Nothing is trusted but the hashes. replay: also
 * measure the losses of each receipt again. fn hears of each commit, oldest first
 * (borrowed for the call; not 0 stops). 1 when something differs.
 */
int sg_verify(struct sg_verify_total *out, struct sg_repo *r, const struct sg_verify_opts *o,
	      int (*fn)(void *arg, const struct sg_verified *v), void *arg, const struct sg_progress *progress);

struct sg_problem {
	bool damage;			/* else a remark: a leftover that harms nothing */
	const char *kind, *object, *text;
};
/* Objects, packs and refs of the repository, then that every branch and every
 * candidate is a registry's. Repairs nothing. Returns the number of damages. */
int sg_check_repo(struct sg_repo *r, void (*fn)(void *arg, const struct sg_problem *p), void *arg,
		  const struct sg_progress *progress);

/* --- care: what nobody needs any more (sg_gc.c) ------------------------------ */

/* An age as git writes one: "now", "never", "2.weeks.ago", "3 days", "12h"; USAGE. */
int sg_age_parse(int64_t *out, const char *text);	/* seconds; "never" is SG_AGE_NEVER */
#define SG_AGE_NEVER INT64_MAX

/* A rejected or deferred graft whose weights go: its old place. */
struct sg_faded { char id[SG_SHA256_HEX]; char *name; const char *where; int64_t since; };
struct sg_collected {
	size_t packs_before, packs_after, loose_before, loose_after;
	uint64_t bytes_before, bytes_after;
	size_t dropped, waiting;	/* objects that nothing reaches: gone; too young to go */
	struct sg_faded *faded;
	size_t n_faded, cap_faded;
};
/*
 * Drops what nothing names and nothing may still want: see sg-gc(1). prune: how old
 * it must be, negative: as gc.pruneExpire says. Candidates stay whatever their age;
 * rejected and deferred ones keep manifest, recipe and receipts, and lose their
 * weights after sg.rejectedExpire and sg.deferredExpire (never, unless set).
 * dry: only say. BUSY while somebody writes.
 */
int sg_collect(struct sg_collected *out, struct sg_repo *r, int64_t prune, bool dry,
	       const struct sg_progress *progress);
void sg_collected_release(struct sg_collected *c);
SG_C_END
#endif
