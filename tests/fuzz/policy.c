#include "tests/fuzz/fuzz.h"
#include "gate/policy.h"

int sg_fuzz_policy(const uint8_t *data, size_t n);
int sg_fuzz_policy(const uint8_t *data, size_t n)
{
	struct sg_policy p = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_policy_parse(&p, (const char *)data, n, "fuzz");

	if (rc >= 0 && sg_policy_list(&b, &p) < 0)
		abort();
	sg_buf_release(&b);
	sg_policy_release(&p);
	return rc;
}
SG_FUZZ(policy)
