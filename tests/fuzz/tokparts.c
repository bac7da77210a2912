#include "base/mem.h"
#include "model/tokenizer.h"
#include "tests/fuzz/fuzz.h"

/* Parts of a tokenizer: a byte that picks the kind and one for each token or
 * merge, with its length and the bytes. A set bit of the length makes a merge. */
int sg_fuzz_tokparts(const uint8_t *data, size_t n);

static const char *const pre[] = { "gpt-2", "llama-bpe", "qwen2", "smollm" };

static void use(const struct sg_tokenizer *t)
{
	static const char text[] = " a<s> ab\xe2\x96\x81 \xf0\x9f\x98\x80 e\xcc\x81 123ababab</s>";
	struct sg_ids l = { 0 };
	struct sg_buf b = { 0 };

	for (unsigned flags = 0; flags < 4; flags++)
		if (sg_tokenizer_encode(t, &l, text, sizeof(text) - 1, flags) < 0)
			abort();
	for (unsigned flags = 0; flags < 8; flags++)
		if (sg_tokenizer_decode(t, &b, l.id, l.n, flags) < 0)
			abort();
	sg_ids_release(&l);
	sg_buf_release(&b);
}

int sg_fuzz_tokparts(const uint8_t *data, size_t n)
{
	struct sg_tok_parts p = { .bos = -1, .eos = -1, .unk = -1, .add_bos = -1, .add_eos = -1, .add_space = -1 };
	struct sg_tok_text *token = sg_calloc(n + 1, sizeof(*token)), *merge = sg_calloc(n + 1, sizeof(*merge));
	int32_t *type = sg_calloc(n + 1, sizeof(*type));
	float *score = sg_calloc(n + 1, sizeof(*score));
	struct sg_tokenizer *t = NULL;
	size_t i = 2;

	if (n < 2 || !token || !merge || !type || !score)
		goto out;
	p.model = data[0] & 1 ? "gpt2" : "llama";
	p.pre = pre[data[0] >> 1 & 3];
	p.bos = data[1] & 7;
	while (i + 2 <= n) {
		size_t len = data[i + 1] & 31, k = p.n;
		struct sg_tok_text x = { (const char *)data + i + 2, SG_MIN(len, n - i - 2) };

		if (data[i + 1] & 128) {
			merge[p.n_merges++] = x;
		} else {
			type[k] = data[i] & 7;
			score[k] = (float)(data[i] >> 3);
			token[p.n++] = x;
		}
		i += 2 + len;
	}
	p.token = token;
	p.merge = merge;
	p.type = type;
	p.score = score;
	if (sg_tokenizer_from_parts(&t, &p, "fuzz") >= 0)
		use(t);
	sg_tokenizer_free(t);
out:
	free(token);
	free(merge);
	free(type);
	free(score);
	return 0;
}
SG_FUZZ(tokparts)
