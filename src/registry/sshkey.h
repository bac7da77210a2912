#ifndef SG_REGISTRY_SSHKEY_H
#define SG_REGISTRY_SSHKEY_H
#include "base/base.h"
#include "registry/sign.h"
#include "registry/sshwire.h"
SG_C_BEGIN
/*
 * Keys as OpenSSH has them, of type ssh-ed25519 and no other: UNSUPPORTED names what
 * else was found. No message holds a byte of a key or of a passphrase.
 */
#define SG_PUBKEY_TEXT 81	/* "ssh-ed25519 AAAA..." and the NUL */
#define SG_PUBKEY_PRINT 51	/* "SHA256:..." and the NUL */
#define SG_KEYFILE_MAX ((size_t)64 << 10)

struct sg_pubkey { unsigned char key[SG_ED25519_KEY]; };

static inline bool sg_pubkey_eq(const struct sg_pubkey *a, const struct sg_pubkey *b)
{
	return !memcmp(a->key, b->key, sizeof(a->key));
}
/* "ssh-ed25519 AAAA... [comment]", as in a .pub file; `what` names it in messages. */
int sg_pubkey_parse(struct sg_pubkey *out, const char *text, size_t n, const char *what);
int sg_pubkey_text(char out[SG_PUBKEY_TEXT], const struct sg_pubkey *k);
/* Fingerprint as ssh-keygen -l shows it. */
int sg_pubkey_print(char out[SG_PUBKEY_PRINT], const struct sg_pubkey *k);
/* The binary form, from and to. */
int sg_pubkey_blob(struct sg_buf *out, const struct sg_pubkey *k);
int sg_pubkey_of_blob(struct sg_pubkey *out, struct sg_ssh_text blob, const char *what);

struct sg_privkey { unsigned char seed[SG_ED25519_KEY]; struct sg_pubkey pub; };

/*
 * A private key file, "-----BEGIN OPENSSH PRIVATE KEY-----". With no passphrase (NULL)
 * an encrypted one gives 1 and only out->pub, which such files hold in the clear.
 * REFUSED: the passphrase is wrong.
 */
int sg_privkey_parse(struct sg_privkey *out, const char *text, size_t n, const char *passphrase, const char *what);
void sg_privkey_wipe(struct sg_privkey *k);
SG_C_END
#endif
