#ifndef SG_BASE_BUF_H
#define SG_BASE_BUF_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Growable bytes, always followed by a NUL that len does not count. `{0}` is an
 * empty buffer; max is its ceiling in bytes (0 means 1 GiB). Release is safe on
 * {0} and twice. A failed add leaves the content as it was.
 */
struct sg_buf { char *data; size_t len, cap, max; };

int sg_buf_add(struct sg_buf *b, const void *data, size_t n);
int sg_buf_str(struct sg_buf *b, const char *s);
int sg_buf_fmt(struct sg_buf *b, const char *fmt, ...) SG_PRINTF(2, 3);
/* Room for n more bytes at data + len; len is not changed. */
int sg_buf_room(struct sg_buf *b, size_t n);
/* Hands the bytes over (yours to free, never NULL on success) and empties b. */
char *sg_buf_detach(struct sg_buf *b);
void sg_buf_clear(struct sg_buf *b);
void sg_buf_release(struct sg_buf *b);
SG_C_END
#endif
