/*
 * A long history fast: takes the one graft that is active in a registry and accepts N
 * more like it, each with other weights, as candidate, report-free accept and reflog
 * as commands write them. many SG_FOLDER N
 */
#include "base/error.h"
#include "base/mem.h"
#include "format/graftfile.h"
#include "registry/commit.h"
#include "registry/history.h"
#include "registry/packer.h"
#include "registry/payload.h"
#include "registry/ref.h"
#include "registry/registry.h"
#include "registry/tree.h"

struct many {
	struct sg_registry *r;
	struct sg_graftfile file;
	struct sg_buf train, accept, receipt;
	unsigned char **weights;
	char base[SG_SHA256_HEX];
	struct sg_buf ids;		/* of the state, in stack order */
	uint64_t seed;
};

static int read_template(struct many *m, struct sg_oid *head)
{
	struct sg_tree_list l = { 0 };
	struct sg_buf b = { 0 };
	char path[300];

	SG_TRY(sg_rev_parse(head, m->r, "HEAD"));
	SG_TRY(sg_tree_list(&l, m->r, head, "grafts"));
	if (l.n != 1)
		return sg_fail(SG_E_ERROR, "one active graft is wanted");
#define FILE_OF(to, what) \
	snprintf(path, sizeof(path), "grafts/%s/" what, l.entry[0].name); \
	SG_TRY(sg_tree_read(to, m->r, head, path, 64 << 20))
	FILE_OF(&b, "graft.json");
	FILE_OF(&m->train, "train.json");
	FILE_OF(&m->accept, "accept.json");
	FILE_OF(&m->receipt, "receipt.mp");
	SG_TRY(sg_graftfile_parse(&m->file, b.data, b.len, "graft.json"));
	SG_TRY(SG_NEW(m->weights, m->file.n_tensors));
	for (size_t i = 0; i < m->file.n_tensors; i++) {
		const struct sg_graftfile_tensor *t = &m->file.tensor[i];

		SG_TRY(SG_NEW(m->weights[i], t->bytes));
		snprintf(path, sizeof(path), "grafts/%s/data/%s", l.entry[0].name, t->name);
		SG_TRY(sg_payload_read(m->weights[i], t->bytes, m->r, head, path, t->sha256));
	}
	strcpy(m->base, m->file.base);
	SG_TRY(sg_sha256_hex(m->file.base, b.data, b.len));	/* for a moment: the first id */
	SG_TRY(sg_buf_fmt(&m->ids, "sg-state-v1\n%s\n%s\n", m->base, m->file.base));
	SG_TRY(sg_names_add(&m->file.after, m->file.base));
	strcpy(m->file.base, m->base);
	sg_tree_list_release(&l);
	sg_buf_release(&b);
	return 0;
}

static uint64_t next(struct many *m)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	return m->seed ^= m->seed << 17;
}

/* Other weights: the low bits of each number. */
static int change(struct many *m)
{
	for (size_t i = 0; i < m->file.n_tensors; i++) {
		struct sg_graftfile_tensor *t = &m->file.tensor[i];
		uint32_t *v = (uint32_t *)(void *)m->weights[i];

		for (size_t k = 0; k < t->bytes / 4; k++)
			v[k] ^= (uint32_t)next(m) & 0x3fffff;
		SG_TRY(sg_sha256_hex(t->sha256, m->weights[i], t->bytes));
	}
	return 0;
}

static int put(struct many *m, struct sg_tree *t, struct sg_packer *p, const char *id, const char *name, const struct sg_buf *b)
{
	char path[300];

	(void)m;
	snprintf(path, sizeof(path), "grafts/%.16s/%s", id, name);
	return sg_tree_put_data(t, p, path, b->data, b->len);
}

static int one(struct many *m, struct sg_oid *head, size_t n)
{
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	struct sg_oid tree, parents[2], made;
	struct sg_buf b = { 0 }, name = { 0 };
	char id[SG_SHA256_HEX], state[SG_SHA256_HEX], prev[SG_SHA256_HEX], path[300], text[1000];

	SG_TRY(change(m));
	SG_TRY(sg_graftfile_write(&b, &m->file));
	SG_TRY(sg_sha256_hex(id, b.data, b.len));
	SG_TRY(sg_sha256_hex(prev, m->ids.data, m->ids.len));
	SG_TRY(sg_buf_fmt(&m->ids, "%s\n", id));
	SG_TRY(sg_sha256_hex(state, m->ids.data, m->ids.len));
	SG_TRY(sg_packer_open(&p, m->r));
	SG_TRY(sg_tree_edit(&t, m->r, head));
	SG_TRY(put(m, t, p, id, "graft.json", &b));
	SG_TRY(sg_buf_fmt(&name, "{\"format\":\"sg-train-1\",\"name\":\"g%zu\"}", n));
	SG_TRY(put(m, t, p, id, "train.json", &name));
	for (size_t i = 0; i < m->file.n_tensors; i++) {
		snprintf(path, sizeof(path), "grafts/%.16s/data/%s", id, m->file.tensor[i].name);
		SG_TRY(sg_payload_write(p, t, path, m->weights[i], m->file.tensor[i].bytes, 4));
	}
	SG_TRY(sg_tree_write(&tree, t, p));
	snprintf(text, sizeof(text), "candidate g%zu\n\nSg-Op: candidate\nSg-Graft: sha256:%s\nSg-Base: sha256:%s\n", n, id, m->base);
	SG_TRY(sg_commit_make(&parents[1], m->r, p, &tree, head, 1, text));
	SG_TRY(put(m, t, p, id, "accept.json", &m->accept));
	SG_TRY(put(m, t, p, id, "receipt.mp", &m->receipt));
	SG_TRY(sg_tree_write(&tree, t, p));
	parents[0] = *head;
	snprintf(text, sizeof(text), "accept g%zu: held 3.1000 -> 3.0999\n\nSg-Op: accept\nSg-Graft: sha256:%s\nSg-Base: sha256:%s\n"
		 "Sg-State: sha256:%s\nSg-Prev-State: sha256:%s\n", n, id, m->base, state, prev);
	SG_TRY(sg_commit_make(&made, m->r, p, &tree, parents, 2, text));
	SG_TRY(sg_packer_commit(p));
	SG_TRY(sg_ref_set(m->r, "refs/heads/main", &made, head, "accept"));
	*head = made;
	sg_packer_free(p);
	sg_tree_free(t);
	sg_buf_release(&b);
	sg_buf_release(&name);
	free(m->file.after.name[0]);
	m->file.after.n = 0;
	return sg_names_add(&m->file.after, id);
}

int main(int argc, char **argv)
{
	struct many m = { .seed = 88172645463325252u };
	struct sg_oid head;
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int rc = argc > 2 ? sg_registry_open(&m.r, argv[1]) : sg_fail(SG_E_USAGE, "many FOLDER N");

	if (rc >= 0)
		rc = read_template(&m, &head);
	for (size_t i = 1; rc >= 0 && i <= n; i++)
		rc = one(&m, &head, i);
	if (rc < 0)
		fprintf(stderr, "many: %s\n", sg_error_message());
	return rc < 0;
}
