#include "format/tensors.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_tensors(const uint8_t *data, size_t n);

/* Every byte that an accepted file promises is read. */
int sg_fuzz_tensors(const uint8_t *data, size_t n)
{
	static volatile unsigned char sink;
	struct sg_tensors t = { 0 };
	const char *format = NULL;
	int rc = sg_tensors_parse(&t, data, n, "fuzz");

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < t.n; i++) {
		if (sg_tensors_get(&t, t.t[i].name) != &t.t[i])
			abort();
		for (size_t k = 0; k < t.t[i].bytes; k++)
			sink ^= t.t[i].data[k];
	}
	(void)sg_json_str(t.meta, "format", &format);
	sg_tensors_release(&t);
	return 0;
}

SG_FUZZ(tensors)
