#ifndef SG_MODEL_BATCH_H
#define SG_MODEL_BATCH_H
#include "base/base.h"
#include "format/tokens.h"
SG_C_BEGIN
/*
 * Batches of token shards, flat as kernels.h has them.
 *
 * A document of tokens t0..tn (t0 opens it) is cut into windows of at most T + 1
 * tokens that overlap by one, so each token after t0 is predicted exactly once,
 * from at most T tokens before it. A window of k + 1 tokens is one segment of k
 * rows: row i is fed token i and has token i + 1 as its target; positions start
 * at 0. A window never spans documents, and a segment is never cut by a batch.
 */
struct sg_batch {
	size_t n, cap;		/* rows */
	int32_t *token;		/* [n] what the row is fed */
	int32_t *target;	/* [n] what it should predict; -1: not scored */
	int32_t *begin;		/* [n] first row of its segment */
	uint32_t *doc;		/* [n] document; of several sets, counted on */
	size_t scored;		/* rows with a target */
};
int sg_batch_init(struct sg_batch *b, size_t cap);
void sg_batch_release(struct sg_batch *b);
/* A segment of n rows from n + 1 tokens: for text that is in no shard. False
 * when it does not fit. */
bool sg_batch_add(struct sg_batch *b, const int32_t *ids, size_t n, uint32_t doc);
void sg_batch_clear(struct sg_batch *b);

/* All documents from first to last - 1 in order, for evaluation: windows packed
 * greedily into batches. */
struct sg_walk { const struct sg_tokens *t; uint64_t doc, last, at; size_t T; };
void sg_walk_init(struct sg_walk *w, const struct sg_tokens *t, size_t T, uint64_t first, uint64_t last);
/* The next batch: number of rows, 0 at the end. b->cap >= T, else USAGE. */
int64_t sg_walk_next(struct sg_walk *w, struct sg_batch *b);

/*
 * Training order. All windows of all sets, permuted afresh in every epoch by
 * (seed, epoch), make an endless list; step s takes as many windows as fit into
 * tokens_per_step rows after those of step s - 1. What a step holds depends on
 * the arguments of init and on s only, so a run resumes from its step number.
 */
struct sg_window { uint64_t begin; uint32_t set, doc, rows; };
struct sg_plan {
	const struct sg_tokens *const *set;	/* borrowed */
	size_t n_sets;
	size_t T, step_rows;
	uint64_t seed;
	struct sg_window *window;
	size_t n_windows;
	uint64_t rows;				/* of one epoch */
	/* cursor: window `at` of `epoch` is the first of `step` */
	uint32_t *order;
	uint64_t step, epoch;
	size_t at;
};
/* USAGE when tokens_per_step < T or T is 0; REFUSED when there is no window. */
int sg_plan_init(struct sg_plan *p, const struct sg_tokens *const *sets, size_t n_sets, size_t T,
		 size_t tokens_per_step, uint64_t seed);
/* Fills b (b->cap >= tokens_per_step, else USAGE): rows. Steps in rising order
 * are cheap; going back starts from step 0. */
int64_t sg_plan_step(struct sg_plan *p, uint64_t step, struct sg_batch *b);
void sg_plan_release(struct sg_plan *p);
SG_C_END
#endif
