#include "format/zip.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_zip(const uint8_t *data, size_t n);

int sg_fuzz_zip(const uint8_t *data, size_t n)
{
	struct sg_buf b = { 0 };
	size_t len;
	int rc = sg_zip_expand(&b, 1 << 16, data, n, "fuzz");

	if (rc >= 0 && b.len > 1 << 16)
		abort();
	if (sg_zip_frame(&len, data, n, "fuzz") >= 0 && len > n)
		abort();
	sg_buf_release(&b);
	return rc;
}

SG_FUZZ(zip)
