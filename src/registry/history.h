#ifndef SG_REGISTRY_HISTORY_H
#define SG_REGISTRY_HISTORY_H
#include "registry/commit.h"
SG_C_BEGIN
enum sg_walk_flags {
	SG_WALK_FIRST_PARENT = 1 << 0,	/* the line of growth only */
	SG_WALK_LINE         = 1 << 2,	/* and lines that were merged into it, not candidates */
	SG_WALK_REVERSE      = 1 << 1,	/* oldest first */
};

/* Commits reachable from `from` and not from `hide`, children before parents,
 * newer first among equals. fn returns 0 to go on, positive to stop (walk then
 * returns 0), negative to fail. The commit is borrowed for the call. */
int sg_history_walk(struct sg_registry *r, const struct sg_oid *from, size_t n_from,
		    const struct sg_oid *hide, size_t n_hide, unsigned flags,
		    int (*fn)(void *arg, const struct sg_commit *c), void *arg);
/* Best common ancestor; NOTFOUND when there is none. */
int sg_history_base(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *a,
		    const struct sg_oid *b);
/* The same along lines of growth: a commit's line goes on in its first parent, and in
 * a merge (Sg-Op: merge, or none said) in all of them. A candidate that was trained
 * on another line is no way into it: taking it in takes in nothing else of there. */
int sg_history_line_base(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *a,
			 const struct sg_oid *b);
/* 1 when b's line of growth holds a, so that moving from a to b loses no growth; else 0. */
int sg_history_in_line(struct sg_registry *r, const struct sg_oid *a, const struct sg_oid *b);
/* 1 when a is b or an ancestor of b, else 0. */
int sg_history_is_ancestor(struct sg_registry *r, const struct sg_oid *a, const struct sg_oid *b);
/* Commits that only a and only b reach. */
int sg_history_ahead_behind(size_t *ahead, size_t *behind, struct sg_registry *r,
			    const struct sg_oid *a, const struct sg_oid *b);

/* A revision as git writes it, to the commit it names: full or abbreviated id (4
 * digits or more), HEAD or @, short or full ref name, with @{N} (what it was N
 * changes ago; without a name: the current branch), @{u} (the branch of that name as
 * last seen on its remote) or @{-N} (the branch of N checkouts ago) behind the name,
 * and ^, ^N and ~N behind that. Unknown is NOTFOUND, ambiguous is ERROR. */
int sg_rev_parse(struct sg_oid *out, struct sg_registry *r, const char *rev);
/* The same without peeling: may be a tag, a tree or a blob ("main:policy"). */
int sg_rev_parse_any(struct sg_oid *out, enum sg_object_type *type, struct sg_registry *r,
		     const char *rev);
/* Shortest unambiguous form of at least 7 digits; out has SG_OID_HEX bytes. */
int sg_oid_abbrev(char out[SG_OID_HEX], struct sg_registry *r, const struct sg_oid *oid);
SG_C_END
#endif
