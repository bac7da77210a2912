#ifndef SG_REGISTRY_SIGNERS_H
#define SG_REGISTRY_SIGNERS_H
#include "registry/sshkey.h"
SG_C_BEGIN
/*
 * The file of allowed signers (ssh-keygen(1), gpg.ssh.allowedSignersFile): whose key is
 * whose. Keys of other types are passed over. A certificate authority is kept but never
 * answers: certificates are not followed.
 */
#define SG_ALLOWED_MAX ((size_t)1 << 20)

struct sg_allowed {
	char *principals;		/* as written: a comma separated list, may hold patterns */
	char *namespaces;		/* patterns; NULL: any */
	int64_t after, before;		/* seconds since 1970; INT64_MIN, INT64_MAX: none */
	bool authority;
	struct sg_pubkey key;
	unsigned line;
};
struct sg_allowed_list { struct sg_allowed *signer; size_t n, cap; };

/* CORRUPT names the line. *out is written on success only. */
int sg_allowed_parse(struct sg_allowed_list *out, const char *data, size_t n, const char *what);
void sg_allowed_release(struct sg_allowed_list *l);
/* Whose is the key, for this namespace at this time? NULL: nobody's. why: a sentence
 * when a line has the key and yet does not count, else NULL; may be NULL. */
const struct sg_allowed *sg_allowed_find(const struct sg_allowed_list *l, const struct sg_pubkey *key,
					 const char *name_space, int64_t time, const char **why);
/* OpenSSH's pattern list: commas between, * and ?, ! before one that must not match. */
bool sg_pattern_list(const char *list, const char *name);
SG_C_END
#endif
