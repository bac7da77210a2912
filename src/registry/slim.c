#include "registry/slim.h"
#include "registry/commit.h"
#include "registry/history.h"
#include "registry/impl.h"
#include "registry/ref.h"
#include "registry/tree.h"

#define CHAIN_MAX 1000	/* commits on the way; a longer line is no side line */

struct slim { struct sg_registry *r; struct sg_packer *p; const char *folder; struct sg_refs kept; };

/* Is it part of a line that must not change? */
static int is_kept(struct slim *s, const struct sg_oid *at)
{
	for (size_t i = 0; i < s->kept.n; i++) {
		const char *name = s->kept.ref[i].name;
		struct sg_oid tip;
		int rc;

		if (strncmp(name, "refs/heads/", 11) && strncmp(name, "refs/tags/", 10))
			continue;
		if (sg_rev_parse(&tip, s->r, name) < 0)
			continue;	/* a tag of something else */
		SG_TRY(rc = sg_history_is_ancestor(s->r, at, &tip));
		if (rc)
			return 1;
	}
	return 0;
}

/* Headers but tree, parents and signatures, then the message: as they were. */
static int copy_rest(struct sg_buf *out, const struct sg_buf *raw)
{
	const char *p = raw->data, *end = raw->data + raw->len;
	bool skip = false;

	while (p < end && *p != '\n') {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *next = nl ? nl + 1 : end;

		if (*p != ' ')
			skip = !strncmp(p, "tree ", 5) || !strncmp(p, "parent ", 7) || !strncmp(p, "gpgsig", 6);
		if (!skip)
			SG_TRY(sg_buf_add(out, p, (size_t)(next - p)));
		p = next;
	}
	return sg_buf_add(out, p, (size_t)(end - p));
}

static int slim_tree(struct sg_oid *out, struct slim *s, const struct sg_oid *at)
{
	struct sg_tree *t = NULL;
	int rc = sg_tree_edit(&t, s->r, at);

	if (rc >= 0)
		rc = sg_tree_remove(t, s->folder);
	if (rc >= 0)
		rc = sg_tree_write(out, t, s->p);
	sg_tree_free(t);
	return rc;
}

static int slim(struct sg_oid *out, struct slim *s, const struct sg_oid *at, unsigned depth);

static int rewrite(struct sg_oid *out, struct slim *s, const struct sg_oid *at, unsigned depth)
{
	struct sg_buf raw = { 0 }, b = { 0 };
	struct sg_commit c = { 0 };
	struct sg_oid tree, parent;
	char hex[SG_OID_HEX];
	int rc = sg_object_read(&raw, NULL, s->r, at, SG_META_MAX);

	if (rc >= 0)
		rc = sg_commit_parse(&c, at, raw.data, raw.len);
	if (rc >= 0)
		rc = slim_tree(&tree, s, at);
	if (rc >= 0) {
		sg_oid_hex(hex, &tree);
		rc = sg_buf_fmt(&b, "tree %s\n", hex);
	}
	for (size_t i = 0; rc >= 0 && i < c.n_parents; i++) {
		rc = slim(&parent, s, &c.parent[i], depth + 1);
		sg_oid_hex(hex, &parent);
		if (rc >= 0)
			rc = sg_buf_fmt(&b, "parent %s\n", hex);
	}
	if (rc >= 0)
		rc = copy_rest(&b, &raw);
	if (rc >= 0)
		rc = sg_packer_add(out, s->p, SG_OBJ_COMMIT, b.data, b.len);
	sg_commit_release(&c);
	sg_buf_release(&raw);
	sg_buf_release(&b);
	return rc;
}

static int slim(struct sg_oid *out, struct slim *s, const struct sg_oid *at, unsigned depth)
{
	struct sg_oid found;
	int rc = sg_tree_find(&found, NULL, s->r, at, s->folder);

	*out = *at;
	if (rc == -SG_E_NOTFOUND)
		return 0;
	if (rc >= 0)
		rc = is_kept(s, at);
	if (rc)
		return SG_MIN(rc, 0);
	if (depth > CHAIN_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "the line beside the branches is too long");
	return rewrite(out, s, at, depth);
}

int sg_slim(struct sg_oid *out, struct sg_packer *p, const struct sg_oid *at, const char *folder)
{
	struct slim s = { .r = sg_packer_registry(p), .p = p, .folder = folder };
	int rc = sg_ref_list(&s.kept, s.r, "refs/");

	if (rc >= 0)
		rc = slim(out, &s, at, 0);
	sg_refs_release(&s.kept);
	return rc;
}
