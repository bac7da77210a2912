#ifndef SG_REGISTRY_MAINT_H
#define SG_REGISTRY_MAINT_H
#include "base/file.h"
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
/* An age that never comes. */
#define SG_NEVER INT64_MAX
struct sg_gc_opts {
	int64_t grace;		/* seconds for which what nothing reaches is kept */
	int64_t reflog;		/* seconds for which a reflog entry keeps what it names */
	const struct sg_names *without;	/* refs that are about to go: only for dry; may be NULL */
	bool dry;		/* only say */
};
/* Drop what neither a ref nor a young reflog entry reaches, if it is old enough;
 * join small packs and loose objects in one pack; take reflog entries out whose
 * objects are gone; write loose refs to packed-refs; remove leftovers of killed
 * processes. BUSY while somebody writes; CORRUPT (and nothing done) when something
 * that a ref reaches is missing. Killed in the middle, everything is still there. */
int sg_gc(struct sg_gc *out, struct sg_registry *r, const struct sg_gc_opts *o, const struct sg_progress *progress);
#define SG_GC_GRACE ((int64_t)14 * 86400)
#define SG_GC_REFLOG ((int64_t)30 * 86400)
SG_C_END
#endif
