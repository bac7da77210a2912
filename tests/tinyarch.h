#ifndef SG_TESTS_TINYARCH_H
#define SG_TESTS_TINYARCH_H
#include "base/base.h"
#include "model/checkpoint.h"
/*
 * A small model of any architecture with random weights, from a configuration: the
 * tensors are those that the architecture's own table asks for.
 */
struct tiny_arch { const char *name, *config; bool smooth; /* no kinks: finite differences hold */ };
extern const struct tiny_arch tiny_archs[];	/* at least one for each architecture with weights; name NULL ends */
/* NULL when there is none of that name. */
const struct tiny_arch *tiny_arch_find(const char *name);
/* It has an empty tokenizer.json, so that it can be written as a folder. dtype: F32, F16, BF16. */
int tiny_arch_make(struct sg_checkpoint **out, const struct tiny_arch *a, enum sg_dtype dtype, uint64_t seed);
#endif
