#include "base/mem.h"
#include "model/overlap.h"
#include "tests/fuzz/fuzz.h"

/* The input is a list of n-grams and a text to look up in it. */
int sg_fuzz_ngrams(const uint8_t *data, size_t n);
int sg_fuzz_ngrams(const uint8_t *data, size_t n)
{
	struct sg_ngrams g = { 0 };
	unsigned char *copy = sg_calloc(n, 1);	/* aligned */

	if (!copy)
		return 0;
	memcpy(copy, data, n);
	if (sg_ngrams_parse(&g, copy, n, "fuzz") >= 0)
		(void)sg_ngrams_shared(&g, (const char *)data, n);
	sg_ngrams_release(&g);
	(void)sg_ngrams_make(&g, &(struct sg_doc){ .text = (const char *)data, .n = n }, 1);
	sg_ngrams_release(&g);
	free(copy);
	return 0;
}
SG_FUZZ(ngrams)
