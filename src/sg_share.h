#ifndef SG_SG_SHARE_H
#define SG_SG_SHARE_H
/* What the files behind sharing share. Not installed. */
#include "sg_repo.h"
SG_C_BEGIN
/* One more ref in the answer: names are copied, either may be NULL; text may be. */
int sg_shared_add(struct sg_shared *s, const char *from, const char *to, const struct sg_oid *old,
		  const struct sg_oid *now, enum sg_share_what what, const char *text);
/* Name and URL of a remote, into the answer. */
int sg_shared_remote(struct sg_shared *s, struct sg_repo *r, const char *remote);
/* Is the commit in a branch of ours? 1, 0. */
int sg_in_branch(struct sg_repo *r, const struct sg_oid *commit);

/*
 * sg_seen.c: after a fetch. A protected branch that went back, or whose new commits are
 * not signed as its policy wants it, is told of as refused; else how far it got is
 * remembered. accept: what it is now is what it shall have been.
 */
int sg_seen_update(struct sg_shared *s, struct sg_repo *r, const char *remote, bool accept);
int sg_seen_forget(struct sg_repo *r, const char *remote);

/* Where a graft can wait: "cand", "deferred", "rejected"; ends with NULL. */
extern const char *const sg_waiting[];
SG_C_END
#endif
