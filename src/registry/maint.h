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

/* What a gc did, or would do: the numbers before and after, in files and bytes. */
struct sg_gc {
	size_t packs_before, packs_after, loose_before, loose_after;
	uint64_t bytes_before, bytes_after;
	size_t dropped;			/* objects that nothing reaches, gone */
	size_t waiting;			/* such objects that are too young to go */
};
/* Drop what neither a ref nor a reflog entry of the last 30 days reaches, if it is
 * older than grace seconds; join small packs and loose objects in one pack; remove
 * leftovers of killed processes. BUSY while somebody writes; CORRUPT (and nothing
 * done) when something that a ref reaches is missing. dry: only say. Killed in the
 * middle, everything is still there. */
int sg_gc(struct sg_gc *out, struct sg_registry *r, int64_t grace, bool dry, const struct sg_progress *progress);
#define SG_GC_GRACE ((int64_t)14 * 86400)
SG_C_END
#endif
