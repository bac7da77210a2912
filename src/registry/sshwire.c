#include "registry/sshwire.h"
#include "base/error.h"

uint32_t sg_ssh_u32(struct sg_ssh *s)
{
	const unsigned char *p = s->p;

	if (s->bad || s->end - p < 4) {
		s->bad = true;
		return 0;
	}
	s->p += 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct sg_ssh_text sg_ssh_str(struct sg_ssh *s)
{
	uint32_t n = sg_ssh_u32(s);
	struct sg_ssh_text t = { s->p, n };

	if (s->bad || (size_t)(s->end - s->p) < n) {
		s->bad = true;
		return (struct sg_ssh_text){ s->p, 0 };
	}
	s->p += n;
	return t;
}

bool sg_ssh_is(struct sg_ssh_text t, const char *text)
{
	return t.n == strlen(text) && !memcmp(t.p, text, t.n);
}

int sg_ssh_put_u32(struct sg_buf *b, uint32_t v)
{
	unsigned char p[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v };

	return sg_buf_add(b, p, 4);
}

int sg_ssh_put(struct sg_buf *b, const void *data, size_t n)
{
	if (n > INT32_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "too long for SSH: %zu bytes", n);
	SG_TRY(sg_ssh_put_u32(b, (uint32_t)n));
	return sg_buf_add(b, data, n);
}

int sg_ssh_put_str(struct sg_buf *b, const char *text)
{
	return sg_ssh_put(b, text, strlen(text));
}

/* --- base64 ------------------------------------------------------------------ */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int sg_base64(struct sg_buf *out, const void *data, size_t n, size_t wrap)
{
	const unsigned char *p = data;
	size_t column = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);

		for (size_t k = 0; k < 4; k++) {
			char c = k > left ? '=' : digits[v >> (18 - 6 * k) & 63];

			SG_TRY(sg_buf_add(out, &c, 1));
			if (wrap && ++column % wrap == 0)
				SG_TRY(sg_buf_str(out, "\n"));
		}
	}
	return wrap && column % wrap ? sg_buf_str(out, "\n") : 0;
}

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

#define ENDED 8		/* characters of a group: padded, so nothing may follow */

int sg_unbase64(struct sg_buf *out, const char *text, size_t n)
{
	uint32_t v = 0;
	unsigned have = 0, pad = 0;

	SG_TRY(sg_buf_room(out, n / 4 * 3 + 3));
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		int d = value_of(c);

		if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
			continue;
		if (have == ENDED)
			return -SG_E_CORRUPT;
		if (c == '=' && have >= 2 && pad < 2)
			pad++;
		else if (d < 0 || pad)
			return -SG_E_CORRUPT;
		v = v << 6 | (uint32_t)(d < 0 ? 0 : d);
		if (++have < 4)
			continue;
		if (pad && (v & ((1u << 8 * pad) - 1)))
			return -SG_E_CORRUPT;	/* bits behind the end */
		for (unsigned k = 0; k < 3 - pad; k++)
			out->data[out->len++] = (char)(v >> (16 - 8 * k));
		have = pad ? ENDED : 0;
		v = 0;
	}
	if (have && have != ENDED)
		return -SG_E_CORRUPT;
	if (out->data)
		out->data[out->len] = '\0';
	return 0;
}
