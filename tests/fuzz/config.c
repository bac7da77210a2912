/* config.json of a base: whatever it says, opening a base is bounded. */
#include "tests/fuzz/fuzz.h"
#include "model/checkpoint.h"

int sg_fuzz_config(const uint8_t *data, size_t n);
int sg_fuzz_config(const uint8_t *data, size_t n)
{
	struct sg_checkpoint *c = NULL;
	int rc = sg_checkpoint_make(&c, (const char *)data, n, NULL, 0, NULL, 0, NULL);

	sg_checkpoint_free(c);
	return rc;
}
SG_FUZZ(config)
