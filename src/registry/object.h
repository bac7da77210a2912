#ifndef SG_REGISTRY_OBJECT_H
#define SG_REGISTRY_OBJECT_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * Objects of the git repository by their git id. The id addresses storage and
 * nothing else: names that last are SHA-256 and made above this layer.
 */
struct sg_registry;

struct sg_oid { unsigned char id[20]; };
#define SG_OID_HEX 41			/* 40 digits and the NUL */

enum sg_object_type { SG_OBJ_COMMIT = 1, SG_OBJ_TREE = 2, SG_OBJ_BLOB = 3, SG_OBJ_TAG = 4 };

void sg_oid_hex(char out[SG_OID_HEX], const struct sg_oid *oid);
/* Exactly 40 lower-case hex digits; false on anything else. */
bool sg_oid_parse(struct sg_oid *out, const char *hex);
/* The zero id stands for "no object": a ref that must not exist, a deletion. */
bool sg_oid_is_zero(const struct sg_oid *oid);
static inline bool sg_oid_eq(const struct sg_oid *a, const struct sg_oid *b)
{
	return !memcmp(a->id, b->id, sizeof(a->id));
}
const char *sg_object_type_name(enum sg_object_type type);

bool sg_object_exists(struct sg_registry *r, const struct sg_oid *oid);
/* Type and size without reading the content. Either out may be NULL. */
int sg_object_stat(enum sg_object_type *type, size_t *size, struct sg_registry *r,
		   const struct sg_oid *oid);
/* Whole content into out (cleared first); larger than max is CORRUPT, absent is
 * NOTFOUND. type may be NULL. Nothing is hashed: see sg_fsck. */
int sg_object_read(struct sg_buf *out, enum sg_object_type *type, struct sg_registry *r,
		   const struct sg_oid *oid, size_t max);
/* One loose object, synced. Right for a few small ones; tensors and whole
 * operations go through a packer. */
int sg_object_write(struct sg_oid *out, struct sg_registry *r, enum sg_object_type type,
		    const void *data, size_t n);
/* The same for blobs; read refuses other types with CORRUPT. */
int sg_blob_read(struct sg_buf *out, struct sg_registry *r, const struct sg_oid *oid, size_t max);
int sg_blob_write(struct sg_oid *out, struct sg_registry *r, const void *data, size_t n);
SG_C_END
#endif
