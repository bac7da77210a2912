#include "format/graftfile.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_graftfile(const uint8_t *data, size_t n);

/* An accepted manifest is written back to the byte. */
int sg_fuzz_graftfile(const uint8_t *data, size_t n)
{
	struct sg_graftfile g = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_graftfile_parse(&g, (const char *)data, n, "fuzz");

	if (rc < 0)
		return rc;
	if (sg_graftfile_write(&b, &g) < 0 || b.len != n || memcmp(b.data, data, n))
		abort();
	sg_graftfile_release(&g);
	sg_buf_release(&b);
	return 0;
}

SG_FUZZ(graftfile)
