#include "registry/wire.h"
#include "registry/tree.h"

/*
 * What came from another side, before a ref names it. That no object is missing or
 * damaged the indexer has seen; here it is that no name in a folder leads elsewhere.
 * We never write folders out, but stock git, which people use on a registry, does.
 */

static int vet_tree(struct sg_registry *r, struct sg_buf *raw, const struct sg_oid *oid)
{
	struct sg_raw_entry e;
	char hex[SG_OID_HEX];
	const char *p;
	int rc = sg_object_read(raw, NULL, r, oid, SG_META_MAX);

	sg_oid_hex(hex, oid);
	for (p = raw->data; rc >= 0 && (rc = sg_tree_next(&e, &p, raw->data + raw->len)) > 0; )
		if (!sg_tree_path_ok(e.name))
			rc = sg_fail(SG_E_CORRUPT, "the name '%.255s' is not allowed", e.name);
	return sg_fail_in(rc, "refused what came: folder %s", hex);
}

int sg_vet(struct sg_registry *r, const struct sg_oids *tip, const struct sg_refs *ours)
{
	struct sg_oids list = { 0 }, have = { 0 };
	struct sg_buf raw = { 0 };
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ours->n; i++)
		rc = sg_oids_add(&have, &ours->ref[i].oid);
	if (rc >= 0)
		rc = sg_fail_in(sg_send_list(&list, r, tip, &have), "refused what came");	/* as if to send it on */
	for (size_t i = 0; rc >= 0 && i < list.n; i++) {
		enum sg_object_type type;

		rc = sg_object_stat(&type, NULL, r, &list.oid[i]);
		if (rc >= 0 && type == SG_OBJ_TREE)
			rc = vet_tree(r, &raw, &list.oid[i]);
	}
	sg_buf_release(&raw);
	free(list.oid);
	free(have.oid);
	return SG_MIN(rc, 0);
}
