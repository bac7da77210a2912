#ifndef SG_BASE_LOG_H
#define SG_BASE_LOG_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Progress is a callback: the library reports, whoever called decides how to
 * show it. `done` of `total` (0 when unknown) in `unit`, and a short free text
 * such as "loss 2.31, 12.4k tok/s". Returning true asks the work to stop; it
 * then returns -SG_E_INTERRUPTED after leaving things resumable.
 *
 * A text that is SG_IN_BYTES, or begins so and goes on after a comma, says that done
 * and total are bytes. Without done and total there is only the text.
 */
#define SG_IN_BYTES "bytes"
struct sg_progress {
	bool (*fn)(void *arg, const char *what, uint64_t done, uint64_t total, const char *text);
	void *arg;
};

static inline bool sg_progress(const struct sg_progress *p, const char *what, uint64_t done,
			       uint64_t total, const char *text)
{
	return p && p->fn && p->fn(p->arg, what, done, total, text);
}
SG_C_END
#endif
