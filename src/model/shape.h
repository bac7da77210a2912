#ifndef SG_MODEL_SHAPE_H
#define SG_MODEL_SHAPE_H
#include "model/checkpoint.h"
SG_C_BEGIN
/*
 * Known models by the name of their shape, with random weights in bf16: for
 * measuring time and memory where the real ones are not at hand.
 */
/* NOTFOUND names those there are. blank: the weights are zeros that take no memory
 * until they are read, for those who only count. */
int sg_shape_make(struct sg_checkpoint **out, const char *name, bool blank);
SG_C_END
#endif
