#ifndef SG_TRAIN_STATE_H
#define SG_TRAIN_STATE_H
#include "tensor/slab.h"
#include "train/recipe.h"
SG_C_BEGIN
/* A stopped run in a file: recipe, step, parameters, both moments, curve, closed
 * by the SHA-256 of it all. */
struct sg_train_state {
	const struct sg_recipe *recipe;
	struct sg_slab *params, *m, *v;
	double *curve;			/* [recipe->steps] */
	uint64_t *step, *tokens;
};
int sg_train_state_save(const struct sg_train_state *s, const char *path);
/* REFUSED when the file belongs to another recipe. */
int sg_train_state_load(const struct sg_train_state *s, const char *path);
/* The recipe in a state file, to continue without giving it again. */
int sg_train_state_recipe(struct sg_recipe *out, const char *path);
/* The same with the number of steps that are done. */
int sg_train_state_peek(struct sg_recipe *out, uint64_t *step, const char *path);
SG_C_END
#endif
