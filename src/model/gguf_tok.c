#include "model/gguf_base.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/tok_vocab.h"

#define TEXT_MAX  ((size_t)256 << 20)	/* of tokenizer.json */
#define TOKEN_MAX 1024			/* bytes of a token that is joined from others */

/* What tokens are, as sentencepiece numbers it. */
enum kind { NORMAL = 1, UNKNOWN, CONTROL, USER, UNUSED, BYTE };

struct parts {
	const struct sg_gguf *g;
	const char *what;
	const struct sg_gguf_kv *tokens, *kinds, *scores, *merges;
	const char **token;			/* [tokens->n], in text */
	char *text;
	bool level;				/* byte-level, else sentencepiece */
	bool space, add_bos, add_eos;		/* a space in front of a text; ends around it */
	size_t bos, eos, unk;			/* SIZE_MAX: none */
	const struct pattern *pattern;
};

/*
 * Words of byte-level vocabularies, by the name that the file gives their pattern;
 * regex NULL: that of ByteLevel itself.
 */
static const struct pattern {
	const char *name, *regex;
	bool nfc, digits, whole;	/* normal form C; every digit alone; a word that is a token stays whole */
} patterns[] = {
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
	{ "gpt-2", NULL, false, false, false }, { "gpt2", NULL, false, false, false },
	{ "phi-2", NULL, false, false, false }, { "olmo", NULL, false, false, false },
	{ "smollm", NULL, false, true, false },
	{ "llama-bpe", CONTRACTIONS "\\p{N}{1,3}" REST, false, false, true },
	{ "llama3", CONTRACTIONS "\\p{N}{1,3}" REST, false, false, true },
	{ "llama-v3", CONTRACTIONS "\\p{N}{1,3}" REST, false, false, true },
	{ "qwen2", CONTRACTIONS "\\p{N}" REST, true, false, false },
	{ "deepseek-r1-qwen", CONTRACTIONS "\\p{N}" REST, true, false, false },
};

/* --- reading ---------------------------------------------------------------- */

/* Files from before patterns had names; only where nothing else can be meant. */
static int find_pattern(struct parts *p)
{
	struct sg_gguf_text pre = { "", 0 }, arch = { "", 0 };

	SG_TRY(sg_gguf_str(p->g, "tokenizer.ggml.pre", &pre));
	SG_TRY(sg_gguf_str(p->g, "general.architecture", &arch));
	if ((!pre.n || sg_gguf_is(pre, "default")) && sg_gguf_is(arch, "gpt2"))
		pre = (struct sg_gguf_text){ "gpt-2", 5 };
	if (!pre.n && (sg_gguf_is(arch, "qwen2") || sg_gguf_is(arch, "qwen3")))
		pre = (struct sg_gguf_text){ "qwen2", 5 };
	for (size_t i = 0; i < SG_LEN(patterns); i++)
		if (sg_gguf_is(pre, patterns[i].name)) {
			p->pattern = &patterns[i];
			return 0;
		}
	return sg_fail(SG_E_UNSUPPORTED, "'%s': the vocabulary cuts words by the pattern '%.*s', which is not supported "
		       "(known: gpt-2, smollm, llama-bpe, qwen2)", p->what, (int)SG_MIN(pre.n, 40), pre.n ? pre.s : "");
}

static int read_end(const struct parts *p, const char *key, size_t *id)
{
	*id = SIZE_MAX;
	SG_TRY(sg_gguf_size(p->g, key, 0, SIZE_MAX - 1, id));
	if (*id >= p->tokens->n)	/* some files have the id of a token that they lack */
		*id = SIZE_MAX;
	return 0;
}

static int read_tables(struct parts *p)
{
	size_t at = 0;
	char *to;

	SG_TRY(sg_gguf_array(p->g, "tokenizer.ggml.tokens", SG_GGUF_STRING, &p->tokens));
	SG_TRY(sg_gguf_array(p->g, "tokenizer.ggml.token_type", SG_GGUF_I32, &p->kinds));
	SG_TRY(sg_gguf_array(p->g, "tokenizer.ggml.scores", SG_GGUF_F32, &p->scores));
	SG_TRY(sg_gguf_array(p->g, "tokenizer.ggml.merges", SG_GGUF_STRING, &p->merges));
	if (!p->tokens || !p->tokens->n || p->tokens->n > 1 << 24)
		return sg_fail(SG_E_CORRUPT, "'%s' has no vocabulary that can be used", p->what);
	if ((p->kinds && p->kinds->n != p->tokens->n) || (p->scores && p->scores->n != p->tokens->n))
		return sg_fail(SG_E_CORRUPT, "'%s': types or scores of tokens are not as many as tokens", p->what);
	if (p->level ? !p->merges : !p->scores)
		return sg_fail(SG_E_CORRUPT, "'%s': key 'tokenizer.ggml.%s' is missing", p->what, p->level ? "merges" : "scores");
	SG_TRY(SG_NEW(p->token, p->tokens->n));
	SG_TRY(SG_NEW(p->text, p->tokens->bytes));	/* the place of a length is enough for a NUL */
	to = p->text;
	for (size_t i = 0; i < p->tokens->n; i++) {
		struct sg_gguf_text t = sg_gguf_next(p->tokens, &at);

		if (memchr(t.s, '\0', t.n))
			return sg_fail(SG_E_CORRUPT, "'%s': token %zu holds a NUL", p->what, i);
		p->token[i] = memcpy(to, t.s, t.n);
		to[t.n] = 0;
		to += t.n + 1;
	}
	return 0;
}

static int read_parts(struct parts *p)
{
	struct sg_gguf_text model = { "", 0 };

	SG_TRY(sg_gguf_str(p->g, "tokenizer.ggml.model", &model));
	p->level = sg_gguf_is(model, "gpt2");
	if (!p->level && !sg_gguf_is(model, "llama"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s': a vocabulary of the kind '%.*s' is not supported (known: gpt2, llama)",
			       p->what, (int)SG_MIN(model.n, 40), model.s);
	SG_TRY(read_tables(p));
	if (p->level)
		SG_TRY(find_pattern(p));
	p->add_bos = !p->level || p->pattern->whole;
	p->space = !p->level;
	SG_TRY(sg_gguf_bool(p->g, "tokenizer.ggml.add_bos_token", &p->add_bos));
	SG_TRY(sg_gguf_bool(p->g, "tokenizer.ggml.add_eos_token", &p->add_eos));
	SG_TRY(sg_gguf_bool(p->g, "tokenizer.ggml.add_space_prefix", &p->space));
	SG_TRY(read_end(p, "tokenizer.ggml.bos_token_id", &p->bos));
	SG_TRY(read_end(p, "tokenizer.ggml.eos_token_id", &p->eos));
	SG_TRY(read_end(p, "tokenizer.ggml.unknown_token_id", &p->unk));
	if (!p->level && p->unk == SIZE_MAX)
		p->unk = 0;
	p->add_bos &= p->bos != SIZE_MAX;
	p->add_eos &= p->eos != SIZE_MAX;
	return 0;
}

static int kind_of(const struct parts *p, size_t id)
{
	return p->kinds ? (int)sg_le32(p->kinds->data + 4 * id) : NORMAL;
}

/* Rows of the embedding past the tokens have names that no text means. */
static bool skipped(const struct parts *p, size_t id)
{
	return !*p->token[id] || (p->level && kind_of(p, id) == UNUSED);
}

/* --- writing ---------------------------------------------------------------- */

static void put_text(struct sg_jsonw *w, const char *key, const char *v)
{
	sg_jsonw_key(w, key);
	if (v)
		sg_jsonw_str(w, v);
	else
		sg_jsonw_null(w);
}

static void put_truth(struct sg_jsonw *w, const char *key, bool v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_bool(w, v);
}

static void put_id(struct sg_jsonw *w, const char *key, size_t v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_i64(w, (int64_t)v);
}

static void open_part(struct sg_jsonw *w, const char *key, const char *type)
{
	if (key)
		sg_jsonw_key(w, key);
	sg_jsonw_object(w);
	put_text(w, "type", type);
}

static void put_added(struct sg_jsonw *w, const struct parts *p)
{
	sg_jsonw_key(w, "added_tokens");
	sg_jsonw_array(w);
	for (size_t i = 0; i < p->tokens->n; i++) {
		int kind = kind_of(p, i);

		/* without types only the ends are known to be special */
		if (!p->kinds && (i == p->bos || i == p->eos || (!p->level && i == p->unk)))
			kind = CONTROL;
		if (skipped(p, i) || (kind != CONTROL && kind != USER && kind != UNKNOWN))
			continue;
		sg_jsonw_object(w);
		put_id(w, "id", i);
		put_text(w, "content", p->token[i]);
		put_truth(w, "single_word", false);
		put_truth(w, "lstrip", false);
		put_truth(w, "rstrip", false);
		put_truth(w, "normalized", false);
		put_truth(w, "special", kind != USER);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
}

static void put_replace(struct sg_jsonw *w, const char *from, const char *to)
{
	open_part(w, NULL, "Replace");
	sg_jsonw_key(w, "pattern");
	sg_jsonw_object(w);
	put_text(w, "String", from);
	sg_jsonw_end(w, '}');
	put_text(w, "content", to);
	sg_jsonw_end(w, '}');
}

#define SPACE "\xe2\x96\x81"	/* U+2581, how sentencepiece writes a space */

static void put_normalizer(struct sg_jsonw *w, const struct parts *p)
{
	if (p->level && !p->pattern->nfc) {
		put_text(w, "normalizer", NULL);
		return;
	}
	open_part(w, "normalizer", p->level ? "NFC" : "Sequence");
	if (!p->level) {
		sg_jsonw_key(w, "normalizers");
		sg_jsonw_array(w);
		if (p->space) {
			open_part(w, NULL, "Prepend");
			put_text(w, "prepend", SPACE);
			sg_jsonw_end(w, '}');
		}
		put_replace(w, " ", SPACE);
		sg_jsonw_end(w, ']');
	}
	sg_jsonw_end(w, '}');
}

static void put_level(struct sg_jsonw *w, const char *key, bool space, bool regex)
{
	open_part(w, key, "ByteLevel");
	put_truth(w, "add_prefix_space", space);
	put_truth(w, "trim_offsets", true);
	put_truth(w, "use_regex", regex);
	sg_jsonw_end(w, '}');
}

static void put_words(struct sg_jsonw *w, const struct parts *p)
{
	if (!p->level) {
		put_text(w, "pre_tokenizer", NULL);
		return;
	}
	open_part(w, "pre_tokenizer", "Sequence");
	sg_jsonw_key(w, "pretokenizers");
	sg_jsonw_array(w);
	if (p->pattern->digits) {
		open_part(w, NULL, "Digits");
		put_truth(w, "individual_digits", true);
		sg_jsonw_end(w, '}');
	}
	if (p->pattern->regex) {
		open_part(w, NULL, "Split");
		sg_jsonw_key(w, "pattern");
		sg_jsonw_object(w);
		put_text(w, "Regex", p->pattern->regex);
		sg_jsonw_end(w, '}');
		put_text(w, "behavior", "Isolated");
		put_truth(w, "invert", false);
		sg_jsonw_end(w, '}');
	}
	put_level(w, NULL, p->space, !p->pattern->regex);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
}

static void put_piece(struct sg_jsonw *w, const char *kind, const char *id)
{
	sg_jsonw_object(w);
	sg_jsonw_key(w, kind);
	sg_jsonw_object(w);
	put_text(w, "id", id);
	put_id(w, "type_id", 0);
	sg_jsonw_end(w, '}');
	sg_jsonw_end(w, '}');
}

/* One or two texts, each with the ends around it. */
static void put_template(struct sg_jsonw *w, const struct parts *p, const char *key, bool pair)
{
	sg_jsonw_key(w, key);
	sg_jsonw_array(w);
	for (int i = 0; i <= pair; i++) {
		if (p->add_bos)
			put_piece(w, "SpecialToken", p->token[p->bos]);
		put_piece(w, "Sequence", i ? "B" : "A");
		if (p->add_eos)
			put_piece(w, "SpecialToken", p->token[p->eos]);
	}
	sg_jsonw_end(w, ']');
}

static void put_special(struct sg_jsonw *w, const struct parts *p, size_t id)
{
	sg_jsonw_key(w, p->token[id]);
	sg_jsonw_object(w);
	put_text(w, "id", p->token[id]);
	sg_jsonw_key(w, "ids");
	sg_jsonw_array(w);
	sg_jsonw_i64(w, (int64_t)id);
	sg_jsonw_end(w, ']');
	sg_jsonw_key(w, "tokens");
	sg_jsonw_array(w);
	sg_jsonw_str(w, p->token[id]);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
}

static void put_post(struct sg_jsonw *w, const struct parts *p)
{
	if (!p->add_bos && !p->add_eos) {
		if (p->level)
			put_level(w, "post_processor", true, true);
		else
			put_text(w, "post_processor", NULL);
		return;
	}
	open_part(w, "post_processor", "TemplateProcessing");
	put_template(w, p, "single", false);
	put_template(w, p, "pair", true);
	sg_jsonw_key(w, "special_tokens");
	sg_jsonw_object(w);
	if (p->add_bos)
		put_special(w, p, p->bos);
	if (p->add_eos && !(p->add_bos && p->eos == p->bos))
		put_special(w, p, p->eos);
	sg_jsonw_end(w, '}');
	sg_jsonw_end(w, '}');
}

static void put_decoder(struct sg_jsonw *w, const struct parts *p)
{
	static const char *const plain[] = { "ByteFallback", "Fuse" };

	if (p->level) {
		put_level(w, "decoder", true, true);
		return;
	}
	open_part(w, "decoder", "Sequence");
	sg_jsonw_key(w, "decoders");
	sg_jsonw_array(w);
	put_replace(w, SPACE, " ");
	for (size_t i = 0; i < SG_LEN(plain); i++) {
		open_part(w, NULL, plain[i]);
		sg_jsonw_end(w, '}');
	}
	if (p->space) {
		open_part(w, NULL, "Strip");
		put_text(w, "content", " ");
		put_id(w, "start", 1);
		put_id(w, "stop", 0);
		sg_jsonw_end(w, '}');
	}
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
}

/* --- merges of sentencepiece -------------------------------------------------- */

/* Token `id` is what its first `left` bytes and the rest, both tokens, join to. */
struct join { uint32_t id, left, right; float score; };
struct joins { struct join *j; size_t n, cap; };

/* The best score first; of one token the longest left part. */
static int by_score(const void *pa, const void *pb)
{
	const struct join *a = pa, *b = pb;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	if (a->left != b->left)
		return a->left > b->left ? -1 : 1;
	if (a->right != b->right)
		return a->right > b->right ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static float score_of(const struct parts *p, size_t id)
{
	uint32_t u = sg_le32(p->scores->data + 4 * id);
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

/* May the token be joined, or be a part? Others are matched whole or never. */
static bool joins(const struct parts *p, size_t id)
{
	int kind = kind_of(p, id);

	return (kind == NORMAL || kind == UNUSED) && *p->token[id] && !strchr(p->token[id], ' ');
}

static int find_joins(struct joins *out, const struct parts *p, const struct sg_vocab *v)
{
	for (size_t id = 0; id < p->tokens->n; id++) {
		const char *s = p->token[id];
		size_t n = strlen(s);

		if (!joins(p, id))
			continue;
		if (!(score_of(p, id) - score_of(p, id) == 0))
			return sg_fail(SG_E_CORRUPT, "'%s': the score of token %zu is not finite", p->what, id);
		if (n > TOKEN_MAX)
			return sg_fail(SG_E_UNSUPPORTED, "'%s': token %zu of %zu bytes is too long", p->what, id, n);
		for (size_t left = 1; left < n; left++) {
			if (((unsigned char)s[left] & 0xc0) == 0x80 || sg_vocab_find(v, s, left) < 0 ||
			    sg_vocab_find(v, s + left, n - left) < 0)
				continue;
			SG_TRY(SG_GROW(out->j, out->n, out->cap));
			out->j[out->n++] = (struct join){ (uint32_t)id, (uint32_t)left, (uint32_t)(n - left), score_of(p, id) };
		}
	}
	if (out->n)
		qsort(out->j, out->n, sizeof(*out->j), by_score);
	return 0;
}

static int put_joins(struct sg_jsonw *w, const struct parts *p)
{
	char line[TOKEN_MAX + 2];
	struct sg_vocab v = { 0 };
	struct joins all = { 0 };
	int rc = sg_vocab_init(&v, p->tokens->n, p->tokens->n);

	for (size_t i = 0; rc >= 0 && i < p->tokens->n; i++)
		if (joins(p, i))
			rc = sg_vocab_put(&v, (uint32_t)i, p->token[i], strlen(p->token[i]));
	if (rc == -SG_E_EXISTS)
		rc = sg_fail(SG_E_CORRUPT, "'%s': a token is there twice", p->what);
	if (rc >= 0)
		rc = find_joins(&all, p, &v);
	for (size_t i = 0; rc >= 0 && i < all.n; i++) {
		const struct join *j = &all.j[i];

		snprintf(line, sizeof(line), "%.*s %s", (int)j->left, p->token[j->id], p->token[j->id] + j->left);
		sg_jsonw_str(w, line);
		rc = w->rc;
	}
	free(all.j);
	sg_vocab_release(&v);
	return rc;
}

/* --- the model ---------------------------------------------------------------- */

static int put_model(struct sg_jsonw *w, const struct parts *p)
{
	size_t at = 0;
	int rc = 0;

	open_part(w, "model", "BPE");
	put_text(w, "dropout", NULL);
	put_text(w, "unk_token", p->level ? NULL : p->token[p->unk]);
	put_text(w, "continuing_subword_prefix", NULL);
	put_text(w, "end_of_word_suffix", NULL);
	put_truth(w, "fuse_unk", !p->level);
	put_truth(w, "byte_fallback", !p->level);
	put_truth(w, "ignore_merges", p->level && p->pattern->whole);
	sg_jsonw_key(w, "vocab");
	sg_jsonw_object(w);
	for (size_t i = 0; i < p->tokens->n; i++)
		if (!skipped(p, i))
			put_id(w, p->token[i], i);
	sg_jsonw_end(w, '}');
	sg_jsonw_key(w, "merges");
	sg_jsonw_array(w);
	for (size_t i = 0; p->merges && i < p->merges->n; i++) {
		struct sg_gguf_text m = sg_gguf_next(p->merges, &at);

		sg_jsonw_strn(w, m.s, m.n);
	}
	if (!p->merges)
		rc = put_joins(w, p);
	sg_jsonw_end(w, ']');
	sg_jsonw_end(w, '}');
	return rc;
}

static int write_all(struct sg_jsonw *w, const struct parts *p)
{
	sg_jsonw_object(w);
	put_text(w, "version", "1.0");
	put_text(w, "truncation", NULL);
	put_text(w, "padding", NULL);
	put_added(w, p);
	put_normalizer(w, p);
	put_words(w, p);
	put_post(w, p);
	put_decoder(w, p);
	SG_TRY(put_model(w, p));
	sg_jsonw_end(w, '}');
	return sg_jsonw_done(w);
}

int sg_gguf_tokenizer(struct sg_buf *out, const struct sg_gguf *g, const char *what)
{
	struct parts p = { .g = g, .what = what };
	struct sg_jsonw w;
	int rc = read_parts(&p);

	out->max = TEXT_MAX;
	if (rc >= 0) {
		sg_jsonw_init(&w, out);
		rc = write_all(&w, &p);
	}
	free(p.token);
	free(p.text);
	return rc;
}
