#ifndef SG_TRAIN_CALIB_H
#define SG_TRAIN_CALIB_H
#include "base/log.h"
#include "graft/graft.h"
#include "model/pass.h"
SG_C_BEGIN
/*
 * Data before the first step: what a graft's parts want to hear (struct sg_graft_type:
 * listen), from forward and backward passes over a few batches. Parts listen together as
 * far as SG_CALIB_BYTES hold what they collect, else one group after the other over the
 * same batches, so that memory is bounded; all see the model without the graft, so that no bit
 * depends on the bound.
 */
#define SG_CALIB_BYTES ((size_t)512 << 20)

/* The i-th batch, borrowed until the next call; NULL: there are no more. */
typedef int sg_calib_fn(struct sg_batch **out, void *arg, size_t i);

/* Does the graft want to hear anything? */
bool sg_calib_wanted(const struct sg_graft *g);
/* g is attached with trains, `pass` was made for training then. Gradients are zero after it.
 * `bytes` as SG_CALIB_BYTES. progress may be NULL. */
int sg_calibrate(struct sg_graft *g, struct sg_pass *pass, sg_calib_fn *next, void *arg, size_t bytes,
		 const struct sg_progress *progress);
SG_C_END
#endif
