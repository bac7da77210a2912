#include "tests/fuzz/fuzz.h"
#include "gate/gate.h"

int sg_fuzz_receipt(const uint8_t *data, size_t n);
/* A receipt that parses is judged again, whatever its losses are. */
int sg_fuzz_receipt(const uint8_t *data, size_t n)
{
	struct sg_policy p = { 0 };
	struct sg_receipt r = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_receipt_parse(&r, data, n, "fuzz");

	if (rc >= 0 && sg_policy_parse(&p, "", 0, "fuzz") >= 0) {
		sg_gate_replay(&r, &p);
		if (sg_gate_judge(&r, &p) < 0 || sg_receipt_emit(&b, &r) < 0 || sg_gate_replay(&r, &p) < 0)
			abort();
	}
	sg_buf_release(&b);
	sg_policy_release(&p);
	sg_receipt_release(&r);
	return rc;
}
SG_FUZZ(receipt)
