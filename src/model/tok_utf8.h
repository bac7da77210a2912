#ifndef SG_MODEL_TOK_UTF8_H
#define SG_MODEL_TOK_UTF8_H
#include "base/base.h"
SG_C_BEGIN
/* Bytes of the character that begins with this byte of valid UTF-8. */
static inline size_t sg_utf8_size(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Its code point. */
static inline uint32_t sg_utf8_char(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c = n == 1 ? p[0] : n == 2 ? p[0] & 31u : n == 3 ? p[0] & 15u : p[0] & 7u;

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 63u);
	return c;
}

/* Write c, return the bytes: 1 to 4. */
static inline size_t sg_utf8_put(char *out, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 63));
	out[0] = (char)(n == 1 ? c : (0xf0u << (4 - n) & 0xff) | c);
	return n;
}

/* Length of the longest start of the text that is UTF-8 (RFC 3629: no
 * surrogates, no overlong forms, nothing past U+10FFFF). */
size_t sg_utf8_valid(const char *s, size_t n);

/* Append a text of any bytes as UTF-8: what begins like a character and breaks
 * off becomes one U+FFFD, as does every other byte that is none. */
struct sg_buf;
int sg_utf8_lossy(struct sg_buf *out, const char *s, size_t n);

/* Unicode's White_Space. */
bool sg_utf8_is_space(uint32_t c);
SG_C_END
#endif
