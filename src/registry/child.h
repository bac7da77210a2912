#ifndef SG_REGISTRY_CHILD_H
#define SG_REGISTRY_CHILD_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * A program at the other end of two pipes. Its environment is ours without what
 * would tell git (or sg) about this repository; what it prints on stderr is kept
 * for the error message.
 */
struct sg_child {
	int pid, in, out, err;	/* we write in, we read out */
	bool last;		/* when it says much, the end of it counts, not the beginning */
};

/* argv ends in NULL; found on PATH. */
int sg_child_start(struct sg_child *c, const char *const *argv);
/* The same for a git that is to work on this repository: what the user's environment
 * says about git's configuration stays, and `env` ("NAME=value" ..., NULL) is put over it. */
int sg_child_start_git(struct sg_child *c, const char *const *argv, const char *const *env);
void sg_child_close_in(struct sg_child *c);
/* Waits; *status is the exit status (128 + signal when killed). The first bytes
 * of its stderr go to err, which has room for n. */
int sg_child_wait(struct sg_child *c, int *status, char *err, size_t n);
/* Kill it if it still runs; safe when never started or waited for. */
void sg_child_release(struct sg_child *c);
/* Run to the end: `in` (NULL: nothing) on stdin, stdout into out (at most max).
 * A failing program is ERROR with its own words. env as above; NULL: as sg_child_start.
 * While it runs the newest line that it printed on stderr (ended by \n or \r) goes to
 * says (may be NULL) a few times a second, "" before there is one; what is below 0 there
 * ends it. */
int sg_child_run(struct sg_buf *out, const char *const *argv, const char *const *env, const struct sg_buf *in,
		       size_t max, int (*says)(void *arg, const char *line), void *arg);

/* Write all n bytes to c->in while keeping what comes from c->out in got (at
 * most max bytes of it), so that neither side waits for the other for ever. */
int sg_child_write(struct sg_child *c, struct sg_buf *got, size_t max, const void *data, size_t n);
/* Read some bytes behind got's; 0 at the end. */
int sg_child_read(struct sg_child *c, struct sg_buf *got);
SG_C_END
#endif
