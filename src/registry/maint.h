#ifndef SG_REGISTRY_MAINT_H
#define SG_REGISTRY_MAINT_H
#include "base/log.h"
#include "registry/object.h"
SG_C_BEGIN
/* Check the repository: pack and index checksums, every object's hash, trees,
 * commits and tags parse, and everything that a ref reaches is there. fn hears
 * of each problem: kind ("pack", "hash", "parse", "missing", "ref"), the object
 * or file, and a sentence. Returns the number of problems; repairs nothing. */
int sg_fsck(struct sg_registry *r,
	    void (*fn)(void *arg, const char *kind, const char *object, const char *text),
	    void *arg, const struct sg_progress *progress);
SG_C_END
#endif
