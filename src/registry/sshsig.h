#ifndef SG_REGISTRY_SSHSIG_H
#define SG_REGISTRY_SSHSIG_H
#include "registry/sshkey.h"
SG_C_BEGIN
/*
 * Signatures in OpenSSH's format (PROTOCOL.sshsig), which git stores in commits and
 * tags: what is signed is a hash of the content together with a namespace, so that a
 * signature of one kind of thing is none of another.
 */
#define SG_SIG_GIT      "git"		/* commits and tags, as stock git has it */
#define SG_SIG_RECEIPT  "sg-receipt"
#define SG_SIG_APPROVAL "sg-approval"
#define SG_SIG_BEGIN "-----BEGIN SSH SIGNATURE-----"
#define SG_SIG_END   "-----END SSH SIGNATURE-----"
#define SG_SIG_MAX ((size_t)16 << 10)	/* bytes of one that is read */

/* The bytes that the key has to sign. */
int sg_sshsig_message(struct sg_buf *out, const char *name_space, const void *data, size_t n);
/* The armoured signature, a line feed at its end, from those 64 bytes. */
int sg_sshsig_make(struct sg_buf *out, const struct sg_pubkey *by, const char *name_space,
		   const unsigned char sig[SG_ED25519_SIG]);
/*
 * Is `armour` (bytes around it that are white space do not count) a signature of the
 * data, and by which key? *by is written also when it is not (REFUSED), as far as it
 * was read. CORRUPT: it is none. UNSUPPORTED: of another kind: PGP, X.509, another key.
 */
int sg_sshsig_check(struct sg_pubkey *by, const char *armour, size_t armour_n, const char *name_space, const void *data,
		    size_t n);
SG_C_END
#endif
