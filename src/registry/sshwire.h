#ifndef SG_REGISTRY_SSHWIRE_H
#define SG_REGISTRY_SSHWIRE_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * How SSH writes things down (RFC 4251): big-endian numbers, and strings with their
 * length before them; and base64. A read past the end gives nothing and marks the
 * reader; look at `bad` before anything that was read is believed.
 */
struct sg_ssh { const unsigned char *p, *end; bool bad; };
struct sg_ssh_text { const unsigned char *p; size_t n; };	/* borrowed */

static inline struct sg_ssh sg_ssh_of(const void *data, size_t n)
{
	return (struct sg_ssh){ data, (const unsigned char *)data + n, false };
}
uint32_t sg_ssh_u32(struct sg_ssh *s);
struct sg_ssh_text sg_ssh_str(struct sg_ssh *s);
bool sg_ssh_is(struct sg_ssh_text t, const char *text);

int sg_ssh_put_u32(struct sg_buf *b, uint32_t v);
int sg_ssh_put(struct sg_buf *b, const void *data, size_t n);
int sg_ssh_put_str(struct sg_buf *b, const char *text);

/* Added to *out; wrap: columns of a line, each with a line feed behind; 0: one line
 * without one. */
int sg_base64(struct sg_buf *out, const void *data, size_t n, size_t wrap);
/* Strict but for white space, which is skipped. CORRUPT (no message) on anything else.
 * *out must be empty; nothing is copied about, so it may hold secrets. */
int sg_unbase64(struct sg_buf *out, const char *text, size_t n);
SG_C_END
#endif
