#ifndef SG_TESTS_TINY_H
#define SG_TESTS_TINY_H
#include "base/base.h"
#include "graft/graft.h"
#include "model/batch.h"
#include "model/checkpoint.h"
/*
 * Tiny models with random weights for tests: a Llama (2 layers, width 16, 4 heads
 * on 2 key/value heads) and a substrate without blocks.
 */
int tiny_llama(struct sg_checkpoint **out, uint64_t seed);
int tiny_substrate(struct sg_checkpoint **out, uint64_t seed);
/* Three segments of random tokens below vocab: 7, 1 and 5 rows, the last row unscored. */
int tiny_batch(struct sg_batch *out, size_t vocab, uint64_t seed);
/* Hyperparameters with which a type fits those models. */
int tiny_hyper(struct sg_names *out, const struct sg_graft_type *t);
/* Payload of a sealed graft, as a source for another one to load. */
struct sg_graft_source tiny_source(struct sg_graft *g);
#endif
