#ifndef SG_REGISTRY_PAYLOAD_H
#define SG_REGISTRY_PAYLOAD_H
#include "base/hash.h"
#include "registry/tree.h"
SG_C_BEGIN
/*
 * A tensor's bytes as a folder of chunk blobs "0000", "0001", ... The size of a
 * chunk follows from the tensor's size alone, so equal tensors are stored once
 * wherever they appear. An empty tensor is one empty chunk.
 */

/* width: bytes of an element, for the byte shuffle. */
int sg_payload_write(struct sg_packer *p, struct sg_tree *t, const char *folder, const void *data,
		     size_t n, unsigned width);
/* Exactly n bytes into out, and their SHA-256 must be `sha256` (64 hex digits;
 * NULL: not checked). Wrong bytes, a missing or a surplus chunk is CORRUPT. */
int sg_payload_read(void *out, size_t n, struct sg_registry *r, const struct sg_oid *at,
		    const char *folder, const char *sha256);
SG_C_END
#endif
