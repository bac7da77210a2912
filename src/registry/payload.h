#ifndef SG_REGISTRY_PAYLOAD_H
#define SG_REGISTRY_PAYLOAD_H
#include "base/hash.h"
#include "registry/tree.h"
SG_C_BEGIN
/*
 * A tensor's bytes as a folder of chunk blobs "0000", "0001", ... The size of a
 * chunk follows from the tensor's size alone, so equal tensors are stored once
 * wherever they appear. An empty tensor is one empty chunk.
 *
 * Chunks are worked on by several threads and written in their order, so the bytes do
 * not depend on how many there are; a few chunks are in memory at a time, whatever
 * the tensor's size. Configuration: sg.compression (zstd's level, 0 none, 1 unless
 * set), sg.threads (0 or not set: as many as there are processors, at most 16).
 */

/* How to write; readers need none of it. */
struct sg_payload_how {
	int level;		/* 0: raw */
	unsigned threads;	/* 1: the caller's alone */
	size_t chunk;		/* bytes of a chunk; 0: sg_chunk_size. For tests and other tools. */
};
/* What the registry is configured for; USAGE names a key whose value makes no sense. */
int sg_payload_config(struct sg_payload_how *out, struct sg_registry *r);

/* Fills exactly n bytes of a tensor from byte `at` on. Called in order. */
typedef int sg_payload_read_fn(void *arg, void *out, size_t n, uint64_t at);

/* width: bytes of an element, for the byte shuffle. */
int sg_payload_write(struct sg_packer *p, struct sg_tree *t, const char *folder, const void *data,
		     size_t n, unsigned width);
/* The same from a stream; sha256 (may be NULL) gets the digest of the bytes. how NULL:
 * as configured. */
int sg_payload_write_from(char sha256[SG_SHA256_HEX], struct sg_packer *p, struct sg_tree *t, const char *folder,
			  sg_payload_read_fn *read, void *arg, size_t n, unsigned width,
			  const struct sg_payload_how *how);

/* Exactly n bytes into out, and their SHA-256 must be `sha256` (64 hex digits;
 * NULL: not checked). Wrong bytes, a missing or a surplus chunk is CORRUPT. */
int sg_payload_read(void *out, size_t n, struct sg_registry *r, const struct sg_oid *at,
		    const char *folder, const char *sha256);
/* The same piece by piece, in order, to fn (may be NULL: only check). What fn saw is
 * proven only once this returned 0. */
int sg_payload_read_to(int (*fn)(void *arg, const void *data, size_t n), void *arg, size_t n, struct sg_registry *r,
		       const struct sg_oid *at, const char *folder, const char *sha256);
SG_C_END
#endif
