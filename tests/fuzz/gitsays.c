#include "registry/wire.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_gitsays(const uint8_t *data, size_t n);

/* What the user's git prints of a server: its refs, and what became of a push. */
int sg_fuzz_gitsays(const uint8_t *data, size_t n)
{
	struct sg_push_cmd cmd[] = { { .dst = "refs/heads/main", .rc = -SG_E_ERROR }, { .dst = "refs/tags/v1", .rc = -SG_E_ERROR } };
	char *a = sg_strndup((const char *)data, n), *b = sg_strndup((const char *)data, n);
	struct sg_advert ad = { 0 };
	int rc = a && b ? sg_exec_take_refs(&ad, a) : -SG_E_NOMEM;

	for (size_t i = 0; i < ad.refs.n; i++)
		if (ad.refs.ref[i].name && !sg_advert_name_ok(ad.refs.ref[i].name))
			abort();
	if (b)
		sg_exec_take_results(cmd, SG_LEN(cmd), b);
	for (size_t i = 0; i < SG_LEN(cmd); i++)
		free(cmd[i].text);
	sg_advert_release(&ad);
	free(a);
	free(b);
	return rc;
}

SG_FUZZ(gitsays)
