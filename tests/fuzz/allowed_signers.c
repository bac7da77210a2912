#include "tests/fuzz/fuzz.h"
#include "registry/signers.h"

int sg_fuzz_allowed_signers(const uint8_t *data, size_t n);

int sg_fuzz_allowed_signers(const uint8_t *data, size_t n)
{
	struct sg_allowed_list l = { 0 };
	const char *why;
	int rc = sg_allowed_parse(&l, (const char *)data, n, "fuzz");

	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const struct sg_allowed *a = sg_allowed_find(&l, &l.signer[i].key, "git", 1700000000, &why);

		if (a && (a->authority || !sg_pubkey_eq(&a->key, &l.signer[i].key)))
			abort();
		(void)sg_pattern_list(l.signer[i].principals, "ann@example.com");
	}
	sg_allowed_release(&l);
	return rc;
}
SG_FUZZ(allowed_signers)
