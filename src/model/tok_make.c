/*
 * From what the file says to what encoding and decoding need: tables over the
 * vocabulary, and the bytes that each id stands for.
 */
#include "model/tok_impl.h"
#include "base/error.h"
#include "base/mem.h"

/* ---- tables for the model ---- */

/* A text that has neither token nor bytes nor an unknown token would vanish. */
static int check_covered(const struct sg_bpe *b, const char *what)
{
	int have = 0;

	for (int i = 0; i < 256; i++)
		have += b->byte[i] >= 0;
	if (b->unk < 0 && !(b->byte_fallback && have == 256))
		return sg_fail(SG_E_UNSUPPORTED, "tokenizer '%s' drops characters that it does not know: it has neither "
			       "an unknown token nor one for every byte", what);
	return 0;
}

int sg_tok_tables(struct sg_tokenizer *t, const char *what)
{
	int missing;

	if (!t->level) {
		SG_TRY(sg_bpe_prepare(&t->bpe));
		return check_covered(&t->bpe, what);
	}
	SG_TRY(sg_level_init(&t->lev, &t->bpe));
	if (t->lev.spell)
		return sg_bpe_prepare(&t->bpe);
	missing = sg_level_missing(&t->lev);
	if (missing)
		return sg_fail(SG_E_UNSUPPORTED, "tokenizer '%s' drops characters: %d bytes of common text have no token",
			       what, missing);
	return 0;
}

/* ---- added tokens ---- */

int sg_tok_normalise_added(struct sg_tokenizer *t)
{
	struct sg_buf b = { 0 };
	int rc = 0;

	for (size_t i = 0; i < t->n_added && rc >= 0; i++) {
		struct sg_tok_added *a = &t->added[i];

		if (!a->normalized || !t->n_steps)
			continue;
		rc = sg_tok_steps(t->step, t->n_steps, &b, a->pattern, a->n);
		if (rc >= 0) {
			free(a->pattern);
			a->n = b.len;
			a->pattern = sg_buf_detach(&b);
			rc = a->pattern ? 0 : -SG_E_NOMEM;
		}
	}
	sg_buf_release(&b);
	return rc;
}

/* ---- pieces: what each id stands for in a text ---- */

static int pieces_room(struct sg_tokenizer *t, size_t n)
{
	t->vocab = n;
	SG_TRY(SG_NEW(t->piece_at, n));
	return SG_NEW(t->piece_kind, n);
}

static int put_piece(struct sg_tokenizer *t, size_t id, const char *s, size_t n, int kind)
{
	t->piece_at[id].at = (uint32_t)t->piece.len;
	t->piece_at[id].len = (uint32_t)n;
	t->piece_kind[id] = (unsigned char)(kind | SG_TOK_KNOWN);
	return sg_buf_add(&t->piece, s, n);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of a spelling such as "<0x0A>", or -1. */
static int byte_of(const char *s, size_t n)
{
	if (n != 6 || memcmp(s, "<0x", 3) || s[5] != '>' || digit(s[3]) < 0 || digit(s[4]) < 0)
		return -1;
	return digit(s[3]) << 4 | digit(s[4]);
}

const char *sg_tok_spelling(const struct sg_tokenizer *t, int64_t id, size_t *n)
{
	const char *s = sg_vocab_text(&t->bpe.vocab, id, n);

	return s ? s : sg_vocab_text(&t->extra, id, n);
}

/* What a spelling stands for in a text, into b. */
static int unspell(const struct sg_tokenizer *t, struct sg_buf *b, const char *s, size_t n)
{
	if (!t->back_level)
		return sg_tok_steps(t->back, t->n_back, b, s, n);
	sg_buf_clear(b);
	return sg_level_read(b, s, n);
}

static int make_pieces(struct sg_tokenizer *t)
{
	struct sg_buf b = { 0 };
	int rc = pieces_room(t, SG_MAX(t->bpe.vocab.n, t->extra.n));

	for (size_t id = 0; id < t->vocab && rc >= 0; id++) {
		size_t n = 0;
		const char *s = sg_tok_spelling(t, (int64_t)id, &n);
		char c;
		int byte;

		if (!s)
			continue;
		byte = t->back_bytes ? byte_of(s, n) : -1;
		c = (char)byte;
		if (byte >= 0)
			rc = put_piece(t, id, &c, 1, SG_TOK_IS_BYTE);
		else if ((rc = unspell(t, &b, s, n)) >= 0)
			rc = put_piece(t, id, b.data, b.len, 0);
	}
	/* an added token that matches normalised text decodes from that form */
	for (size_t i = 0; i < t->n_added && rc >= 0; i++) {
		const struct sg_tok_added *a = &t->added[i];

		if (a->normalized && (rc = unspell(t, &b, a->pattern, a->n)) >= 0)
			rc = put_piece(t, (size_t)a->id, b.data, b.len, 0);
		if (a->special)
			t->piece_kind[a->id] |= SG_TOK_IS_SPECIAL;
	}
	sg_buf_release(&b);
	return rc;
}

/* ---- all of it ---- */

/* Where neither template nor config says what opens and closes a text, the
 * usual names do. */
static int32_t named(const struct sg_tokenizer *t, const char *const *name, size_t n)
{
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < t->n_added; i++) {
			size_t len = 0;
			const char *s = sg_tok_spelling(t, t->added[i].id, &len);

			if (t->added[i].special && len == strlen(name[k]) && !memcmp(s, name[k], len))
				return t->added[i].id;
		}
	return -1;
}

static void find_ends(struct sg_tokenizer *t)
{
	static const char *const bos[] = { "<s>", "<|begin_of_text|>", "<bos>" };
	static const char *const eos[] = { "</s>", "<|end_of_text|>", "<|endoftext|>", "<eos>" };

	t->bos = t->prefix.n ? t->prefix.id[0] : named(t, bos, SG_LEN(bos));
	t->eos = named(t, eos, SG_LEN(eos));
}

int sg_tok_finish(struct sg_tokenizer *t)
{
	SG_TRY(sg_tok_finder_init(&t->raw, t->added, t->n_added, false));
	SG_TRY(sg_tok_finder_init(&t->normal, t->added, t->n_added, true));
	SG_TRY(make_pieces(t));
	find_ends(t);
	return t->level ? sg_words_shelf_new(&t->shelf) : 0;
}

int sg_tokenizer_byte(struct sg_tokenizer **out)
{
	struct sg_tokenizer *t;
	int rc;

	SG_TRY(SG_NEW(t, 1));
	t->byte = true;
	t->bos = SG_TOK_BYTE_BOS;
	t->eos = -1;
	rc = sg_ids_add(&t->prefix, t->bos);
	if (rc >= 0)
		rc = pieces_room(t, SG_TOK_BYTE_VOCAB);
	for (int i = 0; i < 256 && rc >= 0; i++)
		rc = put_piece(t, (size_t)i, &(char){ (char)i }, 1, SG_TOK_IS_BYTE);
	if (rc >= 0)
		rc = put_piece(t, SG_TOK_BYTE_BOS, "", 0, SG_TOK_IS_SPECIAL);
	if (rc < 0) {
		sg_tokenizer_free(t);
		return rc;
	}
	*out = t;
	return 0;
}
