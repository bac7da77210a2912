#include "registry/wire.h"
#include "registry/commit.h"
#include "registry/registry.h"

/*
 * A connection that is cut loses what was under way. So a push with more than a
 * part's worth of contents sends them first, part by part, each under a ref of its
 * own: refs/sg-part/<id> is a commit whose folder has the blobs by their names. Who
 * starts again sees these refs, knows the commits, and leaves their blobs out; when
 * all is there the refs that were to be pushed move, and the parts' refs go.
 */
#define PART ((int64_t)64 << 20)
#define PROBE ((size_t)1 << 20)		/* the first one */
#define FEW 100		/* git writes packs of fewer objects out as loose ones: no such rest */
#define PREFIX "refs/sg-part/"

int sg_parts_size(size_t *out, struct sg_registry *r)
{
	int64_t n = PART;
	char *s = NULL;
	int rc = sg_registry_config_get(&s, r, "sg.partsize");

	if (rc >= 0 && (git_config_parse_int64(&n, s) < 0 || n < 0))
		rc = sg_fail(SG_E_USAGE, "sg.partSize is '%.40s', not a number of bytes", s);
	else if (rc == -SG_E_NOTFOUND)
		rc = 0;
	free(s);
	*out = (size_t)n;
	return rc < 0 ? rc : 0;
}

static int add_folder(struct sg_parts *p, struct sg_registry *r, const struct sg_oid *commit)
{
	struct sg_buf raw = { 0 };
	struct sg_raw_entry e;
	struct sg_oid tree;
	const char *at;
	int rc = sg_tree_peel(&tree, r, commit);

	if (rc >= 0)
		rc = sg_object_read(&raw, NULL, r, &tree, SG_META_MAX);
	for (at = raw.data; rc >= 0 && (rc = sg_tree_next(&e, &at, raw.data + raw.len)) > 0; )
		rc = sg_oidmap_add(&p->there, &e.oid, 0);
	sg_buf_release(&raw);
	return rc;
}

int sg_parts_find(struct sg_parts *p, struct sg_registry *r, const struct sg_advert *ad)
{
	for (size_t i = 0; i < ad->refs.n; i++) {
		const struct sg_ref *ref = &ad->refs.ref[i];
		int rc;

		if (strncmp(ref->name, PREFIX, strlen(PREFIX)) || !sg_object_exists(r, &ref->oid))
			continue;	/* somebody else's, or so old that we forgot */
		rc = add_folder(p, r, &ref->oid);
		if (rc == -SG_E_NOTFOUND)
			continue;
		SG_TRY(rc);
		SG_TRY(SG_GROW(p->refs.ref, p->refs.n, p->refs.cap));
		p->refs.ref[p->refs.n].name = sg_strdup(ref->name);
		p->refs.ref[p->refs.n].oid = ref->oid;
		if (!p->refs.ref[p->refs.n++].name)
			return -SG_E_NOMEM;
	}
	return 0;
}

bool sg_parts_has(const struct sg_parts *p, const struct sg_oid *commit)
{
	for (size_t i = 0; i < p->refs.n; i++)
		if (sg_oid_eq(&p->refs.ref[i].oid, commit))
			return true;
	return false;
}

void sg_parts_drop(struct sg_oids *list, const struct sg_parts *p)
{
	size_t k = 0;

	for (size_t i = 0; i < list->n; i++)
		if (!sg_oidmap_get(&p->there, &list->oid[i], NULL))
			list->oid[k++] = list->oid[i];
	list->n = k;
}

static int by_name(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sg_oid));
}

/* Names in hex sort as the ids do. */
static int write_commit(struct sg_oid *out, struct sg_registry *r, struct sg_oids *blob)
{
	char hex[SG_OID_HEX];
	struct sg_buf b = { 0 };
	struct sg_oid tree;
	int rc = 0;

	qsort(blob->oid, blob->n, sizeof(*blob->oid), by_name);
	for (size_t i = 0; rc >= 0 && i < blob->n; i++) {
		sg_oid_hex(hex, &blob->oid[i]);
		rc = sg_buf_fmt(&b, "100644 %s", hex);
		if (rc >= 0)
			rc = sg_buf_add(&b, "", 1);
		if (rc >= 0)
			rc = sg_buf_add(&b, blob->oid[i].id, sizeof(blob->oid[i].id));
	}
	if (rc >= 0)
		rc = sg_object_write(&tree, r, SG_OBJ_TREE, b.data, b.len);
	sg_buf_clear(&b);
	if (rc >= 0) {
		sg_oid_hex(hex, &tree);
		rc = sg_buf_fmt(&b, "tree %s\nauthor sg <sg@localhost> 0 +0000\ncommitter sg <sg@localhost> 0 +0000\n\n"
				"part of a push\n", hex);
	}
	if (rc >= 0)
		rc = sg_object_write(out, r, SG_OBJ_COMMIT, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

/* Blobs from the front of the list, up to a part; 1 when others are left behind them. */
static int fill(struct sg_oids *blob, struct sg_registry *r, const struct sg_oids *list, size_t part)
{
	size_t taken = 0;

	for (size_t i = 0; i < list->n; i++) {
		enum sg_object_type type;
		size_t size;

		SG_TRY(sg_object_stat(&type, &size, r, &list->oid[i]));
		if (type != SG_OBJ_BLOB)
			continue;
		if (taken && (size > part || taken > part - size) && (blob->n < FEW || list->n - i >= FEW))
			return 1;
		SG_TRY(sg_oids_add(blob, &list->oid[i]));
		taken += size;
	}
	return 0;
}

int sg_parts_next(struct sg_oid *commit, char **ref, struct sg_registry *r, const struct sg_oids *list, size_t part,
		  bool first)
{
	struct sg_oids blob = { 0 };
	char hex[SG_OID_HEX];
	int rc, more = fill(&blob, r, list, part);

	if (more > 0 && first) {
		blob.n = 0;
		more = fill(&blob, r, list, SG_MIN(part, PROBE));
	}
	rc = more > 0 ? write_commit(commit, r, &blob) : more;
	free(blob.oid);
	if (rc < 0 || !more)
		return SG_MIN(rc, 0);
	sg_oid_hex(hex, commit);
	*ref = sg_asprintf(PREFIX "%.16s", hex);
	return *ref ? 1 : -SG_E_NOMEM;
}

void sg_parts_release(struct sg_parts *p)
{
	sg_oidmap_release(&p->there);
	sg_refs_release(&p->refs);
	*p = (struct sg_parts){ 0 };
}
