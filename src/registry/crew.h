#ifndef SG_REGISTRY_CREW_H
#define SG_REGISTRY_CREW_H
#include "base/base.h"
SG_C_BEGIN
/*
 * A few threads that work off a queue, for what can be done to one chunk without
 * looking at another. The order in which tasks end is nobody's business: whoever
 * hands them out waits for each in turn.
 */
struct sg_task {
	void (*fn)(struct sg_task *t);
	int rc;				/* fn's answer, and its message */
	char error[256];
	bool done;
	struct sg_task *next;
};
struct sg_crew;
/* threads >= 1; NULL in *out (and 0) when there can be no threads: then sg_crew_give
 * works at once in the caller. */
int sg_crew_open(struct sg_crew **out, unsigned threads);
void sg_crew_free(struct sg_crew *c);	/* nothing may be under way */
/* t is the crew's until sg_crew_wait, which returns t->rc with its message. */
void sg_crew_give(struct sg_crew *c, struct sg_task *t);
int sg_crew_wait(struct sg_crew *c, struct sg_task *t);
SG_C_END
#endif
