#include "model/dataset.h"
#include "tests/fuzz/fuzz.h"

/* A manifest that parses is its own canonical form. */
int sg_fuzz_dataset(const uint8_t *data, size_t n);
int sg_fuzz_dataset(const uint8_t *data, size_t n)
{
	struct sg_dataset_manifest m = { 0 };
	struct sg_buf b = { 0 };

	if (sg_dataset_manifest_parse(&m, (const char *)data, n, "fuzz") < 0)
		return 0;
	if (sg_dataset_manifest_emit(&m, &b) < 0 || b.len != n || memcmp(b.data, data, n))
		abort();
	sg_buf_release(&b);
	sg_dataset_manifest_release(&m);
	return 0;
}
SG_FUZZ(dataset)
