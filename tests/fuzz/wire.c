#include "registry/wire.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_wire(const uint8_t *data, size_t n);

/* What another side may say: its refs, then packets of side-bands. */
int sg_fuzz_wire(const uint8_t *data, size_t n)
{
	struct sg_wire w = { .child = { 0, -1, -1, -1 }, .url = sg_strdup("fuzz") };
	struct sg_advert ad = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_buf_add(&w.in, data, n);

	if (rc >= 0)
		rc = sg_advert_read(&ad, &w);
	while (rc >= 0 && (rc = sg_wire_band(&w, &b)) > 0)
		;
	sg_buf_release(&b);
	sg_advert_release(&ad);
	sg_wire_release(&w);
	return rc;
}

SG_FUZZ(wire)
