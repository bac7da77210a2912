/*
 * A tokenizer from the parts that a GGUF file carries. What such a file does not
 * say (how text is cut into words, that Qwen normalises) its `pre` stands for;
 * the answer is that of the tokenizer.json of the same model.
 */
#include "model/tok_impl.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/tok_utf8.h"
#include <math.h>

static const char meta[] = "\xe2\x96\x81";	/* SentencePiece's space */

static int type_of(const struct sg_tok_parts *p, size_t id)
{
	return p->type ? p->type[id] : SG_TOK_NORMAL;
}

static int read_vocab(struct sg_tokenizer *t, const struct sg_tok_parts *p, const char *what)
{
	SG_TRY(sg_vocab_init(&t->bpe.vocab, p->n, p->n));
	for (size_t id = 0; id < p->n; id++) {
		int rc;

		if (sg_utf8_valid(p->token[id].s, p->token[id].n) < p->token[id].n)
			return sg_fail(SG_E_CORRUPT, "tokenizer of '%s': token %zu is no UTF-8", what, id);
		rc = sg_vocab_put(&t->bpe.vocab, (uint32_t)id, p->token[id].s, p->token[id].n);
		if (rc == -SG_E_EXISTS)
			return sg_fail(SG_E_CORRUPT, "tokenizer of '%s': token %zu is there twice", what, id);
		SG_TRY(rc);
	}
	return 0;
}

static int copy(char **out, size_t *n, const char *s, size_t len)
{
	*n = len;
	*out = sg_strndup(s, len);
	return *out ? 0 : -SG_E_NOMEM;
}

/* Control tokens are special, tokens of the user are found in text as well. */
static int read_added(struct sg_tokenizer *t, const struct sg_tok_parts *p, int unk)
{
	size_t n = 0;

	for (size_t id = 0; id < p->n; id++)
		n += type_of(p, id) == SG_TOK_CONTROL || type_of(p, id) == SG_TOK_USER || (int64_t)id == unk;
	if (!n)
		return 0;
	SG_TRY(SG_NEW(t->added, n));
	for (size_t id = 0; id < p->n; id++) {
		struct sg_tok_added *a = &t->added[t->n_added];

		if (type_of(p, id) != SG_TOK_CONTROL && type_of(p, id) != SG_TOK_USER && (int64_t)id != unk)
			continue;
		a->id = (int32_t)id;
		a->special = type_of(p, id) != SG_TOK_USER;
		SG_TRY(copy(&a->pattern, &a->n, p->token[id].s, p->token[id].n));
		t->n_added++;
	}
	return 0;
}

/* ---- byte-level ---- */

static const struct pre { const char *name; sg_split_fn *first, *cut; bool nfc, whole_first, bos; } pres[] = {
	{ "gpt-2", NULL, sg_split_gpt2, false, false, false },
	{ "smollm", sg_split_digit, sg_split_gpt2, false, false, false },
	{ "qwen2", NULL, sg_split_qwen2, true, false, false },
	{ "llama-bpe", NULL, sg_split_llama3, false, true, true },
};

static int read_merges(struct sg_tokenizer *t, const struct sg_tok_parts *p, const char *what)
{
	SG_TRY(sg_pairs_init(&t->bpe.merges, p->n_merges));
	for (size_t i = 0; i < p->n_merges; i++) {
		const char *l, *r;
		size_t ln, rn;
		int rc = -1;

		if (i > UINT32_MAX || sg_bpe_split(p->merge[i].s, p->merge[i].n, &l, &ln, &r, &rn) < 0)
			return sg_fail(SG_E_CORRUPT, "tokenizer of '%s': merge %zu is no pair", what, i);
		if ((rc = sg_bpe_add(&t->bpe, (uint32_t)i, l, ln, r, rn)) < 0)
			return sg_fail_in(rc, "tokenizer of '%s', merge %zu", what, i);
	}
	return 0;
}

static int read_level(struct sg_tokenizer *t, const struct sg_tok_parts *p, const char *what, bool *add_bos)
{
	const struct pre *pre = NULL;

	for (size_t i = 0; i < SG_LEN(pres); i++)
		if (p->pre && !strcmp(p->pre, pres[i].name))
			pre = &pres[i];
	if (!pre)
		return sg_fail(SG_E_UNSUPPORTED, "tokenizer of '%s' needs the pre-tokenizer '%s', which is not there yet", what,
			       p->pre ? p->pre : "(none said)");
	t->level = t->back_level = true;
	t->space_at = SIZE_MAX;
	if (pre->first)
		t->cut[t->n_cuts++] = pre->first;
	t->cut[t->n_cuts++] = pre->cut;
	if (pre->nfc)
		t->step[t->n_steps++] = (struct sg_tok_step){ .kind = SG_TOK_NFC };
	t->bpe.whole_first = pre->whole_first;
	t->bpe.unk = -1;
	*add_bos = pre->bos;
	SG_TRY(read_merges(t, p, what));
	return read_added(t, p, -1);
}

/* ---- SentencePiece: pairs join by the score of what they make ---- */

struct scored { float score; uint32_t id; };

static int by_score(const void *x, const void *y)
{
	const struct scored *a = x, *b = y;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static bool joins(const struct sg_tok_parts *p, size_t id)
{
	return type_of(p, id) == SG_TOK_NORMAL || type_of(p, id) == SG_TOK_USER;
}

/* Each way to cut a token in two tokens is a merge of its rank; returns their number. */
static int cut_token(struct sg_tokenizer *t, const struct sg_tok_parts *p, uint32_t id, uint32_t rank, bool put)
{
	const char *s = p->token[id].s;
	size_t n = p->token[id].n;
	int count = 0;

	for (size_t i = n ? sg_utf8_size((unsigned char)*s) : 0; i < n; i += sg_utf8_size((unsigned char)s[i])) {
		int32_t l = sg_vocab_find(&t->bpe.vocab, s, i), r = sg_vocab_find(&t->bpe.vocab, s + i, n - i);

		if (l < 0 || r < 0 || !joins(p, (size_t)l) || !joins(p, (size_t)r))
			continue;
		if (put)
			sg_pairs_put(&t->bpe.merges, sg_bpe_key(l, r), (uint64_t)rank << 32 | id);
		count++;
	}
	return count;
}

/* Equal scores have one rank, so that the leftmost pair goes first. */
static int put_merges(struct sg_tokenizer *t, const struct sg_tok_parts *p, const struct scored *by, size_t n)
{
	size_t count = 0;
	uint32_t rank = 0;

	for (size_t i = 0; i < n; i++)
		count += (size_t)cut_token(t, p, by[i].id, 0, false);
	SG_TRY(sg_pairs_init(&t->bpe.merges, count));
	for (size_t i = 0; i < n; i++) {
		rank += i && by[i].score != by[i - 1].score;
		cut_token(t, p, by[i].id, rank, true);
	}
	return 0;
}

#define LONGEST 256	/* bytes of a token: cutting costs their square */

static int merges_by_score(struct sg_tokenizer *t, const struct sg_tok_parts *p, const char *what)
{
	struct scored *by;
	size_t n = 0;
	int rc = 0;

	if (!p->score)
		return sg_fail(SG_E_CORRUPT, "tokenizer of '%s' has no scores", what);
	SG_TRY(SG_NEW(by, p->n));
	for (size_t id = 0; id < p->n && rc >= 0; id++) {
		if (!joins(p, id))
			continue;
		if (isnan(p->score[id]) || p->token[id].n > LONGEST)
			rc = sg_fail(SG_E_UNSUPPORTED, "tokenizer of '%s': token %zu %s", what, id,
				     isnan(p->score[id]) ? "has no score" : "is too long");
		by[n++] = (struct scored){ p->score[id], (uint32_t)id };
	}
	qsort(by, n, sizeof(*by), by_score);
	if (rc >= 0)
		rc = put_merges(t, p, by, n);
	free(by);
	return rc;
}

static int step(struct sg_tok_step *s, size_t *n, enum sg_tok_step_kind kind, const char *from, const char *to)
{
	s += (*n)++;
	s->kind = kind;
	SG_TRY(copy(&s->from, &s->from_len, from, strlen(from)));
	return copy(&s->to, &s->to_len, to, strlen(to));
}

static int read_pieces(struct sg_tokenizer *t, const struct sg_tok_parts *p, const char *what, bool *add_bos)
{
	bool space = p->add_space != 0;

	for (size_t id = 0; id < p->n && p->unk < 0; id++)
		if (type_of(p, id) == SG_TOK_UNKNOWN)
			t->bpe.unk = (int32_t)id;
	t->bpe.byte_fallback = t->bpe.fuse_unk = true;
	t->back_bytes = true;
	t->back_strip = space;
	*add_bos = true;
	if (space)
		SG_TRY(step(t->step, &t->n_steps, SG_TOK_PREPEND, "", meta));
	SG_TRY(step(t->step, &t->n_steps, SG_TOK_REPLACE_ALL, " ", meta));
	SG_TRY(step(t->back, &t->n_back, SG_TOK_REPLACE_ALL, meta, " "));
	SG_TRY(merges_by_score(t, p, what));
	return read_added(t, p, t->bpe.unk);
}

/* ---- all of it ---- */

static bool is_id(const struct sg_tok_parts *p, int32_t id)
{
	return id >= -1 && (id < 0 || (size_t)id < p->n);
}

static int read_ends(struct sg_tokenizer *t, const struct sg_tok_parts *p, bool add_bos)
{
	if (p->bos >= 0 && (p->add_bos < 0 ? add_bos : p->add_bos))
		SG_TRY(sg_ids_add(&t->prefix, p->bos));
	if (p->eos >= 0 && p->add_eos > 0)
		SG_TRY(sg_ids_add(&t->suffix, p->eos));
	return 0;
}

static int build(struct sg_tokenizer *t, const struct sg_tok_parts *p, const char *what)
{
	bool llama = !strcmp(p->model, "llama"), add_bos = false;

	if (!llama && strcmp(p->model, "gpt2"))
		return sg_fail(SG_E_UNSUPPORTED, "tokenizer of '%s' is of the kind '%s', which is not there yet", what, p->model);
	if (p->n > INT32_MAX || !is_id(p, p->bos) || !is_id(p, p->eos) || !is_id(p, p->unk))
		return sg_fail(SG_E_CORRUPT, "tokenizer of '%s': an id is past its %zu tokens", what, p->n);
	t->bpe.unk = p->unk;
	SG_TRY(read_vocab(t, p, what));
	SG_TRY(llama ? read_pieces(t, p, what, &add_bos) : read_level(t, p, what, &add_bos));
	SG_TRY(sg_tok_tables(t, what));
	SG_TRY(read_ends(t, p, add_bos));
	SG_TRY(sg_tok_finish(t));
	t->eos = p->eos >= 0 ? p->eos : t->eos;
	return 0;
}

int sg_tokenizer_from_parts(struct sg_tokenizer **out, const struct sg_tok_parts *p, const char *what)
{
	struct sg_tokenizer *t;
	int rc;

	SG_TRY(SG_NEW(t, 1));
	rc = build(t, p, what);
	if (rc < 0) {
		sg_tokenizer_free(t);
		return rc;
	}
	*out = t;
	return 0;
}
