#ifndef SG_REGISTRY_REF_H
#define SG_REGISTRY_REF_H
#include "registry/object.h"
SG_C_BEGIN
/*
 * Names of objects. Every change is compare-and-swap: it happens only when the
 * ref still has the value that the caller saw, else -SG_E_BUSY and nothing has
 * changed: read again, think again, try again. The lock file of a ref held by
 * somebody else is waited for, with jitter, for some seconds.
 */

/* A full name ("refs/..." or "HEAD") that git accepts. */
bool sg_ref_name_ok(const char *name);
/* Value of a full name, symbolic refs followed; NOTFOUND when absent or unborn. */
int sg_ref_get(struct sg_oid *out, struct sg_registry *r, const char *name);
/* Create (old NULL or zero: it must not exist) or move (old: what it must be).
 * message goes to the reflog. */
int sg_ref_set(struct sg_registry *r, const char *name, const struct sg_oid *new,
	       const struct sg_oid *old, const char *message);
int sg_ref_delete(struct sg_registry *r, const char *name, const struct sg_oid *old);

/* Several, in the order given; a zero `new` deletes. Not atomic: the first
 * failure stops, those before it stand and *n_done says how many. So put first
 * what is harmless alone (payload, candidates) and the line of growth last. */
struct sg_ref_update { const char *name; struct sg_oid new, old; };
int sg_ref_update(size_t *n_done, struct sg_registry *r, const struct sg_ref_update *u, size_t n,
		  const char *message);

struct sg_ref { char *name; struct sg_oid oid; };
struct sg_refs { struct sg_ref *ref; size_t n, cap; };
/* Refs whose name begins with prefix ("refs/heads/", "" for all), by name. */
int sg_ref_list(struct sg_refs *out, struct sg_registry *r, const char *prefix);
void sg_refs_release(struct sg_refs *l);

/* What a ref was, newest first: the zero id where it did not exist. Branches, what was
 * last seen on remotes, notes and HEAD are remembered, as long as they exist. */
struct sg_ref_change { struct sg_oid old, new; char *who, *email, *message; int64_t time; };
struct sg_ref_changes { struct sg_ref_change *change; size_t n; };
/* A full name; one without memory gives none. */
int sg_ref_changes(struct sg_ref_changes *out, struct sg_registry *r, const char *name);
void sg_ref_changes_release(struct sg_ref_changes *l);
/* The branch that HEAD left n checkouts ago (1: the last), its short name; yours. */
int sg_head_before(char **out, struct sg_registry *r, size_t n);

/* The ref HEAD points at, born or not ("refs/heads/main"); yours to free. */
int sg_head_get(char **out, struct sg_registry *r);
int sg_head_set(struct sg_registry *r, const char *ref, const char *message);
SG_C_END
#endif
