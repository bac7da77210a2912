#include "model/tokenizer.h"
#include "tests/fuzz/fuzz.h"

/* Whatever parses can encode and decode; a text that is UTF-8 never fails. */
int sg_fuzz_tokenizer(const uint8_t *data, size_t n);
int sg_fuzz_tokenizer(const uint8_t *data, size_t n)
{
	static const char text[] = " Hello  <s>ab ba\xe2\x96\x81 \xf0\x9f\x98\x80 abab</s> e\xcc\x81 12 it's\n abababababababababababababababababababab";
	struct sg_tokenizer *t = NULL;
	struct sg_ids l = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_tokenizer_parse(&t, (const char *)data, n, "fuzz");

	if (rc < 0)
		return 0;
	for (unsigned flags = 0; flags < 4; flags++)
		if (sg_tokenizer_encode(t, &l, text, sizeof(text) - 1, flags) < 0)
			abort();
	(void)sg_tokenizer_encode(t, &l, (const char *)data, n < 2000 ? n : 2000, SG_TOK_SPECIALS);
	for (unsigned flags = 0; flags < 8; flags++)
		if (sg_tokenizer_decode(t, &b, l.id, l.n, flags) < 0)
			abort();
	sg_ids_release(&l);
	sg_buf_release(&b);
	sg_tokenizer_free(t);
	return 0;
}
SG_FUZZ(tokenizer)
