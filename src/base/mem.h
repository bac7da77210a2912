#ifndef SG_BASE_MEM_H
#define SG_BASE_MEM_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Checked allocation. Memory comes back zeroed; NULL means failure and the
 * thread's error message is set. Free with free().
 *
 * SG_FAIL_ALLOC=n in the environment makes the n-th allocation fail, so that a
 * test can walk every failing allocation of a command.
 */
void *sg_calloc(size_t n, size_t size);
/* As realloc to n * size bytes; the old block stays valid on failure. */
void *sg_realloc(void *p, size_t n, size_t size);
char *sg_strdup(const char *s);
char *sg_strndup(const char *s, size_t n);
char *sg_asprintf(const char *fmt, ...) SG_PRINTF(1, 2);

/* *out = a * b or a + b; false when it does not fit. */
static inline bool sg_mul(size_t *out, size_t a, size_t b)
{
	return !__builtin_mul_overflow(a, b, out);
}
static inline bool sg_sum(size_t *out, size_t a, size_t b)
{
	return !__builtin_add_overflow(a, b, out);
}

/* p = n zeroed elements of *p; 0 or -SG_E_NOMEM. */
#define SG_NEW(p, n) (((p) = sg_calloc((n), sizeof(*(p)))) ? 0 : -SG_E_NOMEM)

/* Room for one more element in a growing array p of cap elements, n used. */
#define SG_GROW(p, n, cap) sg_grow_((void **)&(p), (n), &(cap), sizeof(*(p)))
int sg_grow_(void **p, size_t n, size_t *cap, size_t size);
SG_C_END
#endif
