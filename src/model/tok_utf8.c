#include "model/tok_utf8.h"
#include "base/buf.h"
#include "base/error.h"

/* Size of the well-formed character at p, 0 for none; then *broken is how much
 * of one stands there, 1 at least. */
static size_t well_formed(const unsigned char *p, size_t n, size_t *broken)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t size;

	*broken = 1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	size = sg_utf8_size(p[0]);
	/* the second byte is narrower after these four */
	if (p[0] == 0xe0)
		lo = 0xa0;
	if (p[0] == 0xed)
		hi = 0x9f;
	if (p[0] == 0xf0)
		lo = 0x90;
	if (p[0] == 0xf4)
		hi = 0x8f;
	for (size_t i = 1; i < size; i++) {
		if (i == n || p[i] < lo || p[i] > hi) {
			*broken = i;
			return 0;
		}
		lo = 0x80;
		hi = 0xbf;
	}
	return size;
}

size_t sg_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, size, broken;
	uint64_t word;

	while (i < n) {
		if (n - i >= 8) {
			memcpy(&word, p + i, 8);
			if (!(word & 0x8080808080808080u)) {
				i += 8;
				continue;
			}
		}
		size = well_formed(p + i, n - i, &broken);
		if (!size)
			break;
		i += size;
	}
	return i;
}

int sg_utf8_lossy(struct sg_buf *out, const char *s, size_t n)
{
	while (n) {
		size_t good = sg_utf8_valid(s, n), broken = 0;

		SG_TRY(sg_buf_add(out, s, good));
		if (good == n)
			break;
		well_formed((const unsigned char *)s + good, n - good, &broken);
		SG_TRY(sg_buf_str(out, "\xef\xbf\xbd"));
		s += good + broken;
		n -= good + broken;
	}
	return 0;
}

bool sg_utf8_is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}
