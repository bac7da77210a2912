#include "registry/object.h"
#include "registry/impl.h"
#include "base/hash.h"

void sg_oid_hex(char out[SG_OID_HEX], const struct sg_oid *oid)
{
	sg_hex(out, oid->id, sizeof(oid->id));
}

bool sg_oid_parse(struct sg_oid *out, const char *hex)
{
	struct sg_oid o;

	if (strnlen(hex, SG_OID_HEX) != SG_OID_HEX - 1 || !sg_unhex(o.id, hex, sizeof(o.id)))
		return false;
	*out = o;
	return true;
}

bool sg_oid_is_zero(const struct sg_oid *oid)
{
	static const struct sg_oid zero;

	return sg_oid_eq(oid, &zero);
}

const char *sg_object_type_name(enum sg_object_type type)
{
	static const char *const name[] = { "nothing", "commit", "tree", "blob", "tag" };

	return (unsigned)type < SG_LEN(name) ? name[type] : "unknown";
}

bool sg_object_exists(struct sg_registry *r, const struct sg_oid *oid)
{
	return git_odb_exists(r->odb, sg_git_oid(oid)) == 1;
}

static int read_fail(int rc, const struct sg_oid *oid)
{
	char hex[SG_OID_HEX];

	sg_oid_hex(hex, oid);
	if (rc == GIT_ENOTFOUND)
		return sg_fail(SG_E_NOTFOUND, "object %s is not in the registry", hex);
	rc = sg_git_fail(rc, "cannot read object %s", hex);
	return rc == -SG_E_ERROR ? -SG_E_CORRUPT : rc;
}

int sg_object_stat(enum sg_object_type *type, size_t *size, struct sg_registry *r,
		   const struct sg_oid *oid)
{
	git_object_t t;
	size_t n;
	int rc = git_odb_read_header(&n, &t, r->odb, sg_git_oid(oid));

	if (rc < 0)
		return read_fail(rc, oid);
	if (type)
		*type = (enum sg_object_type)t;
	if (size)
		*size = n;
	return 0;
}

int sg_object_read(struct sg_buf *out, enum sg_object_type *type, struct sg_registry *r,
		   const struct sg_oid *oid, size_t max)
{
	char hex[SG_OID_HEX];
	git_odb_object *o = NULL;
	size_t n = 0;
	int rc;

	SG_TRY(sg_object_stat(type, &n, r, oid));
	if (n > max) {
		sg_oid_hex(hex, oid);
		return sg_fail(SG_E_CORRUPT, "object %s has %zu bytes where at most %zu make sense", hex, n, max);
	}
	rc = git_odb_read(&o, r->odb, sg_git_oid(oid));
	if (rc < 0)
		return read_fail(rc, oid);
	sg_buf_clear(out);
	rc = sg_buf_add(out, git_odb_object_data(o), git_odb_object_size(o));
	git_odb_object_free(o);
	return rc;
}

int sg_object_write(struct sg_oid *out, struct sg_registry *r, enum sg_object_type type,
		    const void *data, size_t n)
{
	git_oid oid;
	int rc;

	SG_TRY(sg_lock(r));
	rc = git_odb_write(&oid, r->odb, data, n, (git_object_t)type);
	sg_unlock(r);
	if (rc < 0)
		return sg_git_fail(rc, "cannot write a %s", sg_object_type_name(type));
	memcpy(out->id, oid.id, sizeof(out->id));
	return 0;
}

int sg_blob_read(struct sg_buf *out, struct sg_registry *r, const struct sg_oid *oid, size_t max)
{
	enum sg_object_type type;
	char hex[SG_OID_HEX];

	SG_TRY(sg_object_read(out, &type, r, oid, max));
	if (type == SG_OBJ_BLOB)
		return 0;
	sg_oid_hex(hex, oid);
	return sg_fail(SG_E_CORRUPT, "object %s is a %s where a file was expected", hex,
		       sg_object_type_name(type));
}

int sg_blob_write(struct sg_oid *out, struct sg_registry *r, const void *data, size_t n)
{
	return sg_object_write(out, r, SG_OBJ_BLOB, data, n);
}
