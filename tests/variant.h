#ifndef SG_TESTS_VARIANT_H
#define SG_TESTS_VARIANT_H
#include "base/base.h"
#include "graft/graft.h"
#include "model/batch.h"
/*
 * Every listed graft type with its defaults, then with each of its variants:
 *	for (struct variant v = { 0 }; variant_next(&v); )
 */
struct variant {
	const struct sg_graft_type *t;
	const char *set;		/* "key=value ..."; "" for the defaults */
	size_t type, at;
};
bool variant_next(struct variant *v);
/* A new graft of it, not attached, at its sites of the model, small
 * (tiny_hyper) unless it says otherwise. A type without default sites goes to `slot`. */
int variant_graft(struct sg_graft **out, const struct variant *v, struct sg_model *m, const char *slot, const char *base);
/* Attaches it from seed 7 for batches of b->n tokens; a type that takes something from data
 * first takes it from b, and then trains whatever is asked. */
int variant_attach(struct sg_graft *g, struct sg_model *m, bool trains, const struct sg_batch *b);
#endif
