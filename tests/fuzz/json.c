#include "base/json.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_json(const uint8_t *data, size_t n);

/* What was read can be written, and what was written is read as the same. */
int sg_fuzz_json(const uint8_t *data, size_t n)
{
	struct sg_json_doc d = { 0 }, again = { 0 };
	struct sg_buf one = { 0 }, two = { 0 };
	struct sg_jsonw w;
	int rc = sg_json_parse(&d, (const char *)data, n, "fuzz");

	if (rc < 0)
		return rc;
	sg_jsonw_init(&w, &one);
	sg_jsonw_node(&w, sg_json_root(&d));
	if (sg_jsonw_done(&w) < 0 || sg_json_parse(&again, one.data, one.len, "fuzz") < 0)
		abort();
	sg_jsonw_init(&w, &two);
	sg_jsonw_node(&w, sg_json_root(&again));
	if (sg_jsonw_done(&w) < 0 || one.len != two.len || memcmp(one.data, two.data, one.len))
		abort();
	sg_json_release(&d);
	sg_json_release(&again);
	sg_buf_release(&one);
	sg_buf_release(&two);
	return 0;
}

SG_FUZZ(json)
