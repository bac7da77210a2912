#ifndef SG_TRAIN_TRAIN_H
#define SG_TRAIN_TRAIN_H
#include "base/log.h"
#include "format/tokens.h"
#include "graft/graft.h"
#include "train/recipe.h"
SG_C_BEGIN
/*
 * The step loop: gradients of one step's tokens, clipping, AdamW on the
 * parameters of one graft that is attached for training. A run can be stopped at
 * any step and continued from its state file to the same bits.
 */
struct sg_train_in {
	struct sg_model *model;
	struct sg_graft *graft;			/* attached with trains */
	const struct sg_tokens *const *sets;	/* train sets in the recipe's order */
	size_t n_sets;
	const struct sg_recipe *recipe;
	size_t micro;				/* most tokens of one pass; does not change any bit */
	const char *state;			/* path of the state file */
	bool resume;				/* continue from it when it is there */
	unsigned save_every;			/* steps; 0: only when stopped */
	const struct sg_progress *progress;	/* asks to stop: state is saved, INTERRUPTED */
};
struct sg_train_out {
	double *curve;				/* [steps] mean nats per token, yours to free */
	uint64_t steps, tokens;
	double seconds;				/* of this process */
	size_t bytes;				/* activations and workspace */
};
int sg_train_run(struct sg_train_out *out, const struct sg_train_in *in);
SG_C_END
#endif
