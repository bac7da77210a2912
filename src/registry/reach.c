#include "registry/impl.h"
#include "registry/commit.h"

struct walk { struct sg_oidmap *seen; struct sg_registry *r; struct sg_oids todo; };

static int reach(struct walk *w, const struct sg_oid *oid)
{
	int rc = sg_oidmap_add(w->seen, oid, 0);

	return rc > 0 ? sg_oids_add(&w->todo, oid) : rc;
}

static int below_tree(struct walk *w, const struct sg_buf *b)
{
	struct sg_raw_entry e;
	const char *p = b->data;
	int rc;

	while ((rc = sg_tree_next(&e, &p, b->data + b->len)) > 0)
		if (sg_mode_type(e.mode) != SG_OBJ_COMMIT)
			SG_TRY(reach(w, &e.oid));
	return rc;
}

static int below_commit(struct walk *w, const struct sg_oid *oid, const struct sg_buf *b)
{
	struct sg_commit c = { 0 };
	int rc;

	SG_TRY(sg_commit_parse(&c, oid, b->data, b->len));
	rc = reach(w, &c.tree);
	for (size_t i = 0; rc >= 0 && i < c.n_parents; i++)
		rc = reach(w, &c.parent[i]);
	sg_commit_release(&c);
	return rc;
}

static int below(struct walk *w, const struct sg_oid *oid, struct sg_buf *b)
{
	enum sg_object_type type = SG_OBJ_BLOB;
	struct sg_oid target;

	SG_TRY(sg_object_stat(&type, NULL, w->r, oid));
	if (type == SG_OBJ_BLOB)
		return 0;
	SG_TRY(sg_object_read(b, &type, w->r, oid, SG_META_MAX));
	if (type == SG_OBJ_TREE)
		return below_tree(w, b);
	if (type == SG_OBJ_COMMIT)
		return below_commit(w, oid, b);
	SG_TRY(sg_tag_target(&target, oid, b->data, b->len));
	return reach(w, &target);
}

int sg_reach(struct sg_oidmap *seen, struct sg_registry *r, const struct sg_oids *tip,
	     int (*missing)(void *arg, const struct sg_oid *oid, int rc), void *arg)
{
	struct walk w = { .seen = seen, .r = r };
	struct sg_buf b = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < tip->n; i++)
		rc = reach(&w, &tip->oid[i]);
	while (rc >= 0 && w.todo.n) {
		struct sg_oid oid = w.todo.oid[--w.todo.n];

		rc = below(&w, &oid, &b);
		if (rc < 0 && rc != -SG_E_NOMEM)
			rc = missing(arg, &oid, rc);
	}
	sg_buf_release(&b);
	free(w.todo.oid);
	return rc;
}
