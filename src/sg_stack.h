#ifndef SG_SG_STACK_H
#define SG_SG_STACK_H
#include "sg_repo.h"
SG_C_BEGIN
/*
 * What the manifests of a large stack say of its order, remembered in cache/stack so that
 * opening it need not read thousands of them. A line is bound to the graft's folder by
 * the folder's git id, so a line is never out of date; a file that is not whole is as if
 * it were not there. Proving commands set sg_repo.no_cache and read it all.
 */
struct sg_stack_memo { char *text; char **line; size_t n; bool grew; };
#define SG_STACK_MEMO_MIN 64	/* smaller stacks are read as they are */

int sg_stack_memo_open(struct sg_stack_memo *out, struct sg_repo *r);
void sg_stack_memo_release(struct sg_stack_memo *m);
/* A graft with id, base, requires and after only; 1 when the folder is known. */
int sg_stack_memo_get(struct sg_graft **out, const struct sg_stack_memo *m, const struct sg_oid *folder);
/* Remember these; a failure costs time, nothing else. */
void sg_stack_memo_save(struct sg_repo *r, struct sg_graft *const *g, const struct sg_oid *folder, size_t n);
SG_C_END
#endif
