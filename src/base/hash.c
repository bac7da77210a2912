#include "base/hash.h"
#include "base/error.h"
#include <openssl/evp.h>

static int init(struct sg_hash *h, const EVP_MD *md)
{
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || !EVP_DigestInit_ex(h->ctx, md, NULL)) {
		sg_hash_release(h);
		return sg_fail(SG_E_ERROR, "cannot start a digest");
	}
	return 0;
}

int sg_sha256_init(struct sg_hash *h)
{
	return init(h, EVP_sha256());
}

int sg_sha1_init(struct sg_hash *h)
{
	return init(h, EVP_sha1());
}

int sg_hash_update(struct sg_hash *h, const void *data, size_t n)
{
	if (n && !EVP_DigestUpdate(h->ctx, data, n))
		return sg_fail(SG_E_ERROR, "cannot compute a digest");
	return 0;
}

int sg_hash_final(struct sg_hash *h, unsigned char *out)
{
	int ok = EVP_DigestFinal_ex(h->ctx, out, NULL);

	sg_hash_release(h);
	return ok ? 0 : sg_fail(SG_E_ERROR, "cannot finish a digest");
}

void sg_hash_release(struct sg_hash *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

int sg_sha256(unsigned char out[SG_SHA256_LEN], const void *data, size_t n)
{
	struct sg_hash h = { 0 };
	int rc;

	SG_TRY(sg_sha256_init(&h));
	rc = sg_hash_update(&h, data, n);
	if (rc >= 0)
		rc = sg_hash_final(&h, out);
	sg_hash_release(&h);
	return rc;
}

int sg_sha256_hex(char out[SG_SHA256_HEX], const void *data, size_t n)
{
	unsigned char raw[SG_SHA256_LEN];

	SG_TRY(sg_sha256(raw, data, n));
	sg_hex(out, raw, sizeof(raw));
	return 0;
}

void sg_hex(char *out, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sg_unhex(void *out, const char *hex, size_t n)
{
	unsigned char *p = out;

	for (size_t i = 0; i < n; i++) {
		int hi = nibble(hex[2 * i]), lo = hi < 0 ? -1 : nibble(hex[2 * i + 1]);

		if (lo < 0)
			return false;
		p[i] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}

bool sg_is_sha256(const char *s)
{
	unsigned char raw[SG_SHA256_LEN];

	return sg_unhex(raw, s, sizeof(raw)) && s[2 * SG_SHA256_LEN] == '\0';
}

const char *sg_hash_library(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
