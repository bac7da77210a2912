#ifndef SG_REGISTRY_SIGNER_H
#define SG_REGISTRY_SIGNER_H
#include "registry/sshsig.h"
SG_C_BEGIN
/*
 * Who signs what is made in a registry: git's own configuration (gpg.format = ssh,
 * user.signingKey, commit.gpgSign, tag.gpgSign), over which a command's word goes.
 */
struct sg_registry;

/* Asks a person for a passphrase: fills out (n bytes, NUL ended) and returns 0, or fails. */
struct sg_ask { int (*fn)(void *arg, char *out, size_t n, const char *prompt); void *arg; };

enum sg_sign_mode { SG_SIGN_CONFIG, SG_SIGN_YES, SG_SIGN_NO };
/* key: instead of user.signingKey, or NULL; ask: NULL: an encrypted key cannot be used.
 * Both are copied. */
int sg_signing_set(struct sg_registry *r, enum sg_sign_mode mode, const char *key, const struct sg_ask *ask);

/* Are commits (or tags: "tag.gpgSign") of this registry to be signed? 1, 0. */
int sg_signing_wanted(struct sg_registry *r, const char *config);
/* Is a key named at all? */
bool sg_signing_possible(struct sg_registry *r);
/* The armoured signature, added to *out. The key is opened the first time, a passphrase
 * asked for once. NOTFOUND: no key is configured, or it is not there. */
int sg_signing_sign(struct sg_buf *out, struct sg_registry *r, const char *name_space, const void *data, size_t n);
/* The key that would sign. */
int sg_signing_key(struct sg_pubkey *out, struct sg_registry *r);
/* A path as git's configuration has it: "~/x" and "~name/x" are homes. Yours. */
int sg_config_path(char **out, const char *value);
SG_C_END
#endif
