#include "base/error.h"
#include <errno.h>
#include <stdarg.h>

static _Thread_local char message[2048];

int sg_fail(enum sg_err code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return -(int)code;
}

int sg_fail_errno(enum sg_err code, const char *fmt, ...)
{
	int err = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	n = strlen(message);
	snprintf(message + n, sizeof(message) - n, ": %s", strerror(err));
	return -(int)code;
}

int sg_fail_in(int rc, const char *fmt, ...)
{
	char old[sizeof(message)];
	va_list ap;
	size_t n;

	memcpy(old, message, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	n = strlen(message);
	snprintf(message + n, sizeof(message) - n, ": %s", old);
	return rc;
}

const char *sg_error_message(void)
{
	return message;
}

static const struct { int exit; const char *text; } errors[] = {
	{ 0, "ok" },
#define X(name, exit, text) { exit, text },
	SG_ERRORS(X)
#undef X
};

const char *sg_error_text(int rc)
{
	return rc <= 0 && (size_t)-rc < SG_LEN(errors) ? errors[-rc].text : "unknown";
}

int sg_error_exit(int rc)
{
	return rc <= 0 && (size_t)-rc < SG_LEN(errors) ? errors[-rc].exit : 128;
}
