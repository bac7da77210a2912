#ifndef SG_TRAIN_RECIPE_H
#define SG_TRAIN_RECIPE_H
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
SG_C_BEGIN
/*
 * Everything that decides what a training run computes. Same recipe on the same
 * stack, same bytes out. Kept as JSON in the candidate's commit.
 */
struct sg_recipe {
	char *type;			/* graft type */
	char *name;			/* of the graft, may be NULL; decides nothing */
	struct sg_names sites, hyper;	/* resolved site names; "key=value" */
	struct sg_names data;		/* "name:id" of the train sets, in order */
	char parent[SG_SHA256_HEX];	/* state that it is trained on */
	uint64_t seed;
	uint64_t steps;
	uint64_t batch, seq;		/* a step is batch * seq tokens, windows of seq */
	double lr, min_lr;		/* peak; end of the cosine, as a share of the peak */
	uint64_t warmup;		/* steps of linear rise */
	double beta1, beta2, eps, decay;
	double clip;			/* largest gradient norm; 0: none */
};

void sg_recipe_default(struct sg_recipe *r);
void sg_recipe_release(struct sg_recipe *r);
/* Out of range values: USAGE, naming the option. */
int sg_recipe_check(const struct sg_recipe *r);
int sg_recipe_emit(struct sg_buf *out, const struct sg_recipe *r);
int sg_recipe_parse(struct sg_recipe *out, const char *data, size_t n, const char *what);
/* SHA-256 of the emitted bytes: the name of a training job. */
int sg_recipe_id(char hex[SG_SHA256_HEX], const struct sg_recipe *r);

/* Learning rate of a step, counted from 0: linear warm-up, then a cosine from lr
 * down to lr * min_lr at the last step (Loshchilov, Hutter 2017). */
float sg_recipe_lr(const struct sg_recipe *r, uint64_t step);
SG_C_END
#endif
