#ifndef SG_REGISTRY_PACKER_H
#define SG_REGISTRY_PACKER_H
#include "base/buf.h"
#include "registry/object.h"
SG_C_BEGIN
/*
 * Many objects as one pack file and its index, written by us: zlib streams of
 * stored blocks, no compression and no delta search, memory of one object.
 *
 *	sg_packer_open(&p, r);
 *	sg_payload_write(p, tree, ...); sg_tree_write(&t, tree, p);
 *	sg_commit_make(&c, r, p, ...);
 *	sg_packer_commit(p);		objects become visible, synced
 *	sg_ref_set(r, ref, &c, &old, ...);
 *	sg_packer_free(p);
 *
 * Before commit nothing is visible and a crash leaves a temporary that the next
 * open of the registry removes. Between commit and free a .keep file guards the
 * pack against a gc that finds nothing pointing at it yet, so free comes after
 * the ref. While a packer is open the registry's lock is held shared.
 */
struct sg_packer;

int sg_packer_open(struct sg_packer **out, struct sg_registry *r);
/* An object that is in the registry or in this pack is not written again. */
int sg_packer_add(struct sg_oid *out, struct sg_packer *p, enum sg_object_type type,
		  const void *data, size_t n);
/* The two halves of it: prepare touches nothing but *out (its buffer is used again), so
 * any thread may do it; add_packed then only looks and writes. */
struct sg_packed { struct sg_oid oid; enum sg_object_type type; size_t size; uint32_t crc; struct sg_buf entry; };
int sg_packer_prepare(struct sg_packed *out, enum sg_object_type type, const void *data, size_t n);
int sg_packer_add_packed(struct sg_oid *out, struct sg_packer *p, const struct sg_packed *e);
/* Was this id added (and not skipped as existing)? */
bool sg_packer_has(const struct sg_packer *p, const struct sg_oid *oid);
/* Closes the pack. An empty one writes nothing. After a failure only free. */
int sg_packer_commit(struct sg_packer *p);
/* Without commit: everything written is removed. NULL is fine. */
void sg_packer_free(struct sg_packer *p);
/* Objects and bytes that went (or will go) to disk so far. */
size_t sg_packer_count(const struct sg_packer *p);
uint64_t sg_packer_bytes(const struct sg_packer *p);
struct sg_registry *sg_packer_registry(const struct sg_packer *p);
SG_C_END
#endif
