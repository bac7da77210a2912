/* What a GGUF file says as config.json and tokenizer.json, and the base it makes. */
#include "base/json.h"
#include "model/checkpoint.h"
#include "model/gguf_base.h"
#include "model/tokenizer.h"
#include "tests/fuzz/fuzz.h"

int sg_fuzz_gguf_base(const uint8_t *data, size_t n);

static int texts(struct sg_buf *config, struct sg_buf *tok, const struct sg_gguf *g)
{
	SG_TRY(sg_gguf_config(config, g, "fuzz"));
	return sg_gguf_tokenizer(tok, g, "fuzz");
}

/* Texts that are made can be read; a base that opens gives every matrix. */
int sg_fuzz_gguf_base(const uint8_t *data, size_t n)
{
	struct sg_buf config = { 0 }, tok = { 0 };
	struct sg_checkpoint *c = NULL;
	struct sg_tokenizer *t = NULL;
	struct sg_json_doc doc = { 0 };
	struct sg_gguf g = { 0 };
	int rc = sg_gguf_parse(&g, data, n, "fuzz");

	if (rc >= 0)
		rc = texts(&config, &tok, &g);
	if (rc >= 0) {
		if (sg_json_parse(&doc, config.data, config.len, "config.json") < 0)
			abort();
		sg_json_release(&doc);
		(void)sg_tokenizer_parse(&t, tok.data, tok.len, "tokenizer.json");
		sg_tokenizer_free(t);
		rc = sg_checkpoint_make(&c, config.data, config.len, tok.data, tok.len, g.t, g.n, NULL);
	}
	for (size_t i = 0; rc >= 0 && i < sg_checkpoint_count(c); i++) {
		const char *ours;
		struct sg_mat m;

		(void)sg_checkpoint_tensor(c, i, &ours);
		if (*ours && (sg_checkpoint_mat(&m, c, ours) < 0 || !m.rows || !m.cols))
			abort();
		if (*ours)	/* its last element lies in the file */
			(void)sg_mat_at(&m, m.rows * m.cols - 1);
	}
	sg_checkpoint_free(c);
	sg_gguf_release(&g);
	sg_buf_release(&config);
	sg_buf_release(&tok);
	return rc < 0 ? rc : 0;
}

SG_FUZZ(gguf_base)
