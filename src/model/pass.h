#ifndef SG_MODEL_PASS_H
#define SG_MODEL_PASS_H
#include "base/base.h"
#include "model/batch.h"
#include "model/model.h"
SG_C_BEGIN
/*
 * A forward pass, and a backward pass that stops at the lowest block where
 * something trains. All memory is taken at init, for at most `cap` tokens, with
 * the hooks and blocks that the model has then. Logits exist for a few hundred
 * rows at a time only.
 *
 * The bits of a token's loss depend on its segment alone, not on the batch; the
 * bits of a gradient depend on the order of tokens, not on how they are cut
 * into batches (gradients accumulate as one chain).
 */
struct sg_tape {			/* of one block, [N, ...] each */
	float *x, *n1, *m1, *r1, *q, *k, *v, *att, *lse, *h1, *n2, *m2, *r2, *gate, *up, *glu;
	float *q0, *k0, *rq, *rk;	/* of normed query and key heads: what went in, 1/rms */
};

/* Keys and values of the tokens that a text has so far, so that its next token
 * costs one row. */
struct sg_cache {
	struct sg_model *m;		/* borrowed */
	float **k, **v;			/* of each block, [cap, kv_heads * head_dim] */
	size_t n, cap;			/* tokens in it, at most */
	void *mem;
};

struct sg_pass {
	struct sg_model *m;		/* borrowed */
	size_t cap, rows;		/* tokens at most; rows of logits at a time */
	bool train;
	size_t lowest;			/* index of the lowest block that trains; m->n: only the head */
	struct sg_tape *tape;		/* m->n of them; all the same below `lowest` */
	float *h, *hn, *mh, *rh;	/* after the last block, normed, mean, 1/deviation */
	float *tmp, *logits, *loss, *scale;
	float *dh, *dn, *dq, *dk, *dv, *datt, *dglu, *dgate, *dup;
	int32_t *token, *target, *begin;
	struct sg_cache *cache;		/* during sg_pass_next only */
	void *mem;			/* memory of the pointers above */
	size_t bytes;			/* of mem */
};

/* REFUSED, before it is allocated, when there is no room for weights and activations. */
int sg_pass_init(struct sg_pass *p, struct sg_model *m, size_t cap, bool train);
/* Rows of logits at a time on a device; no bit depends on it. */
size_t sg_pass_rows(const struct sg_model *m, const struct sg_device *d, size_t cap);
/* What init would take, in bytes. */
int sg_pass_bytes(size_t *out, struct sg_model *m, size_t cap, bool train);
void sg_pass_release(struct sg_pass *p);

/* loss [b->n], host memory: nats of each target, 0 where there is none. */
int sg_pass_loss(struct sg_pass *p, const struct sg_batch *b, float *loss);
/* The same, then gradients of weight * sum of the losses are added to whatever
 * trains. Needs init with train. */
int sg_pass_train(struct sg_pass *p, const struct sg_batch *b, float weight, float *loss);
/* logits [vocab], host memory, after token `row` of the batch. */
int sg_pass_logits(struct sg_pass *p, const struct sg_batch *b, size_t row, float *logits);

/* In two steps: hidden states of a batch, then logits [n, vocab], host memory, of
 * its rows from `at` on, p->rows of them at most. */
int sg_pass_hidden(struct sg_pass *p, const struct sg_batch *b);
int sg_pass_scores(struct sg_pass *p, size_t at, size_t n, float *logits);

int sg_cache_init(struct sg_cache *c, struct sg_model *m, size_t cap);
void sg_cache_release(struct sg_cache *c);
/* Takes n more tokens (at most the pass's cap) and gives the logits after the last:
 * the same bits as a pass over the whole text. */
int sg_pass_next(struct sg_pass *p, struct sg_cache *c, const int32_t *ids, size_t n, float *logits);
SG_C_END
#endif
