#include "tests/fuzz/fuzz.h"
#include "format/gitconfig.h"

int sg_fuzz_gitconfig(const uint8_t *data, size_t n);
/* What was read can be edited: an edit that is not refused says what it was told. */
int sg_fuzz_gitconfig(const uint8_t *data, size_t n)
{
	static const char *const name[] = { "gate.quality.alpha", "a.b", "retain.x.min-docs" };
	struct sg_gitconfig c = { 0 };
	struct sg_buf b = { 0 };
	const struct sg_gitconfig_entry *e;
	int rc = 0;

	for (size_t i = 0; i < SG_LEN(name); i++) {
		sg_buf_clear(&b);
		if (sg_gitconfig_edit(&b, (const char *)data, n, "fuzz", name[i], i & 1 ? " \"#" : NULL) < 0)
			continue;
		if (sg_gitconfig_parse(&c, b.data, b.len, "fuzz") < 0)
			abort();
		e = sg_gitconfig_find(&c, name[i]);
		if (i & 1 ? !e || strcmp(e->value, " \"#") : e != NULL)
			abort();
		sg_gitconfig_release(&c);
		rc = 1;
	}
	sg_buf_release(&b);
	return rc;
}
SG_FUZZ(gitconfig)
