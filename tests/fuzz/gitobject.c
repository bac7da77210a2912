#include "registry/commit.h"
#include "registry/impl.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_gitobject(const uint8_t *data, size_t n);

/* The same bytes as a commit, a tree and a tag. */
int sg_fuzz_gitobject(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data, *end = p + n;
	struct sg_oid id = { { 1 } }, target;
	struct sg_commit c = { 0 };
	struct sg_raw_entry e;
	char *s = NULL;
	int rc = sg_commit_parse(&c, &id, p, n);

	if (rc >= 0) {
		if (sg_trailer(&s, c.message, "Sg-Op", 0) >= 0)
			free(s);
		free(sg_commit_subject(c.message));
	}
	sg_commit_release(&c);
	while (sg_tree_next(&e, &p, end) > 0)
		if (e.name[0] == '\0' || e.name + strlen(e.name) + 21 > end)
			abort();
	sg_tag_target(&target, &id, (const char *)data, n);
	return rc;
}

SG_FUZZ(gitobject)
