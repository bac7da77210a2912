/*
 * What tokenizer.json does to text: normaliser and words on the way in, the
 * decoder on the way out.
 */
#include "model/tok_json.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/tok_utf8.h"

/* ---- normaliser ---- */

static int add_step(struct sg_tok_step *list, size_t *n, enum sg_tok_step_kind kind, const struct sg_json *from,
		    const struct sg_json *to, const char *what)
{
	struct sg_tok_step *s = &list[*n];

	if (*n == SG_TOK_STEPS)
		return sg_tokj_unsupported(what, "long list of", "normalizers");
	*s = (struct sg_tok_step){ .kind = kind };
	++*n;		/* released with the tokenizer from here on */
	if (kind == SG_TOK_REPLACE_ALL) {
		SG_TRY(sg_tokj_copy(&s->from, &s->from_len, from, what));
		if (!s->from_len)
			return sg_tokj_corrupt(what, "an empty text cannot be replaced");
	}
	return kind == SG_TOK_NFC ? 0 : sg_tokj_copy(&s->to, &s->to_len, to, what);
}

/* {"type":"Replace","pattern":{"String":...},"content":...} */
static int add_replace(struct sg_tok_step *list, size_t *n, const struct sg_json *j, const char *what)
{
	const struct sg_json *from = sg_json_get(sg_json_get(j, "pattern"), "String");

	if (!from)
		return sg_tokj_unsupported(what, "Replace", "by regular expression");
	return add_step(list, n, SG_TOK_REPLACE_ALL, from, sg_json_get(j, "content"), what);
}

int sg_tokj_normalizer(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	if (sg_tokj_is_null(j))
		return 0;
	for (const struct sg_json *p = sg_tokj_parts(j, "normalizers"); p; p = sg_tokj_next(j, p)) {
		const char *type = sg_tokj_type(p);

		if (!strcmp(type, "Prepend"))
			SG_TRY(add_step(t->step, &t->n_steps, SG_TOK_PREPEND, NULL, sg_json_get(p, "prepend"), what));
		else if (!strcmp(type, "Replace"))
			SG_TRY(add_replace(t->step, &t->n_steps, p, what));
		else if (!strcmp(type, "NFC"))
			SG_TRY(add_step(t->step, &t->n_steps, SG_TOK_NFC, NULL, NULL, what));
		else
			return sg_tokj_unsupported(what, "normalizer", type);
	}
	return 0;
}

/* ---- words ---- */

static int read_metaspace(struct sg_tokenizer *t, const struct sg_json *j, const char *what, bool words)
{
	const struct sg_json *meta = sg_json_get(j, "replacement"), *scheme = sg_json_get(j, "prepend_scheme");
	bool prefix = true, split = true;
	enum sg_tok_scheme s;

	SG_TRY(sg_tokj_flag(j, "add_prefix_space", what, &prefix));
	SG_TRY(sg_tokj_flag(j, "split", what, &split));
	if (!meta || meta->type != SG_JSON_STRING || !meta->len || sg_utf8_size((unsigned char)*meta->str) != meta->len)
		return sg_tokj_corrupt(what, "the replacement of Metaspace is no character");
	if (sg_tokj_is_null(scheme) || sg_tokj_is(scheme, "always"))
		s = SG_TOK_ALWAYS;
	else if (sg_tokj_is(scheme, "first"))
		s = SG_TOK_FIRST;
	else if (sg_tokj_is(scheme, "never"))
		s = SG_TOK_NEVER;
	else
		return sg_tokj_unsupported(what, "Metaspace", "with this prepend_scheme");
	if (!prefix && !sg_tokj_is_null(scheme) && s != SG_TOK_NEVER)
		return sg_tokj_corrupt(what, "add_prefix_space and prepend_scheme of Metaspace differ");
	if (t->meta_len && (t->meta_len != meta->len || memcmp(t->meta, meta->str, meta->len)))
		return sg_tokj_unsupported(what, "pair of", "two different Metaspace characters");
	memcpy(t->meta, meta->str, meta->len);
	t->meta_len = meta->len;
	if (!words) {
		t->back_meta = prefix && s != SG_TOK_NEVER;
		return 0;
	}
	t->metaspace = true;
	t->split = split;
	t->scheme = prefix ? s : SG_TOK_NEVER;
	return 0;
}

static int add_cut(struct sg_tokenizer *t, sg_split_fn *cut, const char *what)
{
	if (t->n_cuts == SG_TOK_CUTS)
		return sg_tokj_unsupported(what, "long list of", "pre-tokenizers");
	t->cut[t->n_cuts++] = cut;
	return 0;
}

/* {"type":"Split","pattern":{"Regex":...},"behavior":"Isolated"}. The known
 * expressions match all of a text, so what does not match need not be kept. */
static int read_split(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	const struct sg_json *regex = sg_json_get(sg_json_get(j, "pattern"), "Regex");
	const struct sg_json *behavior = sg_json_get(j, "behavior");
	bool invert = false;
	sg_split_fn *cut;

	SG_TRY(sg_tokj_flag(j, "invert", what, &invert));
	if (!regex || regex->type != SG_JSON_STRING)
		return sg_tokj_unsupported(what, "pre-tokenizer", "Split by text");
	if (!(cut = sg_split_find(regex->str, regex->len)))
		return sg_tokj_unsupported(what, "pre-tokenizer Split by the regular expression", regex->str);
	if (!sg_tokj_is(behavior, invert ? "Removed" : "Isolated"))
		return sg_tokj_unsupported(what, "pre-tokenizer", "Split with this behavior");
	return add_cut(t, cut, what);
}

static int read_digits(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	bool each = false;

	SG_TRY(sg_tokj_flag(j, "individual_digits", what, &each));
	return add_cut(t, each ? sg_split_digit : sg_split_digits, what);
}

static int read_level(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	bool space = true, regex = true;

	SG_TRY(sg_tokj_flag(j, "add_prefix_space", what, &space));
	SG_TRY(sg_tokj_flag(j, "use_regex", what, &regex));
	t->level = true;
	if (space)
		t->space_at = t->n_cuts;
	return regex ? add_cut(t, sg_split_gpt2, what) : 0;
}

/* Metaspace alone, or cuts and ByteLevel at their end. */
int sg_tokj_words(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	t->space_at = SIZE_MAX;
	if (sg_tokj_is_null(j))
		return 0;
	for (const struct sg_json *p = sg_tokj_parts(j, "pretokenizers"); p; p = sg_tokj_next(j, p)) {
		const char *type = sg_tokj_type(p);

		if (t->metaspace || t->level)
			return sg_tokj_unsupported(what, "pre-tokenizer behind the last", type);
		if (!strcmp(type, "Metaspace") && !t->n_cuts)
			SG_TRY(read_metaspace(t, p, what, true));
		else if (!strcmp(type, "Digits"))
			SG_TRY(read_digits(t, p, what));
		else if (!strcmp(type, "Split"))
			SG_TRY(read_split(t, p, what));
		else if (!strcmp(type, "ByteLevel"))
			SG_TRY(read_level(t, p, what));
		else
			return sg_tokj_unsupported(what, "pre-tokenizer", type);
	}
	if (t->n_cuts && !t->level)
		return sg_tokj_unsupported(what, "pre-tokenizer", "Split or Digits without ByteLevel");
	return 0;
}

/* ---- decoder ---- */

static int read_strip(struct sg_tokenizer *t, const struct sg_json *p, bool fused, const char *what)
{
	int64_t start = 0, stop = 0;

	SG_TRY(sg_tokj_count(p, "start", INT32_MAX, what, &start));
	SG_TRY(sg_tokj_count(p, "stop", INT32_MAX, what, &stop));
	if (!fused || start > 1 || stop || !sg_tokj_is(sg_json_get(p, "content"), " "))
		return sg_tokj_unsupported(what, "decoder", "Strip in this form");
	t->back_strip = start;
	return 0;
}

/* ByteLevel, or Replace, ByteFallback, Fuse, Strip in this order, or Metaspace first. */
int sg_tokj_decoder(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	int stage = 0;
	bool fused = false;

	if (sg_tokj_is_null(j))
		return sg_tokj_unsupported(what, "decoder", "null");
	for (const struct sg_json *p = sg_tokj_parts(j, "decoders"); p; p = sg_tokj_next(j, p)) {
		static const char *const order[] = { "Metaspace", "Replace", "ByteFallback", "Fuse", "Strip" };
		const char *type = sg_tokj_type(p);
		int k = 0;

		if (!strcmp(type, "ByteLevel") && !stage && !t->n_back && !sg_tokj_next(j, p)) {
			t->back_level = true;
			return 0;
		}
		while (k < (int)SG_LEN(order) && strcmp(type, order[k]))
			k++;
		if (k == SG_LEN(order) || k < stage || (k == stage && k != 1 && stage))
			return sg_tokj_unsupported(what, "decoder", k == SG_LEN(order) ? type : "parts in this order");
		stage = k;
		fused = fused || k == 3;
		if (k == 0) {
			SG_TRY(read_metaspace(t, p, what, false));
			t->back[0].kind = SG_TOK_REPLACE_ALL;
			t->n_back = 1;
			t->back[0].from = sg_strndup(t->meta, t->meta_len);
			t->back[0].to = sg_strdup(" ");
			t->back[0].from_len = t->meta_len;
			t->back[0].to_len = 1;
			if (!t->back[0].from || !t->back[0].to)
				return -SG_E_NOMEM;
		} else if (k == 1) {
			SG_TRY(add_replace(t->back, &t->n_back, p, what));
		} else if (k == 2) {
			t->back_bytes = true;
		} else if (k == 4) {
			SG_TRY(read_strip(t, p, fused, what));
		}
	}
	return 0;
}

