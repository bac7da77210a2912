#ifndef SG_REGISTRY_SIGN_H
#define SG_REGISTRY_SIGN_H
#include "base/base.h"
SG_C_BEGIN
/*
 * The cryptography that signatures stand on, from OpenSSL: ed25519, SHA-512 and the
 * cipher of encrypted key files. Nothing here knows a format: see sshkey.h, sshsig.h.
 */
#define SG_ED25519_KEY 32	/* bytes of a public key and of a secret seed */
#define SG_ED25519_SIG 64
#define SG_SHA512_LEN 64

int sg_ed25519_public(unsigned char pub[SG_ED25519_KEY], const unsigned char seed[SG_ED25519_KEY]);
int sg_ed25519_sign(unsigned char sig[SG_ED25519_SIG], const unsigned char seed[SG_ED25519_KEY], const void *data, size_t n);
/* 0: it is; REFUSED: it is not. */
int sg_ed25519_check(const unsigned char pub[SG_ED25519_KEY], const unsigned char *sig, const void *data, size_t n);
int sg_sha512(unsigned char out[SG_SHA512_LEN], const void *data, size_t n);
/* n bytes in place: "aes256-ctr" or "aes256-cbc"; UNSUPPORTED names another cipher. */
int sg_key_decrypt(void *data, size_t n, const char *cipher, const unsigned char key[32], const unsigned char iv[16]);
/* Overwrites a secret; the compiler may not leave it out. NULL is fine. */
void sg_wipe(void *p, size_t n);

/*
 * bcrypt_pbkdf.c: the key that a passphrase gives, as OpenSSH derives it (bcrypt over
 * SHA-512 inside PBKDF2, the output bytes dealt out over the blocks). key_n is at most
 * 1024, rounds at least 1.
 */
int sg_bcrypt_pbkdf(unsigned char *key, size_t key_n, const void *pass, size_t pass_n, const void *salt, size_t salt_n,
		    unsigned rounds);
SG_C_END
#endif
