#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include <stdarg.h>

int sg_buf_room(struct sg_buf *b, size_t n)
{
	size_t max = b->max ? b->max : (size_t)1 << 30, need, cap;
	char *p;

	if (!sg_sum(&need, b->len, n) || need > max)
		return sg_fail(SG_E_NOMEM, "buffer would pass its limit of %zu bytes", max);
	if (b->data && need < b->cap)
		return 0;
	cap = SG_MAX(need + 1, b->cap + b->cap / 2);
	cap = SG_MAX(cap, 64);
	p = sg_realloc(b->data, cap, 1);
	if (!p)
		return -SG_E_NOMEM;
	b->data = p;
	b->cap = cap;
	b->data[b->len] = '\0';
	return 0;
}

int sg_buf_add(struct sg_buf *b, const void *data, size_t n)
{
	SG_TRY(sg_buf_room(b, n));
	if (n)
		memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = '\0';
	return 0;
}

int sg_buf_str(struct sg_buf *b, const char *s)
{
	return sg_buf_add(b, s, strlen(s));
}

int sg_buf_fmt(struct sg_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return sg_fail(SG_E_ERROR, "cannot format '%s'", fmt);
	SG_TRY(sg_buf_room(b, (size_t)n));
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

char *sg_buf_detach(struct sg_buf *b)
{
	char *p;

	if (sg_buf_room(b, 0) < 0)
		return NULL;
	p = b->data;
	b->data = NULL;
	b->len = b->cap = 0;
	return p;
}

void sg_buf_clear(struct sg_buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void sg_buf_release(struct sg_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}
