#include "base/mem.h"
#include "base/error.h"
#include <stdarg.h>

/* Counts allocations down to the one that a test wants to see fail. */
static bool must_fail(void)
{
	static long left = -1;
	static bool asked;

	if (!asked) {
		const char *s = getenv("SG_FAIL_ALLOC");

		asked = true;
		left = s ? atol(s) : -1;
	}
	return left > 0 && --left == 0;
}

static void *nomem(size_t n, size_t size)
{
	sg_fail(SG_E_NOMEM, "cannot allocate %zu x %zu bytes", n, size);
	return NULL;
}

void *sg_calloc(size_t n, size_t size)
{
	void *p = must_fail() ? NULL : calloc(n ? n : 1, size ? size : 1);

	return p ? p : nomem(n, size);
}

void *sg_realloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (!sg_mul(&bytes, n, size) || must_fail())
		return nomem(n, size);
	p = realloc(p, bytes ? bytes : 1);
	return p ? p : nomem(n, size);
}

char *sg_strndup(const char *s, size_t n)
{
	char *p = sg_calloc(n + 1, 1);

	if (p)
		memcpy(p, s, n);
	return p;
}

char *sg_strdup(const char *s)
{
	return sg_strndup(s, strlen(s));
}

char *sg_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = sg_calloc((size_t)n + 1, 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

int sg_grow_(void **p, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 8;
	void *q;

	if (n < *cap)
		return 0;
	q = sg_realloc(*p, want, size);
	if (!q)
		return -SG_E_NOMEM;
	*p = q;
	*cap = want;
	return 0;
}
