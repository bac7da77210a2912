#include "registry/maint.h"
#include "registry/commit.h"
#include "registry/impl.h"
#include "registry/ref.h"
#include "base/file.h"
#include "base/hash.h"

struct check {
	struct sg_registry *r;
	void (*fn)(void *arg, const char *kind, const char *object, const char *text);
	void *arg;
	const struct sg_progress *progress;
	int problems;
	struct sg_oids all;		/* every object there is */
	struct sg_oidmap bad;		/* those already complained about */
	int rc;
};

static void complain(struct check *c, const char *kind, const char *object, const char *text)
{
	c->problems++;
	if (c->fn)
		c->fn(c->arg, kind, object, text);
}

static void complain_oid(struct check *c, const char *kind, const struct sg_oid *oid, const char *text)
{
	char hex[SG_OID_HEX];

	if (sg_oidmap_add(&c->bad, oid, 0) <= 0)
		return;
	sg_oid_hex(hex, oid);
	complain(c, kind, hex, text);
}

/* ---- packs ---- */

/* The file ends in the SHA-1 of all before it. */
static int check_sum(struct check *c, const char *path, const char *name, const char *magic, size_t least,
		     unsigned char sum[SG_SHA1_LEN])
{
	struct sg_map m = { 0 };
	struct sg_hash h = { 0 };
	int rc = sg_map_open(&m, path);

	if (rc < 0) {
		complain(c, "pack", name, sg_error_message());
		return 0;
	}
	if (m.size < least || memcmp(m.data, magic, 4)) {
		complain(c, "pack", name, "it is no such file");
		sg_map_release(&m);
		return 0;
	}
	rc = sg_sha1_init(&h);
	if (rc >= 0)
		rc = sg_hash_update(&h, m.data, m.size - SG_SHA1_LEN);
	if (rc >= 0)
		rc = sg_hash_final(&h, sum);
	sg_hash_release(&h);
	if (rc >= 0 && memcmp(sum, m.data + m.size - SG_SHA1_LEN, SG_SHA1_LEN)) {
		complain(c, "pack", name, "its checksum is wrong");
	} else if (rc >= 0) {
		/* an index repeats its pack's */
		if (magic[0] != 'P')
			memcpy(sum, m.data + m.size - 2 * SG_SHA1_LEN, SG_SHA1_LEN);
		rc = 1;
	}
	sg_map_release(&m);
	return rc;
}

static int check_pack(struct check *c, const char *dir, const char *idx)
{
	unsigned char a[SG_SHA1_LEN], b[SG_SHA1_LEN];
	char *index = sg_path_join(dir, idx), *pack = sg_asprintf("%s/%.*spack", dir, (int)strlen(idx) - 3, idx);
	int rc = index && pack ? check_sum(c, index, idx, "\377tOc", 8 + 1024 + 40, a) : -SG_E_NOMEM;

	if (rc > 0) {
		rc = check_sum(c, pack, idx, "PACK", 12 + 20, b);
		if (rc > 0 && memcmp(a, b, sizeof(a)))
			complain(c, "pack", idx, "the index belongs to another pack");
	}
	free(index);
	free(pack);
	return SG_MIN(rc, 0);
}

static int check_packs(struct check *c)
{
	char *dir = sg_path_join(c->r->git_dir, "objects/pack");
	struct sg_names l = { 0 };
	int rc = dir ? sg_dir_list(&l, dir) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		size_t n = strlen(l.name[i]);

		if (sg_progress(c->progress, "checking packs", i, l.n, NULL))
			rc = sg_fail(SG_E_INTERRUPTED, "check stopped");
		else if (n > 4 && !strcmp(l.name[i] + n - 4, ".idx"))
			rc = check_pack(c, dir, l.name[i]);
	}
	sg_names_release(&l);
	free(dir);
	return rc;
}

/* ---- objects ---- */

static int on_object(const git_oid *id, void *arg)
{
	struct check *c = arg;
	struct sg_oid oid;

	memcpy(oid.id, id->id, sizeof(oid.id));
	c->rc = sg_oids_add(&c->all, &oid);
	return c->rc;
}

static int check_content(struct check *c, const struct sg_oid *oid, enum sg_object_type type,
			  const char *data, size_t n)
{
	struct sg_commit commit = { 0 };
	struct sg_raw_entry e;
	struct sg_oid target;
	const char *p = data;
	int rc = 0;

	if (type == SG_OBJ_COMMIT) {
		rc = sg_commit_parse(&commit, oid, data, n);
		sg_commit_release(&commit);
	} else if (type == SG_OBJ_TAG) {
		rc = sg_tag_target(&target, oid, data, n);
	} else if (type == SG_OBJ_TREE) {
		while ((rc = sg_tree_next(&e, &p, data + n)) > 0)
			;
	}
	if (rc == -SG_E_NOMEM)
		return rc;
	if (rc < 0)
		complain_oid(c, "parse", oid, sg_error_message());
	return 0;
}

static int check_object(struct check *c, const struct sg_oid *oid)
{
	git_odb_object *o = NULL;
	enum sg_object_type type;
	struct sg_oid sum;
	const char *data;
	size_t n;
	int rc = git_odb_read(&o, c->r->odb, sg_git_oid(oid));

	if (rc < 0) {
		sg_git_fail(rc, "cannot be read");
		complain_oid(c, "hash", oid, sg_error_message());
		return 0;
	}
	type = (enum sg_object_type)git_odb_object_type(o);
	data = git_odb_object_data(o);
	n = git_odb_object_size(o);
	rc = sg_object_id(&sum, type, data, n);
	if (rc >= 0 && !sg_oid_eq(&sum, oid))
		complain_oid(c, "hash", oid, "its content is not what its name says");
	else if (rc >= 0)
		rc = check_content(c, oid, type, data, n);
	git_odb_object_free(o);
	return rc;
}

static int check_objects(struct check *c)
{
	int rc = git_odb_foreach(c->r->odb, on_object, c);

	if (c->rc < 0)
		return c->rc;
	if (rc < 0)
		complain(c, "pack", "objects", "the list of objects cannot be read");
	for (size_t i = 0; i < c->all.n; i++) {
		if (!(i & 63) && sg_progress(c->progress, "checking objects", i, c->all.n, NULL))
			return sg_fail(SG_E_INTERRUPTED, "check stopped");
		SG_TRY(check_object(c, &c->all.oid[i]));
	}
	return 0;
}

/* ---- connectivity ---- */

static int missing(void *arg, const struct sg_oid *oid, int rc)
{
	complain_oid(arg, rc == -SG_E_NOTFOUND ? "missing" : "hash", oid, sg_error_message());
	return 0;
}

static int check_refs(struct check *c)
{
	struct sg_refs l = { 0 };
	struct sg_oidmap seen = { 0 };
	struct sg_oids tips = { 0 };
	int rc = sg_ref_list(&l, c->r, "");

	if (rc < 0) {
		complain(c, "ref", "refs", sg_error_message());
		return rc == -SG_E_NOMEM ? rc : 0;
	}
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		if (sg_object_exists(c->r, &l.ref[i].oid))
			rc = sg_oids_add(&tips, &l.ref[i].oid);
		else
			complain(c, "ref", l.ref[i].name, "it names an object that is not there");
	}
	if (rc >= 0)
		rc = sg_reach(&seen, c->r, &tips, missing, c);
	sg_refs_release(&l);
	sg_oidmap_release(&seen);
	free(tips.oid);
	return rc;
}

int sg_fsck(struct sg_registry *r,
	    void (*fn)(void *arg, const char *kind, const char *object, const char *text),
	    void *arg, const struct sg_progress *progress)
{
	struct check c = { .r = r, .fn = fn, .arg = arg, .progress = progress };
	int rc;

	SG_TRY(sg_lock(r));
	git_odb_refresh(r->odb);
	rc = check_packs(&c);
	if (rc >= 0)
		rc = check_objects(&c);
	if (rc >= 0)
		rc = check_refs(&c);
	sg_unlock(r);
	free(c.all.oid);
	sg_oidmap_release(&c.bad);
	return rc < 0 ? rc : c.problems;
}
