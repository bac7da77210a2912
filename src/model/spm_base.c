/*
 * What a SentencePiece model says, a vocabulary in a GGUF file says too, in other
 * words: it is put into those, and read from there.
 */
#include "model/spm_base.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/gguf_base.h"

#define MODEL_MAX ((size_t)64 << 20)
#define CONFIG_MAX ((size_t)16 << 20)

static int unsupported(const char *what, const char *part, const char *name)
{
	return sg_fail(SG_E_UNSUPPORTED, "'%s': %s %s is not supported; transformers can write it as tokenizer.json", what, part,
		       name);
}

static int check(const struct sg_spm *s, const char *what)
{
	static const char *const models[] = { "", "unigram", "bpe", "word", "char" };
	bool byte[256] = { false };
	size_t bytes = 0;

	if (s->model != SG_SPM_BPE)
		return unsupported(what, "a SentencePiece model of the type", models[s->model]);
	if (s->charsmap)
		return unsupported(what, "a SentencePiece model with", "a table that rewrites characters (nmt_nfkc or the like)");
	if (s->trim)
		return unsupported(what, "a SentencePiece model with", "remove_extra_whitespaces");
	if (!s->escape || s->suffix)
		return unsupported(what, "a SentencePiece model with", s->suffix ? "treat_whitespace_as_suffix" :
				   "spaces that are not escaped");
	if (!s->byte_fallback)
		return unsupported(what, "a SentencePiece model without", "byte_fallback");
	for (size_t i = 0; i < s->n; i++) {
		const struct sg_spm_piece *p = &s->piece[i];
		char text[8], *end;
		unsigned long v;

		if (p->kind == SG_SPM_UNUSED)
			return unsupported(what, "a SentencePiece model with", "pieces that are switched off");
		if (p->kind == SG_SPM_USER)	/* found after the space in front is put there: no added token is */
			return unsupported(what, "a SentencePiece model with", "user-defined pieces");
		if (p->kind != SG_SPM_BYTE)
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)SG_MIN(p->n, 7), p->s);
		v = p->n == 6 && !memcmp(p->s, "<0x", 3) ? strtoul(text + 3, &end, 16) : 256;
		if (v > 255 || *end != '>' || byte[v])
			return sg_fail(SG_E_CORRUPT, "'%s': piece %zu is no byte", what, i);
		byte[v] = true;
		bytes++;
	}
	return bytes == 256 ? 0 : sg_fail(SG_E_CORRUPT, "'%s': %zu bytes of 256 have a piece", what, bytes);
}

static int text(struct sg_buf *b, const char *s, size_t n)
{
	SG_TRY(sg_wr_u64(b, n));
	return sg_buf_add(b, s, n);
}

struct values { struct sg_buf tokens, scores, kinds, model, ends; };

static int fill(struct values *v, const struct sg_spm *s, bool add_bos, bool add_eos)
{
	for (size_t i = 0; i < s->n; i++) {
		SG_TRY(text(&v->tokens, s->piece[i].s, s->piece[i].n));
		SG_TRY(sg_wr_f32(&v->scores, s->piece[i].score));
		SG_TRY(sg_wr_u32(&v->kinds, (uint32_t)s->piece[i].kind));
	}
	SG_TRY(text(&v->model, "llama", 5));
	SG_TRY(sg_wr_u32(&v->ends, (uint32_t)s->bos));	/* past the end: none */
	SG_TRY(sg_wr_u32(&v->ends, (uint32_t)s->eos));
	SG_TRY(sg_wr_u32(&v->ends, (uint32_t)s->unk));
	SG_TRY(sg_wr_u8(&v->ends, add_bos));
	SG_TRY(sg_wr_u8(&v->ends, add_eos));
	return sg_wr_u8(&v->ends, s->prefix);
}

static struct sg_gguf_kv one(const char *key, enum sg_gguf_type type, const struct sg_buf *b, size_t at, size_t bytes)
{
	return (struct sg_gguf_kv){ key, type, false, 1, bytes, (const unsigned char *)b->data + at };
}

static struct sg_gguf_kv many(const char *key, enum sg_gguf_type type, const struct sg_buf *b, size_t n)
{
	return (struct sg_gguf_kv){ key, type, true, n, b->len, (const unsigned char *)b->data };
}

int sg_spm_tokenizer(struct sg_buf *out, const struct sg_spm *s, bool add_bos, bool add_eos, const char *what)
{
	struct values v = { .tokens = { 0 } };
	int rc = check(s, what);

	if (rc >= 0)
		rc = fill(&v, s, add_bos, add_eos);
	if (rc >= 0) {
		struct sg_gguf_kv kv[] = {	/* sorted by key */
			one("tokenizer.ggml.add_bos_token", SG_GGUF_BOOL, &v.ends, 12, 1),
			one("tokenizer.ggml.add_eos_token", SG_GGUF_BOOL, &v.ends, 13, 1),
			one("tokenizer.ggml.add_space_prefix", SG_GGUF_BOOL, &v.ends, 14, 1),
			one("tokenizer.ggml.bos_token_id", SG_GGUF_U32, &v.ends, 0, 4),
			one("tokenizer.ggml.eos_token_id", SG_GGUF_U32, &v.ends, 4, 4),
			one("tokenizer.ggml.model", SG_GGUF_STRING, &v.model, 0, v.model.len),
			many("tokenizer.ggml.scores", SG_GGUF_F32, &v.scores, s->n),
			many("tokenizer.ggml.token_type", SG_GGUF_I32, &v.kinds, s->n),
			many("tokenizer.ggml.tokens", SG_GGUF_STRING, &v.tokens, s->n),
			one("tokenizer.ggml.unknown_token_id", SG_GGUF_U32, &v.ends, 8, 4),
		};
		struct sg_gguf g = { .version = 3, .kv = kv, .n_kv = SG_LEN(kv) };

		rc = sg_gguf_tokenizer(out, &g, what);
	}
	sg_buf_release(&v.tokens);
	sg_buf_release(&v.scores);
	sg_buf_release(&v.kinds);
	sg_buf_release(&v.model);
	sg_buf_release(&v.ends);
	return rc;
}

/* --- a folder ------------------------------------------------------------------ */

static int truth(const struct sg_json *o, const char *key, const char *what, bool *out)
{
	const struct sg_json *j = sg_json_get(o, key);

	if (!j || j->type == SG_JSON_NULL)
		return 0;
	if (j->type != SG_JSON_BOOL)
		return sg_fail(SG_E_CORRUPT, "'%s': '%s' is neither true nor false", what, key);
	*out = j->truth;
	return 0;
}

static int read_ends(bool *bos, bool *eos, const char *path)
{
	struct sg_json_doc doc = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_file_read(&b, path, CONFIG_MAX);

	if (rc >= 0)
		rc = sg_json_parse(&doc, b.data, b.len, path);
	if (rc >= 0)
		rc = truth(sg_json_root(&doc), "add_bos_token", path, bos);
	if (rc >= 0)
		rc = truth(sg_json_root(&doc), "add_eos_token", path, eos);
	sg_json_release(&doc);
	sg_buf_release(&b);
	return rc;
}

static int read_model(struct sg_buf *out, const char *path, bool bos, bool eos)
{
	struct sg_spm s = { .piece = NULL };
	struct sg_buf b = { 0 };
	int rc = sg_file_read(&b, path, MODEL_MAX);

	if (rc >= 0)
		rc = sg_spm_parse(&s, (const unsigned char *)b.data, b.len, path);
	if (rc >= 0)
		rc = sg_spm_tokenizer(out, &s, bos, eos, path);
	sg_spm_release(&s);
	sg_buf_release(&b);
	return rc;
}

int sg_spm_folder(struct sg_buf *out, const char *dir)
{
	char *model = sg_path_join(dir, "tokenizer.model"), *config = sg_path_join(dir, "tokenizer_config.json");
	char *added = sg_path_join(dir, "added_tokens.json");
	bool bos = true, eos = false;		/* as Llama has them */
	int rc = model && config && added ? 0 : -SG_E_NOMEM;

	if (rc >= 0 && sg_file_exists(added))
		rc = unsupported(added, "a SentencePiece model with", "tokens added beside it");
	if (rc >= 0 && sg_file_exists(config))
		rc = read_ends(&bos, &eos, config);
	if (rc >= 0)
		rc = read_model(out, model, bos, eos);
	free(model);
	free(config);
	free(added);
	return rc;
}
