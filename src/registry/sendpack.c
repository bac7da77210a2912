#include "registry/wire.h"
#include "base/hash.h"
#include "registry/commit.h"

/*
 * What to send: every new commit is compared with its parents, folder by folder,
 * and what it adds is taken. A parent is either sent too or already over there,
 * so together that is all the other side lacks, and no tree that did not change
 * is ever opened.
 */
#define PARENTS_MAX 16	/* compared with; more would only save bytes */

struct list { struct sg_registry *r; struct sg_oids *out; struct sg_oidmap seen; };

/* The number by which git sorts what it may write as deltas of each other: mostly the
 * last letters of the path. */
static uint32_t name_hash(uint32_t hash, const char *name)
{
	for (; *name; name++)
		hash = (hash >> 2) + ((uint32_t)(unsigned char)*name << 24);
	return hash;
}

static int take(struct list *l, const struct sg_oid *oid, size_t order)
{
	int rc = sg_oidmap_add(&l->seen, oid, order);

	if (rc > 0)
		SG_TRY(sg_oids_add(l->out, oid));
	return rc;
}

static int read_tree(struct sg_buf *b, struct sg_registry *r, const struct sg_oid *oid)
{
	enum sg_object_type type;

	SG_TRY(sg_object_read(b, &type, r, oid, SG_META_MAX));
	return type == SG_OBJ_TREE ? 0 : sg_fail(SG_E_CORRUPT, "a %s where a tree was expected",
						 sg_object_type_name(type));
}

/* All ids in the old trees, and for one name the old folders of that name. */
static int ids_of(struct sg_oidmap *m, struct sg_buf *raw, struct sg_registry *r, const struct sg_oid *old, size_t n)
{
	struct sg_raw_entry e;

	for (size_t i = 0; i < n; i++) {
		const char *p;
		int rc;

		SG_TRY(read_tree(&raw[i], r, &old[i]));
		p = raw[i].data;
		while ((rc = sg_tree_next(&e, &p, raw[i].data + raw[i].len)) > 0)
			SG_TRY(sg_oidmap_add(m, &e.oid, 0));
		SG_TRY(rc);
	}
	return 0;
}

static int folders_of(struct sg_oid *out, size_t *n_out, const struct sg_buf *raw, size_t n, const char *name)
{
	struct sg_raw_entry e;

	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		const char *p = raw[i].data;

		while (sg_tree_next(&e, &p, raw[i].data + raw[i].len) > 0)
			if (sg_mode_type(e.mode) == SG_OBJ_TREE && !strcmp(e.name, name))
				out[(*n_out)++] = e.oid;
	}
	return 0;
}

static int take_tree(struct list *l, const struct sg_oid *tree, const struct sg_oid *old, size_t n_old, int depth,
		     uint32_t hash)
{
	struct sg_buf b = { 0 }, raw[PARENTS_MAX];
	struct sg_oid below[PARENTS_MAX];
	struct sg_oidmap ids = { 0 };
	struct sg_raw_entry e;
	const char *p;
	size_t n;
	int rc;

	for (size_t i = 0; i < n_old; i++)
		if (sg_oid_eq(tree, &old[i]))
			return 0;
	if (depth > 100)
		return sg_fail(SG_E_CORRUPT, "folders are nested too deep");
	/* A tree that was taken before is opened again: that time other parents hid
	 * other parts of it (a revert brings an older tree back). */
	SG_TRY(take(l, tree, 0));
	memset(raw, 0, sizeof(raw));
	rc = ids_of(&ids, raw, l->r, old, n_old);
	if (rc >= 0)
		rc = read_tree(&b, l->r, tree);
	p = b.data;
	while (rc >= 0 && (rc = sg_tree_next(&e, &p, b.data + b.len)) > 0) {
		if (sg_oidmap_get(&ids, &e.oid, NULL) || sg_mode_type(e.mode) == SG_OBJ_COMMIT)
			continue;
		if (sg_mode_type(e.mode) == SG_OBJ_BLOB) {
			rc = take(l, &e.oid, (size_t)name_hash(hash, e.name) + 1);
			continue;
		}
		folders_of(below, &n, raw, n_old, e.name);
		rc = take_tree(l, &e.oid, below, n, depth + 1, name_hash(name_hash(hash, e.name), "/"));
	}
	for (size_t i = 0; i < n_old; i++)
		sg_buf_release(&raw[i]);
	sg_oidmap_release(&ids);
	sg_buf_release(&b);
	return rc;
}

static int take_commit(struct list *l, const struct sg_oid *oid)
{
	struct sg_commit c = { 0 };
	struct sg_oid old[PARENTS_MAX];
	size_t n;
	int rc = take(l, oid, 0);

	if (rc <= 0)
		return rc;
	SG_TRY(sg_commit_read(&c, l->r, oid));
	n = SG_MIN(c.n_parents, (size_t)PARENTS_MAX);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = sg_tree_peel(&old[i], l->r, &c.parent[i]);
	if (rc >= 0)
		rc = take_tree(l, &c.tree, old, n, 0, 0);
	sg_commit_release(&c);
	return rc;
}

/* Tags on the way to a commit are taken; *commit is zero when it ends in a tree or blob. */
static int take_tip(struct list *l, struct sg_oid *commit, const struct sg_oid *tip)
{
	struct sg_oid oid = *tip;
	struct sg_buf b = { 0 };
	enum sg_object_type type = SG_OBJ_BLOB;
	int rc = 0;

	*commit = (struct sg_oid){ { 0 } };
	for (int i = 0; i < 8; i++) {
		rc = sg_object_stat(&type, NULL, l->r, &oid);
		if (rc < 0 || type != SG_OBJ_TAG)
			break;
		rc = take(l, &oid, 0);
		if (rc >= 0)
			rc = sg_object_read(&b, NULL, l->r, &oid, SG_META_MAX);
		if (rc >= 0)
			rc = sg_tag_target(&oid, &oid, b.data, b.len);
		if (rc < 0)
			break;
	}
	sg_buf_release(&b);
	if (rc >= 0 && type == SG_OBJ_COMMIT)
		*commit = oid;
	else if (rc >= 0)
		rc = type == SG_OBJ_TREE ? take_tree(l, &oid, NULL, 0, 0, 0) : take(l, &oid, 1);
	return rc;
}

/* The commit that a ref over there names, if it is here. */
static bool known_commit(struct sg_oid *out, struct sg_registry *r, const struct sg_oid *oid)
{
	git_object *o = NULL, *c = NULL;
	bool ok = git_object_lookup(&o, r->repo, sg_git_oid(oid), GIT_OBJECT_ANY) == 0 &&
		  git_object_peel(&c, o, GIT_OBJECT_COMMIT) == 0;

	if (ok)
		memcpy(out->id, git_object_id(c)->id, sizeof(out->id));
	git_object_free(c);
	git_object_free(o);
	return ok;
}

static int walk(struct list *l, const struct sg_oids *tip, const struct sg_oids *have)
{
	git_revwalk *w = NULL;
	struct sg_oid c;
	git_oid id;
	int rc = git_revwalk_new(&w, l->r->repo);

	for (size_t i = 0; rc >= 0 && i < have->n; i++)
		if (known_commit(&c, l->r, &have->oid[i])) {
			rc = git_revwalk_hide(w, sg_git_oid(&c));
			sg_oidmap_add(&l->seen, &have->oid[i], 0);
		}
	if (rc < 0)
		rc = sg_git_fail(rc, "cannot walk the history");
	for (size_t i = 0; rc >= 0 && i < tip->n; i++) {
		rc = take_tip(l, &c, &tip->oid[i]);
		if (rc >= 0 && !sg_oid_is_zero(&c) && git_revwalk_push(w, sg_git_oid(&c)) < 0)
			rc = sg_git_fail(-1, "cannot walk the history");
	}
	while (rc >= 0 && (rc = git_revwalk_next(&id, w)) >= 0) {
		memcpy(c.id, id.id, sizeof(c.id));
		rc = take_commit(l, &c);
		if (rc < 0)
			break;
	}
	if (rc == GIT_ITEROVER)
		rc = 0;
	git_revwalk_free(w);
	return rc;
}

struct place { struct sg_oid oid; size_t order, at; };

static int by_order(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	if (p->order != q->order)
		return p->order < q->order ? -1 : 1;
	return p->at < q->at ? -1 : p->at > q->at;
}

/* Blobs last, those together that git over there will compare when it makes a pack for
 * somebody: it tries no delta between two that came in one pack, so a list that is cut
 * in parts (parts.c) is best cut in this order. */
static int sort(const struct list *l)
{
	struct place *p;

	SG_TRY(SG_NEW(p, l->out->n + 1));
	for (size_t i = 0; i < l->out->n; i++) {
		p[i] = (struct place){ .oid = l->out->oid[i], .at = i };
		sg_oidmap_get(&l->seen, &p[i].oid, &p[i].order);
	}
	qsort(p, l->out->n, sizeof(*p), by_order);
	for (size_t i = 0; i < l->out->n; i++)
		l->out->oid[i] = p[i].oid;
	free(p);
	return 0;
}

int sg_send_list(struct sg_oids *out, struct sg_registry *r, const struct sg_oids *tip, const struct sg_oids *have)
{
	struct list l = { .r = r, .out = out };
	int rc = walk(&l, tip, have);

	if (rc >= 0)
		rc = sort(&l);
	sg_oidmap_release(&l.seen);
	return SG_MIN(rc, 0);
}

#define SEND_BUFFER 65536
struct stream {
	struct sg_wire *w;
	struct sg_hash h;
	const struct sg_progress *progress;
	uint64_t sent, total;
	size_t used;
	unsigned char buf[SEND_BUFFER];
};

static int drain(struct stream *s)
{
	SG_TRY(sg_hash_update(&s->h, s->buf, s->used));
	SG_TRY(sg_wire_write(s->w, s->buf, s->used));
	s->sent += s->used;
	s->used = 0;
	if (sg_progress(s->progress, "sending", s->sent, s->total, SG_IN_BYTES))
		return sg_fail(SG_E_INTERRUPTED, "push stopped");
	return 0;
}

static int sink(void *arg, const void *data, size_t n)
{
	struct stream *s = arg;
	const char *p = data;

	while (n) {
		size_t part = SG_MIN(n, SEND_BUFFER - s->used);

		memcpy(s->buf + s->used, p, part);
		s->used += part;
		p += part;
		n -= part;
		if (s->used == SEND_BUFFER)
			SG_TRY(drain(s));
	}
	return 0;
}

static int send_object(struct stream *s, struct sg_registry *r, const struct sg_oid *oid)
{
	git_odb_object *o = NULL;
	char hex[SG_OID_HEX];
	int rc = git_odb_read(&o, r->odb, sg_git_oid(oid));

	if (rc < 0) {
		sg_oid_hex(hex, oid);
		return sg_git_fail(rc, "cannot read object %s", hex);
	}
	rc = sg_pack_entry(sink, s, (enum sg_object_type)git_odb_object_type(o), git_odb_object_data(o),
			   git_odb_object_size(o));
	git_odb_object_free(o);
	return rc;
}

/* Exact, since what is stored in blocks has a known length: head, entries, sum. */
int sg_send_size(uint64_t *out, struct sg_registry *r, const struct sg_oids *list)
{
	uint64_t total = 12 + SG_SHA1_LEN;

	for (size_t i = 0; i < list->n; i++) {
		enum sg_object_type type;
		size_t n;

		SG_TRY(sg_object_stat(&type, &n, r, &list->oid[i]));
		total += sg_pack_entry_size(type, n);
	}
	*out = total;
	return 0;
}

static int send_all(struct stream *s, struct sg_registry *r, const struct sg_oids *list)
{
	unsigned char head[12] = "PACK\0\0\0\2", sum[SG_SHA1_LEN];

	for (int i = 0; i < 4; i++)
		head[8 + i] = (unsigned char)(list->n >> (24 - 8 * i));
	SG_TRY(sg_sha1_init(&s->h));
	SG_TRY(sink(s, head, sizeof(head)));
	for (size_t i = 0; i < list->n; i++)
		SG_TRY(send_object(s, r, &list->oid[i]));
	SG_TRY(drain(s));
	SG_TRY(sg_hash_final(&s->h, sum));
	SG_TRY(sg_wire_write(s->w, sum, sizeof(sum)));
	s->sent += sizeof(sum);
	sg_progress(s->progress, "sending", s->sent, s->total, SG_IN_BYTES);
	return 0;
}

int sg_send_pack(struct sg_wire *w, struct sg_registry *r, const struct sg_oids *list,
		 const struct sg_progress *progress)
{
	struct stream *s;
	int rc;

	if (list->n > UINT32_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "too many objects for one push");
	SG_TRY(SG_NEW(s, 1));
	s->w = w;
	s->progress = progress;
	rc = sg_send_size(&s->total, r, list);
	if (rc >= 0 && sg_progress(progress, "sending", 0, s->total, SG_IN_BYTES))
		rc = sg_fail(SG_E_INTERRUPTED, "push stopped");
	if (rc >= 0)
		rc = send_all(s, r, list);
	sg_hash_release(&s->h);
	free(s);
	return rc;
}
