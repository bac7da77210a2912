#ifndef SG_TRAIN_MEMORY_H
#define SG_TRAIN_MEMORY_H
#include "graft/graft.h"
#include "model/model.h"
SG_C_BEGIN
/*
 * What a training run takes, counted before anything large is taken. On the
 * processor `weights` are pages of the mapped file.
 */
struct sg_memory {
	uint64_t weights, payload, gradients, optimiser, activations, workspace, total;
};

/* Of g, attached to m for training, in passes of at most `cap` tokens with texts of at
 * most T. g NULL: of running m without training. */
int sg_memory_plan(struct sg_memory *out, struct sg_model *m, const struct sg_graft *g, size_t cap, size_t T);
/* The workspace alone, on a device that need not be m's. */
uint64_t sg_memory_scratch(const struct sg_model *m, struct sg_device *d, size_t cap, size_t T);
SG_C_END
#endif
