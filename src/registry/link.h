#ifndef SG_REGISTRY_LINK_H
#define SG_REGISTRY_LINK_H
#include "registry/remote.h"
#include "registry/wire.h"
SG_C_BEGIN
/*
 * Between two repositories of one file system objects need not be copied: a pack gets
 * a second name. Only packs all of whose objects are wanted (or there already) are
 * linked; what is wanted and lies in other packs is written as a new one, and so is
 * all when the file system or its owner refuses. Nobody is asked over there: no hooks
 * run, no object is checked.
 */
/* A repository of a path, as a registry that can be written to: its lock is that of its
 * .sg, or its own folder. */
int sg_link_open(struct sg_registry **out, const char *git_dir);
/* The listed objects of `from` into `to`; durable when it returns. *guard keeps them
 * from a gc until sg_link_settle, which follows once refs name them. */
struct sg_link_guard { struct sg_registry *to; struct sg_names keep; };
int sg_link_objects(struct sg_link_guard *guard, struct sg_registry *to, struct sg_registry *from,
		    const struct sg_oids *list, const struct sg_progress *progress);
void sg_link_settle(struct sg_link_guard *guard);
/* All that the tips reach in the repository at git_dir, into r. */
int sg_link_fetch(struct sg_link_guard *guard, struct sg_registry *r, const char *git_dir, const struct sg_oids *tips,
		  const struct sg_progress *progress);
/* Push in two steps: what is there now (REFUSED when a hook would have to be asked), then
 * objects and those refs whose rc is 1, each from its old value. */
int sg_link_advert(struct sg_advert *ad, struct sg_registry **out, const char *git_dir);
int sg_link_push(struct sg_registry *to, struct sg_registry *r, struct sg_push *ref, size_t n, const struct sg_oids *list,
		 bool atomic, const struct sg_progress *progress);
SG_C_END
#endif
