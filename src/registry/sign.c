#include "registry/sign.h"
#include "base/error.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>

/* What OpenSSL says of a failure may name nothing that is secret, but it says little
 * that helps either; ours are all of one kind. */
static int failed(const char *what)
{
	return sg_fail(SG_E_ERROR, "OpenSSL cannot %s", what);
}

int sg_ed25519_public(unsigned char pub[SG_ED25519_KEY], const unsigned char seed[SG_ED25519_KEY])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SG_ED25519_KEY);
	size_t n = SG_ED25519_KEY;
	bool ok = k && EVP_PKEY_get_raw_public_key(k, pub, &n) == 1 && n == SG_ED25519_KEY;

	EVP_PKEY_free(k);
	return ok ? 0 : failed("use an ed25519 key");
}

int sg_ed25519_sign(unsigned char sig[SG_ED25519_SIG], const unsigned char seed[SG_ED25519_KEY], const void *data, size_t n)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SG_ED25519_KEY);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = SG_ED25519_SIG;
	bool ok = k && c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 &&
		  EVP_DigestSign(c, sig, &len, data, n) == 1 && len == SG_ED25519_SIG;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok ? 0 : failed("sign");
}

int sg_ed25519_check(const unsigned char pub[SG_ED25519_KEY], const unsigned char *sig, const void *data, size_t n)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, SG_ED25519_KEY);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ready = k && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1;
	bool ok = ready && EVP_DigestVerify(c, sig, SG_ED25519_SIG, data, n) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	if (!ready)
		return failed("check an ed25519 signature");
	return ok ? 0 : sg_fail(SG_E_REFUSED, "the signature is not that of this content");
}

int sg_sha512(unsigned char out[SG_SHA512_LEN], const void *data, size_t n)
{
	return EVP_Digest(data, n, out, NULL, EVP_sha512(), NULL) == 1 ? 0 : failed("compute SHA-512");
}

int sg_key_decrypt(void *data, size_t n, const char *cipher, const unsigned char key[32], const unsigned char iv[16])
{
	const EVP_CIPHER *type = !strcmp(cipher, "aes256-ctr") ? EVP_aes_256_ctr() :
				 !strcmp(cipher, "aes256-cbc") ? EVP_aes_256_cbc() : NULL;
	EVP_CIPHER_CTX *c;
	int done = 0;
	bool ok;

	if (!type)
		return sg_fail(SG_E_UNSUPPORTED, "cipher '%.40s' of a key file is not known", cipher);
	if (n > INT_MAX || n % 16)
		return sg_fail(SG_E_CORRUPT, "the encrypted part of a key file is no whole number of blocks");
	c = EVP_CIPHER_CTX_new();
	ok = c && EVP_DecryptInit_ex(c, type, NULL, key, iv) == 1 && EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
	     EVP_DecryptUpdate(c, data, &done, data, (int)n) == 1 && (size_t)done == n;
	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : failed("decrypt a key");
}

void sg_wipe(void *p, size_t n)
{
	if (p)
		OPENSSL_cleanse(p, n);
}
