#include "registry/remote.h"
#include "registry/wire.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_sendreport(const uint8_t *data, size_t n);

/* What a server answers to a push: up to the first NUL what its hooks say, then its
 * report. Each ref has an answer in the end, and none is "to be sent". */
int sg_fuzz_sendreport(const uint8_t *data, size_t n)
{
	struct sg_push ref[] = { { .dst = "refs/heads/main", .rc = 1 }, { .dst = "refs/sg/cand/0123456789abcdef", .rc = 1 } };
	const uint8_t *nul = n ? memchr(data, 0, n) : NULL;
	size_t said = nul ? (size_t)(nul - data) : 0;
	struct sg_buf lines = { 0 }, remote = { 0 };
	int rc = sg_buf_add(&remote, data, said);

	if (rc >= 0)
		rc = sg_buf_add(&lines, data + said + (nul != NULL), n - said - (nul != NULL));
	if (rc >= 0)
		rc = sg_push_report(ref, SG_LEN(ref), &lines, &remote, "fuzz");
	for (size_t i = 0; rc >= 0 && i < SG_LEN(ref); i++) {
		if (ref[i].rc > 0)
			abort();
		for (const char *p = ref[i].text; p && *p; p++)
			if (ref[i].rc == -SG_E_ERROR && (unsigned char)*p < ' ')
				abort();
	}
	sg_push_release(ref, SG_LEN(ref));
	sg_buf_release(&lines);
	sg_buf_release(&remote);
	return rc;
}

SG_FUZZ(sendreport)
