#include "registry/zsum.h"
#include <pthread.h>

/* CRC-32 eight bytes a step: table[k][b] is the effect of byte b followed by k
 * zero bytes. */
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t c = b;

		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
		table[0][b] = c;
	}
	for (int k = 1; k < 8; k++)
		for (int b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
}

static uint32_t le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t sg_zsum_crc32(uint32_t crc, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t c = ~crc;

	pthread_once(&once, make_table);
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t a = c ^ le32(p), b = le32(p + 4);

		c = table[7][a & 255] ^ table[6][a >> 8 & 255] ^ table[5][a >> 16 & 255] ^ table[4][a >> 24] ^
		    table[3][b & 255] ^ table[2][b >> 8 & 255] ^ table[1][b >> 16 & 255] ^ table[0][b >> 24];
	}
	for (; n; n--, p++)
		c = c >> 8 ^ table[0][(c ^ *p) & 255];
	return ~c;
}

uint32_t sg_zsum_adler32(uint32_t adler, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t a = adler & 0xffff, b = adler >> 16;

	while (n) {
		size_t part = SG_MIN(n, 5552);	/* the most that cannot overflow 32 bits */

		n -= part;
		/* Sixteen a step: b gains 16 a plus the weighted sum of the bytes. */
		for (; part >= 16; part -= 16, p += 16) {
			uint32_t s = 0, w = 0;

			for (uint32_t i = 0; i < 16; i++) {
				s += p[i];
				w += (16 - i) * p[i];
			}
			b += 16 * a + w;
			a += s;
		}
		for (; part; part--) {
			a += *p++;
			b += a;
		}
		a %= 65521;
		b %= 65521;
	}
	return b << 16 | a;
}
