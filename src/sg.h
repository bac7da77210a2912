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

struct sg_open_opts {
	const char *start;		/* folder to look from; NULL: the current one */
	const char *device;		/* "auto", "cpu", "cuda", "cuda:N"; NULL: auto */
	unsigned threads;		/* 0: all */
};
int sg_open(struct sg_repo **out, const struct sg_open_opts *o);
void sg_close(struct sg_repo *r);
/* Path of the .sg folder, borrowed. */
const char *sg_repo_dir(const struct sg_repo *r);

struct sg_init_opts {
	const char *base;		/* folder of a checkpoint; NULL: a substrate made from the seed */
	uint64_t seed;			/* substrate */
	size_t width;			/* substrate: d_model; 0: the default */
	bool embed;			/* keep the base's weights in the registry */
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
	uint64_t min_bytes, max_docs;
	bool allow_overlap;		/* 13-grams shared with a set of another role: only said */
};
struct sg_data_info {
	char *name, *role, *split;
	char id[SG_SHA256_HEX], shard[SG_SHA256_HEX];
	uint64_t docs, tokens, bytes, duplicates, overlap;	/* the last two: of an add */
	bool present;			/* the tokens are on this machine */
};
struct sg_data_list { struct sg_data_info *set; size_t n, cap; };
/* One commit. The same set again only brings its tokens back (after a clone).
 * REFUSED: a document in two roles, a name that is taken. */
int sg_data_add(struct sg_data_info *out, struct sg_repo *r, const struct sg_data_opts *o,
		const struct sg_progress *progress);
int sg_data_list(struct sg_data_list *out, struct sg_repo *r, const char *rev);
int sg_data_remove(struct sg_repo *r, const char *name);
void sg_data_info_release(struct sg_data_info *d);
void sg_data_list_release(struct sg_data_list *l);

/* --- growing (sg_grow.c) ---------------------------------------------------- */

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
};
/* Trains on HEAD's stack and keeps the candidate on its own ref. INTERRUPTED: the
 * state is saved, resume continues it. */
int sg_train(struct sg_train_result *out, struct sg_repo *r, const struct sg_train_opts *o,
	     const struct sg_progress *progress);
void sg_train_result_release(struct sg_train_result *t);

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
int sg_reject(struct sg_repo *r, const char *cand, const char *message);
int sg_defer(struct sg_repo *r, const char *cand, const char *message);
void sg_verdict_info_release(struct sg_verdict_info *v);

/* The policy's text at a revision; one key set, or the whole text replaced, is a commit. */
int sg_policy_text(struct sg_buf *out, struct sg_repo *r, const char *rev);
int sg_policy_change(struct sg_repo *r, const char *key, const char *value);
int sg_policy_replace(struct sg_repo *r, const char *text, size_t n);

/* --- using the model (sg_text.c) -------------------------------------------- */

struct sg_eval_line {
	char *set, *role;
	uint64_t docs, tokens, bytes;
	double nats;			/* sum over scored tokens, documents added in order */
	char losses[SG_SHA256_HEX];	/* SHA-256 of the per-document sums as f64 LE */
};
struct sg_eval_info { char state[SG_SHA256_HEX]; struct sg_eval_line *line; size_t n; };
/* sets empty: all with tokens here. cand: a candidate on top of rev, or NULL.
 * batch: tokens of one pass (0: chosen); it cannot change a bit. */
int sg_eval(struct sg_eval_info *out, struct sg_repo *r, const char *rev, const char *cand,
	    const struct sg_names *sets, uint64_t window, uint64_t batch, const struct sg_progress *progress);
void sg_eval_info_release(struct sg_eval_info *e);
/* The same for a text file that is in no set, as one document. */
int sg_eval_file(struct sg_eval_line *out, struct sg_repo *r, const char *rev, const char *cand, const char *path,
		 uint64_t window, uint64_t batch, const struct sg_progress *progress);

struct sg_generate_opts {
	const char *rev, *cand, *prompt;
	uint64_t tokens, seed;
	double temperature, top_p;	/* 0: greedy; 1: all */
	/* Called with each piece of text as it comes; true stops. */
	bool (*piece)(void *arg, const char *text, size_t n);
	void *arg;
};
int sg_generate(struct sg_repo *r, const struct sg_generate_opts *o);
SG_C_END
#endif
