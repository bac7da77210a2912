#ifndef SG_BASE_HASH_H
#define SG_BASE_HASH_H
#include "base/base.h"
SG_C_BEGIN
/* SHA-256 names everything that `sg` owns; SHA-1 exists only because git's
 * packs are named and closed by it. The one user of OpenSSL's digests. */
#define SG_SHA256_LEN 32
#define SG_SHA256_HEX 65	/* 64 digits and the NUL */
#define SG_SHA1_LEN   20

struct sg_hash { void *ctx; };	/* a digest being computed */

int sg_sha256_init(struct sg_hash *h);
int sg_sha1_init(struct sg_hash *h);
int sg_hash_update(struct sg_hash *h, const void *data, size_t n);
/* out has the digest's length; the state is released. */
int sg_hash_final(struct sg_hash *h, unsigned char *out);
void sg_hash_release(struct sg_hash *h);

int sg_sha256(unsigned char out[SG_SHA256_LEN], const void *data, size_t n);
int sg_sha256_hex(char out[SG_SHA256_HEX], const void *data, size_t n);
/* Lower-case hex of n bytes and a NUL: out has room for 2n + 1. */
void sg_hex(char *out, const void *data, size_t n);
/* The reverse: n bytes from 2n lower-case digits; false on anything else. */
bool sg_unhex(void *out, const char *hex, size_t n);
/* Is s exactly 64 lower-case hex digits? */
bool sg_is_sha256(const char *s);
/* The library that computes them, at run time: "OpenSSL 3.0.1 ...". */
const char *sg_hash_library(void);
SG_C_END
#endif
