#include "base/json.h"
#include "model/spm_base.h"
#include "model/tokenizer.h"
#include "tests/fuzz/fuzz.h"

/* What a model is made into can be read, unless it is refused with an error. */
int sg_fuzz_spm(const uint8_t *data, size_t n);
int sg_fuzz_spm(const uint8_t *data, size_t n)
{
	struct sg_tokenizer *t = NULL;
	struct sg_buf json = { 0 };
	struct sg_json_doc doc = { 0 };
	struct sg_spm s = { .piece = NULL };
	int rc = sg_spm_parse(&s, data, n, "fuzz");

	if (rc >= 0)
		rc = sg_spm_tokenizer(&json, &s, true, false, "fuzz");
	if (rc >= 0) {
		if (sg_json_parse(&doc, json.data, json.len, "made") < 0)
			abort();
		sg_json_release(&doc);
		rc = sg_tokenizer_parse(&t, json.data, json.len, "made");
	}
	sg_tokenizer_free(t);
	sg_buf_release(&json);
	sg_spm_release(&s);
	return 0;
}
SG_FUZZ(spm)
