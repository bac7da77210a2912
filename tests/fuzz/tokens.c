#include "format/tokens.h"
#include "model/batch.h"
#include "tests/fuzz/fuzz.h"

/* Whatever parses can be walked to the end. */
int sg_fuzz_tokens(const uint8_t *data, size_t n);
int sg_fuzz_tokens(const uint8_t *data, size_t n)
{
	struct sg_batch b = { 0 };
	struct sg_walk w;
	struct sg_tokens t;
	uint64_t sum = 0;

	if (sg_tokens_parse(&t, data, n, "fuzz") < 0)
		return 0;
	for (uint64_t d = 0; d < t.docs; d++)
		sum += sg_tokens_len(&t, d) + sg_tokens_bytes(&t, d) + sg_tokens_hash(&t, d)[SG_DOC_HASH - 1];
	if (sg_batch_init(&b, 7) >= 0) {
		sg_walk_init(&w, &t, 5, 0, t.docs);
		while (sg_walk_next(&w, &b) > 0)
			sum += (uint64_t)b.target[b.n - 1];
	}
	sg_batch_release(&b);
	if (sg_tokens_verify(&t, "fuzz") < 0)
		sum++;
	return (int)(sum & 1);
}
SG_FUZZ(tokens)
