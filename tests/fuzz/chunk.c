#include "format/chunk.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_chunk(const uint8_t *data, size_t n);

int sg_fuzz_chunk(const uint8_t *data, size_t n)
{
	unsigned char *out;
	size_t len;
	int rc = sg_chunk_length(&len, data, n, "fuzz");

	if (rc < 0)
		return rc;
	out = malloc(len ? len : 1);	/* exact, so that a write past it is seen */
	if (!out)
		return 0;
	rc = sg_chunk_decode(out, len, data, n, "fuzz");
	free(out);
	return rc;
}

SG_FUZZ(chunk)
