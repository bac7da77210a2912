#include "registry/payload.h"
#include "registry/impl.h"
#include "format/chunk.h"

#define LEVEL 1		/* higher ones are slower and no smaller on shuffled weights */
#define SLACK 64	/* a chunk blob is at most its raw bytes and a header */

static size_t count(size_t n, size_t chunk)
{
	return n ? (n - 1) / chunk + 1 : 1;
}

int sg_payload_write(struct sg_packer *p, struct sg_tree *t, const char *folder, const void *data,
		     size_t n, unsigned width)
{
	size_t chunk = sg_chunk_size(n), many = count(n, chunk);
	struct sg_buf b = { 0 };
	char *path = NULL;
	int codec, rc = 0;

	/* One codec for the whole tensor: its parts are alike. */
	SG_TRY(codec = sg_chunk_pick(data, SG_MIN(chunk, n), width, LEVEL));
	for (size_t i = 0; rc >= 0 && i < many; i++) {
		size_t at = i * chunk, part = SG_MIN(chunk, n - at);

		sg_buf_clear(&b);
		rc = sg_chunk_encode_as(&b, (enum sg_chunk_codec)codec, (const char *)data + at, part, width, LEVEL);
		path = sg_asprintf("%s/%04zu", folder, i);
		if (rc >= 0 && !path)
			rc = -SG_E_NOMEM;
		if (rc >= 0)
			rc = sg_tree_put_data(t, p, path, b.data, b.len);
		free(path);
	}
	sg_buf_release(&b);
	return rc;
}

static int read_chunk(void *out, size_t n, struct sg_registry *r, const struct sg_oid *oid, const char *what)
{
	git_odb_object *o = NULL;
	enum sg_object_type type;
	size_t size;
	int rc;

	SG_TRY(sg_object_stat(&type, &size, r, oid));
	if (type != SG_OBJ_BLOB || size > n + SLACK)
		return sg_fail(SG_E_CORRUPT, "'%s' is no chunk of %zu bytes", what, n);
	rc = git_odb_read(&o, r->odb, sg_git_oid(oid));
	if (rc < 0)
		return sg_git_fail(rc, "cannot read '%s'", what);
	rc = sg_chunk_decode(out, n, git_odb_object_data(o), git_odb_object_size(o), what);
	git_odb_object_free(o);
	return rc;
}

/* Entries are in git's order, which is that of the numbers up to 9999 only. */
static const struct sg_tree_entry *numbered(const struct sg_tree_list *l, size_t i)
{
	char name[32];

	snprintf(name, sizeof(name), "%04zu", i);
	if (!strcmp(l->entry[i].name, name))
		return &l->entry[i];
	for (size_t k = 0; l->n > 9999 && k < l->n; k++)
		if (!strcmp(l->entry[k].name, name))
			return &l->entry[k];
	return NULL;
}

int sg_payload_read(void *out, size_t n, struct sg_registry *r, const struct sg_oid *at,
		    const char *folder, const char *sha256)
{
	size_t chunk = sg_chunk_size(n), many = count(n, chunk);
	struct sg_tree_list l = { 0 };
	char sum[SG_SHA256_HEX], what[512];
	int rc;

	SG_TRY(sg_tree_list(&l, r, at, folder));
	if (l.n != many)
		rc = sg_fail(SG_E_CORRUPT, "'%s' has %zu chunks, %zu bytes need %zu", folder, l.n, n, many);
	else
		rc = 0;
	for (size_t i = 0; rc >= 0 && i < many; i++) {
		const struct sg_tree_entry *e = numbered(&l, i);

		snprintf(what, sizeof(what), "%s/%04zu", folder, i);
		rc = e ? read_chunk((char *)out + i * chunk, SG_MIN(chunk, n - i * chunk), r, &e->oid, what) :
			 sg_fail(SG_E_CORRUPT, "'%s' is missing", what);
	}
	if (rc >= 0 && sha256) {
		rc = sg_sha256_hex(sum, out, n);
		if (rc >= 0 && strcmp(sum, sha256))
			rc = sg_fail(SG_E_CORRUPT, "'%s' does not have the SHA-256 that names it", folder);
	}
	sg_tree_list_release(&l);
	return SG_MIN(rc, 0);
}
