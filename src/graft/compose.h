#ifndef SG_GRAFT_COMPOSE_H
#define SG_GRAFT_COMPOSE_H
#include "graft/graft.h"
#include "model/checkpoint.h"
SG_C_BEGIN
/*
 * The stack: which grafts are active, in which order, on which base. Order is
 * topological by `requires` (a graft whose site it stands in) and `after` (those
 * active when it was trained; absent ones are skipped), ties by id. Composition
 * is always from the base up: nothing is ever subtracted.
 */

/* Puts the n grafts into stack order. REFUSED: one that another requires is not
 * there, or the relations go round in a circle. */
int sg_stack_order(struct sg_graft **g, size_t n);
/* SHA-256 over base id and ordered graft ids: the name of the composition. */
int sg_stack_state(char hex[SG_SHA256_HEX], const char *base, struct sg_graft *const *g, size_t n);

/* A model with its grafts attached. */
struct sg_composed {
	struct sg_model model;
	struct sg_graft **g;		/* in stack order, owned */
	size_t n;
};

/*
 * Takes over g[n] (freed with *out, or at once on failure), orders and attaches
 * them; source[i] belongs to g[i] as given. `cap`: tokens of a batch.
 */
int sg_compose(struct sg_composed *out, const struct sg_checkpoint *base, struct sg_device *dev, size_t cap,
	       struct sg_graft **g, const struct sg_graft_source *source, size_t n);
void sg_composed_release(struct sg_composed *c);
SG_C_END
#endif
