/*
 * tokenizer.json to a tokenizer. Every part that changes what comes out is
 * either read or refused by name: a tokenizer that is nearly right would make
 * every number measured with it wrong.
 */
#include "model/tok_json.h"
#include "base/error.h"
#include "base/mem.h"

int sg_tokj_unsupported(const char *what, const char *part, const char *name)
{
	return sg_fail(SG_E_UNSUPPORTED, "tokenizer '%s' needs the %s '%s', which is not there yet", what, part, name);
}

int sg_tokj_corrupt(const char *what, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "tokenizer '%s': %s", what, why);
}

bool sg_tokj_is_null(const struct sg_json *j)
{
	return !j || j->type == SG_JSON_NULL;
}

bool sg_tokj_is(const struct sg_json *j, const char *s)
{
	return j && j->type == SG_JSON_STRING && j->len == strlen(s) && !memcmp(j->str, s, j->len);
}

const char *sg_tokj_type(const struct sg_json *j)
{
	const char *s = "";
	const struct sg_json *k = sg_json_get(j, "type");

	return k && k->type == SG_JSON_STRING ? k->str : s;
}

int sg_tokj_copy(char **out, size_t *n, const struct sg_json *j, const char *what)
{
	if (!j || j->type != SG_JSON_STRING)
		return sg_tokj_corrupt(what, "a string is missing");
	*out = sg_strndup(j->str, j->len);
	*n = j->len;
	return *out ? 0 : -SG_E_NOMEM;
}

int sg_tokj_count(const struct sg_json *j, const char *key, int64_t hi, const char *what, int64_t *out)
{
	int rc = sg_json_i64(j, key, 0, hi, out);

	return rc < 0 ? sg_fail_in(rc, "tokenizer '%s'", what) : 0;
}

int sg_tokj_flag(const struct sg_json *j, const char *key, const char *what, bool *out)
{
	int rc = sg_json_bool(j, key, out);

	return rc < 0 ? sg_fail_in(rc, "tokenizer '%s'", what) : 0;
}

const struct sg_json *sg_tokj_parts(const struct sg_json *j, const char *list)
{
	return strcmp(sg_tokj_type(j), "Sequence") ? j : sg_json_get(j, list) ? sg_json_get(j, list)->child : NULL;
}

const struct sg_json *sg_tokj_next(const struct sg_json *whole, const struct sg_json *p)
{
	return p == whole ? NULL : p->next;
}

/* ---- model ---- */

/* Ids may have holes, but not so many that a small file takes much memory. */
static size_t id_limit(size_t count_)
{
	return count_ * 16 + 1024;
}

static int read_vocab(struct sg_vocab *v, const struct sg_json *j, const char *what)
{
	if (!j || j->type != SG_JSON_OBJECT)
		return sg_tokj_corrupt(what, "model.vocab is no object");
	SG_TRY(sg_vocab_init(v, id_limit(j->n), j->n));
	for (const struct sg_json *e = j->child; e; e = e->next) {
		int rc;

		if (e->type != SG_JSON_NUMBER || !(e->num >= 0) || e->num >= (double)v->ids ||
		    e->num != (double)(uint32_t)e->num)
			return sg_fail(SG_E_CORRUPT, "tokenizer '%s': token '%s' has no usable id", what, e->key);
		rc = sg_vocab_put(v, (uint32_t)e->num, e->key, e->key_len);
		if (rc == -SG_E_EXISTS)
			return sg_fail(SG_E_CORRUPT, "tokenizer '%s': id %u is there twice", what, (uint32_t)e->num);
		SG_TRY(rc);
	}
	return 0;
}

/* A merge is "left right" or ["left", "right"]. */
static int split_merge(const struct sg_json *m, const char **l, size_t *ln, const char **r, size_t *rn)
{
	if (m->type == SG_JSON_ARRAY && m->n == 2 && m->child->type == SG_JSON_STRING &&
	    m->child->next->type == SG_JSON_STRING) {
		*l = m->child->str;
		*ln = m->child->len;
		*r = m->child->next->str;
		*rn = m->child->next->len;
		return 0;
	}
	return m->type == SG_JSON_STRING ? sg_bpe_split(m->str, m->len, l, ln, r, rn) : -1;
}

static int read_merges(struct sg_bpe *b, const struct sg_json *j, const char *what)
{
	uint32_t rank = 0;
	size_t n = 0;

	if (!j || j->type != SG_JSON_ARRAY)
		return sg_tokj_corrupt(what, "model.merges is no array");
	SG_TRY(sg_pairs_init(&b->merges, j->n));
	for (const struct sg_json *m = j->child; m; m = m->next, n++) {
		const char *l, *r;
		size_t ln, rn;
		int rc;

		/* the text form carries over comments of merges.txt */
		if (m->type == SG_JSON_STRING && m->len >= 8 && !memcmp(m->str, "#version", 8))
			continue;
		if (split_merge(m, &l, &ln, &r, &rn) < 0)
			return sg_fail(SG_E_CORRUPT, "tokenizer '%s': merge %zu is no pair", what, n);
		rc = sg_bpe_add(b, rank++, l, ln, r, rn);
		if (rc < 0)
			return sg_fail_in(rc, "tokenizer '%s', merge %zu", what, n);
	}
	return 0;
}

static int read_model(struct sg_bpe *b, const struct sg_json *m, const char *what)
{
	static const char *const affix[] = { "continuing_subword_prefix", "end_of_word_suffix" };
	const struct sg_json *unk = sg_json_get(m, "unk_token");
	double dropout = 0;

	if (!m || m->type != SG_JSON_OBJECT)
		return sg_tokj_corrupt(what, "there is no model");
	if (sg_json_get(m, "type") && strcmp(sg_tokj_type(m), "BPE"))
		return sg_tokj_unsupported(what, "model", sg_tokj_type(m));
	for (size_t i = 0; i < SG_LEN(affix); i++)
		if (!sg_tokj_is_null(sg_json_get(m, affix[i])) && !sg_tokj_is(sg_json_get(m, affix[i]), ""))
			return sg_tokj_unsupported(what, "model option", affix[i]);
	SG_TRY(sg_json_f64(m, "dropout", &dropout));
	if (dropout != 0)
		return sg_tokj_unsupported(what, "model option", "dropout");
	SG_TRY(sg_tokj_flag(m, "fuse_unk", what, &b->fuse_unk));
	SG_TRY(sg_tokj_flag(m, "byte_fallback", what, &b->byte_fallback));
	SG_TRY(sg_tokj_flag(m, "ignore_merges", what, &b->whole_first));
	SG_TRY(read_vocab(&b->vocab, sg_json_get(m, "vocab"), what));
	b->unk = -1;
	if (!sg_tokj_is_null(unk)) {
		b->unk = unk->type == SG_JSON_STRING ? sg_vocab_find(&b->vocab, unk->str, unk->len) : -1;
		if (b->unk < 0)
			return sg_tokj_corrupt(what, "the unknown token is not in the vocabulary");
	}
	return read_merges(b, sg_json_get(m, "merges"), what);
}

/* ---- added tokens ---- */

static int read_added(struct sg_tokenizer *t, const struct sg_json *j, unsigned char *seen, const char *what)
{
	size_t next = t->bpe.vocab.used;

	for (const struct sg_json *p = j->child; p; p = p->next) {
		const struct sg_json *text = sg_json_get(p, "content");
		struct sg_tok_added *a = &t->added[t->n_added];
		int64_t id = -1;

		if (!text || text->type != SG_JSON_STRING)
			return sg_tokj_corrupt(what, "an added token has no content");
		if (!text->len)
			continue;
		SG_TRY(sg_tokj_count(p, "id", (int64_t)t->extra.ids - 1, what, &id));
		SG_TRY(sg_tokj_flag(p, "special", what, &a->special));
		SG_TRY(sg_tokj_flag(p, "normalized", what, &a->normalized));
		SG_TRY(sg_tokj_flag(p, "lstrip", what, &a->lstrip));
		SG_TRY(sg_tokj_flag(p, "rstrip", what, &a->rstrip));
		SG_TRY(sg_tokj_flag(p, "single_word", what, &a->single));
		a->id = sg_vocab_find(&t->bpe.vocab, text->str, text->len);
		if (a->id < 0) {
			/* the library numbers these itself, whatever the file says */
			a->id = (int32_t)next++;
			SG_TRY(sg_vocab_put(&t->extra, (uint32_t)a->id, text->str, text->len));
		}
		if (a->id != id || sg_tok_spelling(t, id, &(size_t){ 0 }) == NULL || seen[id]++)
			return sg_fail(SG_E_CORRUPT, "tokenizer '%s': added token '%s' has the id %lld, which does not fit "
				       "the vocabulary", what, text->str, (long long)id);
		t->n_added++;
		SG_TRY(sg_tokj_copy(&a->pattern, &a->n, text, what));
	}
	return 0;
}

static int read_all_added(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	unsigned char *seen;
	size_t ids;
	int rc;

	if (sg_tokj_is_null(j))
		return 0;
	if (j->type != SG_JSON_ARRAY)
		return sg_tokj_corrupt(what, "added_tokens is no array");
	ids = SG_MAX(t->bpe.vocab.n, t->bpe.vocab.used + j->n) + 1;
	SG_TRY(sg_vocab_init(&t->extra, ids, j->n));
	SG_TRY(SG_NEW(t->added, j->n));
	SG_TRY(SG_NEW(seen, ids));
	rc = read_added(t, j, seen, what);
	free(seen);
	return rc < 0 ? rc : sg_tok_normalise_added(t);
}

/* ---- template ---- */

static int add_template_token(struct sg_tokenizer *t, const struct sg_json *post, const struct sg_json *piece,
			      struct sg_ids *to, const char *what)
{
	const struct sg_json *name = sg_json_get(piece, "id");
	const struct sg_json *map = sg_json_get(post, "special_tokens"), *ids = NULL;

	if (name && name->type == SG_JSON_STRING)
		ids = sg_json_get(sg_json_get(map, name->str), "ids");
	if (!ids || ids->type != SG_JSON_ARRAY)
		return sg_tokj_corrupt(what, "the template names a token that it does not define");
	for (const struct sg_json *i = ids->child; i; i = i->next) {
		size_t n;

		if (i->type != SG_JSON_NUMBER || !(i->num >= 0 && i->num < INT32_MAX) ||
		    !sg_tok_spelling(t, (int64_t)i->num, &n))
			return sg_tokj_corrupt(what, "the template has an id that is no token");
		SG_TRY(sg_ids_add(to, (int32_t)i->num));
	}
	return 0;
}

static int read_template(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	const struct sg_json *single = sg_json_get(j, "single");
	bool text = false;

	if (!single || single->type != SG_JSON_ARRAY || t->prefix.n || t->suffix.n)
		return sg_tokj_unsupported(what, "post-processor", "TemplateProcessing in this form");
	for (const struct sg_json *p = single->child; p; p = p->next) {
		const struct sg_json *seq = sg_json_get(p, "Sequence"), *tok = sg_json_get(p, "SpecialToken");

		if (seq && !text && sg_tokj_is(sg_json_get(seq, "id"), "A"))
			text = true;
		else if (tok)
			SG_TRY(add_template_token(t, j, tok, text ? &t->suffix : &t->prefix, what));
		else
			return sg_tokj_unsupported(what, "post-processor", "TemplateProcessing in this form");
	}
	return text ? 0 : sg_tokj_corrupt(what, "the template has no place for the text");
}

static int read_post(struct sg_tokenizer *t, const struct sg_json *j, const char *what)
{
	if (sg_tokj_is_null(j))
		return 0;
	for (const struct sg_json *p = sg_tokj_parts(j, "processors"); p; p = sg_tokj_next(j, p)) {
		/* ByteLevel moves offsets only */
		if (!strcmp(sg_tokj_type(p), "TemplateProcessing"))
			SG_TRY(read_template(t, p, what));
		else if (strcmp(sg_tokj_type(p), "ByteLevel"))
			return sg_tokj_unsupported(what, "post-processor", sg_tokj_type(p));
	}
	return 0;
}

int sg_tok_json(struct sg_tokenizer *t, const struct sg_json *root, const char *what)
{
	if (root->type != SG_JSON_OBJECT)
		return sg_tokj_corrupt(what, "it is no object");
	SG_TRY(read_model(&t->bpe, sg_json_get(root, "model"), what));
	SG_TRY(sg_tokj_normalizer(t, sg_json_get(root, "normalizer"), what));
	SG_TRY(sg_tokj_words(t, sg_json_get(root, "pre_tokenizer"), what));
	SG_TRY(sg_tok_tables(t, what));
	SG_TRY(read_all_added(t, sg_json_get(root, "added_tokens"), what));
	SG_TRY(read_post(t, sg_json_get(root, "post_processor"), what));
	return sg_tokj_decoder(t, sg_json_get(root, "decoder"), what);
}
