/*
 * The key derivation of OpenSSH's encrypted key files. Blowfish starts from the binary
 * digits of pi, so pi is computed (Machin: 16 atan 1/5 - 4 atan 1/239) where others
 * paste 4 KiB of constants; the tests hold it against keys that ssh-keygen made.
 */
#include "registry/sign.h"
#include "base/error.h"
#include "base/mem.h"

#define P_WORDS 18
#define S_WORDS 1024
#define WORDS (1 + P_WORDS + S_WORDS + 2)	/* before the point, digits wanted, guard */
#define BLOCK 32				/* bytes of one bcrypt hash */

struct blowfish { uint32_t p[P_WORDS], s[S_WORDS]; };	/* s: four boxes of 256 */

/* --- pi ---------------------------------------------------------------------- */

/* Fixed point, most significant word first. q = x / d; q may be x. Words before
 * `from` are zero. */
static void divide(uint32_t *q, const uint32_t *x, size_t from, uint32_t d)
{
	uint64_t rest = 0;

	for (size_t i = from; i < WORDS; i++) {
		uint64_t v = rest << 32 | x[i];

		q[i] = (uint32_t)(v / d);
		rest = v % d;
	}
}

/* sum += or -= x */
static void add(uint32_t *sum, const uint32_t *x, size_t from, bool minus)
{
	uint64_t carry = minus;

	for (size_t i = WORDS; i-- > 0; ) {
		uint32_t v = i < from ? 0 : x[i];

		if (i < from && carry == minus)
			break;
		carry += (uint64_t)sum[i] + (minus ? ~v : v);
		sum[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

/* sum += or -= scale * atan(1/n) */
static void add_atan(uint32_t *sum, uint32_t scale, uint32_t n, bool minus, uint32_t *power, uint32_t *term)
{
	size_t from = 0;

	memset(power, 0, WORDS * sizeof(*power));
	memset(term, 0, WORDS * sizeof(*term));
	power[0] = scale;
	divide(power, power, 0, n);
	for (uint32_t k = 1; ; k += 2) {
		while (from < WORDS && !power[from])
			from++;
		if (from == WORDS)
			return;
		divide(term, power, from, k);
		add(sum, term, from, minus);
		minus = !minus;
		divide(power, power, from, n * n);
	}
}

static int digits_of_pi(struct blowfish *b)
{
	uint32_t *pi;

	SG_TRY(SG_NEW(pi, 3 * WORDS));
	add_atan(pi, 16, 5, false, pi + WORDS, pi + 2 * WORDS);
	add_atan(pi, 4, 239, true, pi + WORDS, pi + 2 * WORDS);
	memcpy(b->p, pi + 1, sizeof(b->p));
	memcpy(b->s, pi + 1 + P_WORDS, sizeof(b->s));
	free(pi);
	return 0;
}

/* --- Blowfish ---------------------------------------------------------------- */

static uint32_t mix(const struct blowfish *b, uint32_t x)
{
	return ((b->s[x >> 24] + b->s[256 + (x >> 16 & 255)]) ^ b->s[512 + (x >> 8 & 255)]) + b->s[768 + (x & 255)];
}

static void encipher(const struct blowfish *b, uint32_t *left, uint32_t *right)
{
	uint32_t l = *left, r = *right;

	for (size_t i = 0; i < 16; i += 2) {
		l ^= b->p[i];
		r ^= mix(b, l);
		r ^= b->p[i + 1];
		l ^= mix(b, r);
	}
	*left = r ^ b->p[17];
	*right = l ^ b->p[16];
}

/* The next four of 64 bytes that go round, most significant first. */
static uint32_t next_word(const unsigned char *data, size_t *at)
{
	const unsigned char *p = data + *at;

	*at = (*at + 4) % SG_SHA512_LEN;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The key schedule, salted with `salt` (NULL: with nothing). */
static void expand(struct blowfish *b, const unsigned char *salt, const unsigned char *key)
{
	uint32_t l = 0, r = 0;
	size_t at = 0;

	for (size_t i = 0; i < P_WORDS; i++)
		b->p[i] ^= next_word(key, &at);
	at = 0;
	for (size_t i = 0; i < P_WORDS + S_WORDS; i += 2) {
		uint32_t *to = i < P_WORDS ? &b->p[i] : &b->s[i - P_WORDS];

		if (salt) {
			l ^= next_word(salt, &at);
			r ^= next_word(salt, &at);
		}
		encipher(b, &l, &r);
		to[0] = l;
		to[1] = r;
	}
}

/* --- bcrypt as a hash -------------------------------------------------------- */

static void bcrypt_hash(unsigned char out[BLOCK], struct blowfish *work, const struct blowfish *start,
			const unsigned char pass[SG_SHA512_LEN], const unsigned char salt[SG_SHA512_LEN])
{
	static const char text[] = "OxychromaticBlowfishSwatDynamite";
	uint32_t word[BLOCK / 4];
	size_t at = 0;

	*work = *start;
	expand(work, salt, pass);
	for (int i = 0; i < 64; i++) {
		expand(work, NULL, salt);
		expand(work, NULL, pass);
	}
	for (size_t i = 0; i < SG_LEN(word); i++)
		word[i] = next_word((const unsigned char *)text, &at);
	for (int k = 0; k < 64; k++)
		for (size_t i = 0; i < SG_LEN(word); i += 2)
			encipher(work, &word[i], &word[i + 1]);
	for (size_t i = 0; i < BLOCK; i++)
		out[i] = (unsigned char)(word[i / 4] >> 8 * (i % 4));
	sg_wipe(word, sizeof(word));
}

/* --- the derivation ---------------------------------------------------------- */

struct derive {
	struct blowfish start, work;
	unsigned char pass[SG_SHA512_LEN], salt[SG_SHA512_LEN], one[BLOCK], sum[BLOCK];
};

/* Block number `count` into d->sum. */
static int block(struct derive *d, const unsigned char *salt, size_t salt_n, unsigned rounds)
{
	SG_TRY(sg_sha512(d->salt, salt, salt_n));
	bcrypt_hash(d->one, &d->work, &d->start, d->pass, d->salt);
	memcpy(d->sum, d->one, BLOCK);
	for (unsigned k = 1; k < rounds; k++) {
		SG_TRY(sg_sha512(d->salt, d->one, BLOCK));
		bcrypt_hash(d->one, &d->work, &d->start, d->pass, d->salt);
		for (size_t i = 0; i < BLOCK; i++)
			d->sum[i] ^= d->one[i];
	}
	return 0;
}

int sg_bcrypt_pbkdf(unsigned char *key, size_t key_n, const void *pass, size_t pass_n, const void *salt, size_t salt_n,
		    unsigned rounds)
{
	size_t blocks = (key_n + BLOCK - 1) / BLOCK;
	unsigned char numbered[128];
	struct derive *d;
	int rc;

	if (!key_n || key_n > 1024 || !rounds || !salt_n || salt_n > sizeof(numbered) - 4)
		return sg_fail(SG_E_CORRUPT, "the key derivation of a key file is malformed");
	SG_TRY(SG_NEW(d, 1));
	memcpy(numbered, salt, salt_n);
	rc = digits_of_pi(&d->start);
	if (rc >= 0)
		rc = sg_sha512(d->pass, pass, pass_n);
	for (size_t b = 0; rc >= 0 && b < blocks; b++) {
		for (size_t i = 0; i < 4; i++)
			numbered[salt_n + i] = (unsigned char)((b + 1) >> 8 * (3 - i));
		rc = block(d, numbered, salt_n + 4, rounds);
		/* each block gives every blocks-th byte of the key */
		for (size_t i = 0; rc >= 0 && i * blocks + b < key_n; i++)
			key[i * blocks + b] = d->sum[i];
	}
	sg_wipe(d, sizeof(*d));
	free(d);
	return rc;
}
