#ifndef SG_BASE_ERROR_H
#define SG_BASE_ERROR_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Every call that can fail returns 0 or a count, or a negative code, and leaves
 * one message for the thread. A code exists only where a caller would act
 * differently. Name, exit status of the command, text: 1 is an answer ("no"),
 * 128 a failure, 129 a usage error.
 */
#define SG_ERRORS(X) \
	X(ERROR,       128, "failure") \
	X(NOMEM,       128, "out of memory") \
	X(IO,          128, "i/o error") \
	X(NOTFOUND,    128, "not found") \
	X(EXISTS,      128, "already there") \
	X(CORRUPT,     128, "corrupt data") \
	X(UNSUPPORTED, 128, "not supported") \
	X(BUSY,        128, "locked or changed by another process") \
	X(DEVICE,      128, "device error") \
	X(INTERRUPTED, 128, "interrupted") \
	X(REFUSED,       1, "refused") \
	X(USAGE,       129, "usage error")

enum sg_err {
	SG_OK_ = 0,
#define X(name, exit, text) SG_E_##name,
	SG_ERRORS(X)
#undef X
};

/* Record the message of this thread and return -code, so that
 * `return sg_fail(SG_E_IO, "cannot open '%s'", path);` is one statement.
 * Text: lower case, what failed first, the subject quoted, no full stop. */
int sg_fail(enum sg_err code, const char *fmt, ...) SG_PRINTF(2, 3);

/* The same with ": strerror(errno)" at the end. */
int sg_fail_errno(enum sg_err code, const char *fmt, ...) SG_PRINTF(2, 3);

/* Put "prefix: " before the recorded message and return rc untouched. */
int sg_fail_in(int rc, const char *fmt, ...) SG_PRINTF(2, 3);

/* Pass an error on untouched. */
#define SG_TRY(e) do { int rc_ = (e); if (rc_ < 0) return rc_; } while (0)

const char *sg_error_message(void);
const char *sg_error_text(int rc);
int sg_error_exit(int rc);
SG_C_END
#endif
