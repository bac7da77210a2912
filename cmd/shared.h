#ifndef SG_CMD_SHARED_H
#define SG_CMD_SHARED_H
#include "base/base.h"
#include "sg.h"
struct sg_ctx;
/* How commands that talk to a remote show what became of each ref: a line for each
 * (those that are as they were only with verbose), or as JSON the whole. */
void sg_shared_print(const struct sg_ctx *ctx, const struct sg_shared *s, bool push);
/* "remote", "url", "refs" into the open object. */
struct sg_jsonw;
void sg_shared_put(struct sg_jsonw *w, const struct sg_shared *s);
/* An object with these and nothing else, printed. */
int sg_shared_json(const struct sg_shared *s);
#endif
