#ifndef SG_CMD_VERDICT_H
#define SG_CMD_VERDICT_H
#include "cmd/cmd.h"
#include "sg.h"
/* How commands that judge show what the gates said. */

struct sg_jsonw;
/* One row a gate, on stdout. */
int sg_verdict_print(const struct sg_verdict_info *v);
/* The whole answer of a command that judged one graft: rows and a line, or JSON. */
int sg_verdict_tell(const struct sg_ctx *ctx, const struct sg_verdict_info *v);
/* "verdict", "state", "prev_state" and "gates" into the open object. */
void sg_verdict_put(struct sg_jsonw *w, const struct sg_verdict_info *v);
/* The verdict in its colour; lives as sg_print_safe says. */
const char *sg_verdict_word(const char *verdict);
/* A graft for people: name and the beginning of its id. */
const char *sg_graft_word(const char *name, const char *id);

/* Rows of tensors, worst first as many as `most` (0: all), and a line that sums up. */
int sg_fold_print(const struct sg_fold_table *t, size_t most);
/* "tensors" into the open object. */
void sg_fold_put(struct sg_jsonw *w, const struct sg_fold_table *t);
#endif
