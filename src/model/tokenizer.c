#include "model/tokenizer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/tok_impl.h"
#include "model/tok_nfc.h"
#include "model/tok_utf8.h"

#define MAX_FILE ((size_t)256 << 20)

int sg_ids_add(struct sg_ids *l, int32_t id)
{
	SG_TRY(SG_GROW(l->id, l->n, l->cap));
	l->id[l->n++] = id;
	return 0;
}

void sg_ids_release(struct sg_ids *l)
{
	free(l->id);
	*l = (struct sg_ids){ 0 };
}

static void release_steps(struct sg_tok_step *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].from);
		free(s[i].to);
	}
}

void sg_tokenizer_free(struct sg_tokenizer *t)
{
	if (!t)
		return;
	sg_bpe_release(&t->bpe);
	sg_level_release(&t->lev);
	sg_words_shelf_free(t->shelf);
	sg_vocab_release(&t->extra);
	for (size_t i = 0; i < t->n_added; i++)
		free(t->added[i].pattern);
	free(t->added);
	sg_tok_finder_release(&t->raw);
	sg_tok_finder_release(&t->normal);
	release_steps(t->step, t->n_steps);
	release_steps(t->back, t->n_back);
	sg_ids_release(&t->prefix);
	sg_ids_release(&t->suffix);
	sg_buf_release(&t->piece);
	free(t->piece_at);
	free(t->piece_kind);
	free(t);
}

/* ---- making one ---- */

/* A protobuf of pieces, each a message that begins with its text; JSON may begin
 * with the same line feed, but not go on so. */
static bool is_sentencepiece(const char *data, size_t n)
{
	return n > 4 && data[0] == '\n' && data[2] == '\n' && data[3] > 0 && data[3] < data[1];
}

int sg_tokenizer_parse(struct sg_tokenizer **out, const char *data, size_t n, const char *what)
{
	struct sg_json_doc doc = { 0 };
	struct sg_tokenizer *t;
	int rc;

	if (n > MAX_FILE)
		return sg_fail(SG_E_CORRUPT, "'%s' is larger than %zu bytes", what, MAX_FILE);
	if (is_sentencepiece(data, n))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is a model of SentencePiece: save the tokenizer as tokenizer.json "
			       "(AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of Transformers does)", what);
	SG_TRY(sg_json_parse(&doc, data, n, what));
	rc = SG_NEW(t, 1);
	if (rc >= 0)
		rc = sg_tok_json(t, sg_json_root(&doc), what);
	sg_json_release(&doc);
	if (rc >= 0)
		rc = sg_tok_finish(t);
	if (rc < 0) {
		sg_tokenizer_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

int sg_tokenizer_open(struct sg_tokenizer **out, const char *path, char *sha256)
{
	struct sg_map m;
	int rc;

	if (!strcmp(path, "byte")) {
		if (sha256)
			SG_TRY(sg_sha256_hex(sha256, "byte", 4));
		return sg_tokenizer_byte(out);
	}
	SG_TRY(sg_map_open(&m, path));
	rc = sha256 ? sg_sha256_hex(sha256, m.data, m.size) : 0;
	if (rc >= 0)
		rc = sg_tokenizer_parse(out, (const char *)m.data, m.size, path);
	sg_map_release(&m);
	return rc;
}

/* ---- facts ---- */

size_t sg_tokenizer_vocab(const struct sg_tokenizer *t)
{
	return t->vocab;
}

int32_t sg_tokenizer_bos(const struct sg_tokenizer *t)
{
	return t->bos;
}

int32_t sg_tokenizer_eos(const struct sg_tokenizer *t)
{
	return t->eos;
}

static bool known(const struct sg_tokenizer *t, int64_t id)
{
	return id >= 0 && (size_t)id < t->vocab && t->piece_kind[id];
}

int32_t sg_tokenizer_start(const struct sg_tokenizer *t)
{
	return t->bos >= 0 ? t->bos : t->eos;
}

/* ---- text to ids ---- */

struct encode {
	const struct sg_tokenizer *t;
	struct sg_ids *out;
	bool specials;
	struct sg_buf norm, meta;
	struct sg_words *words;		/* byte-level: those seen before */
	const char *end;		/* of what may be read behind a word */
};

static int level_word(struct encode *e, const char *s, size_t n)
{
	size_t begun = e->out->n;
	int rc = sg_words_get(e->words, e->out, s, n, e->end);

	if (rc)
		return rc;
	SG_TRY(sg_level_word(&e->t->lev, &e->t->bpe, e->out, s, n));
	sg_words_put(e->words, e->out->id + begun, e->out->n - begun);
	return 0;
}

/* Cut number k and those after it, then the words one by one. */
static int level_cut(struct encode *e, size_t k, const char *s, size_t n)
{
	const struct sg_tokenizer *t = e->t;
	const char *stop = e->end;
	int rc = 0;

	if (k == t->space_at && *s != ' ') {
		sg_buf_clear(&e->meta);
		SG_TRY(sg_buf_str(&e->meta, " "));
		SG_TRY(sg_buf_add(&e->meta, s, n));
		s = e->meta.data;
		e->end = s + ++n;
	}
	if (k == t->n_cuts)
		rc = level_word(e, s, n);
	else
		for (size_t size; n && rc >= 0; s += size, n -= size) {
			size = t->cut[k](s, n);
			rc = k + 1 < t->n_cuts || t->space_at == k + 1 ? level_cut(e, k + 1, s, size) : level_word(e, s, size);
		}
	e->end = stop;
	return rc;
}

/* Words of a normalised piece. `first`: it begins where the text does. */
static int words(struct encode *e, const char *s, size_t n, bool first)
{
	const struct sg_tokenizer *t = e->t;
	struct sg_tok_step space = { SG_TOK_REPLACE_ALL, (char[]){ " " }, (char *)t->meta, 1, t->meta_len };
	size_t at = 0;

	if (!n)
		return 0;
	if (t->level) {
		e->end = s + n;
		return level_cut(e, 0, s, n);
	}
	if (!t->metaspace)
		return sg_bpe_word(&t->bpe, e->out, s, n);
	SG_TRY(sg_tok_steps(&space, 1, &e->meta, s, n));
	s = e->meta.data;
	n = e->meta.len;
	if ((t->scheme == SG_TOK_ALWAYS || (t->scheme == SG_TOK_FIRST && first)) &&
	    (n < t->meta_len || memcmp(s, t->meta, t->meta_len))) {
		SG_TRY(sg_buf_room(&e->meta, t->meta_len));
		memmove(e->meta.data + t->meta_len, e->meta.data, n + 1);
		memcpy(e->meta.data, t->meta, t->meta_len);
		s = e->meta.data;
		n = e->meta.len += t->meta_len;
	}
	while (t->split && at < n) {
		const char *next = at + 1 < n ? memmem(s + at + 1, n - at - 1, t->meta, t->meta_len) : NULL;
		size_t len = next ? (size_t)(next - s) - at : n - at;

		SG_TRY(sg_bpe_word(&t->bpe, e->out, s + at, len));
		at += len;
	}
	return t->split ? 0 : sg_bpe_word(&t->bpe, e->out, s, n);
}

/* Cut the tokens of f out of s; what lies between goes to `rest`. */
static int cut(struct encode *e, const struct sg_tok_finder *f, const char *s, size_t n, bool first,
	       int (*rest)(struct encode *e, const char *s, size_t n, bool first))
{
	const struct sg_tok_added *a;
	size_t from = 0, at = 0;

	for (; (a = sg_tok_find(f, s, n, &at)); at += a->n) {
		size_t start = at, stop = at + a->n;

		if ((a->special && !e->specials) || (a->single && !sg_tok_stands_alone(s, n, at, a->n)))
			continue;
		while (a->lstrip && start) {
			size_t k = start - 1;

			while (k && ((unsigned char)s[k] & 0xc0) == 0x80)
				k--;
			if (!sg_utf8_is_space(sg_utf8_char(s + k, start - k)))
				break;
			start = k;
		}
		if (a->lstrip)
			start = SG_MAX(start, from);
		while (a->rstrip && stop < n) {
			size_t k = sg_utf8_size((unsigned char)s[stop]);

			if (!sg_utf8_is_space(sg_utf8_char(s + stop, k)))
				break;
			stop += k;
		}
		if (from < start)
			SG_TRY(rest(e, s + from, start - from, first && !from));
		SG_TRY(sg_ids_add(e->out, a->id));
		from = stop;
	}
	return from < n ? rest(e, s + from, n - from, first && !from) : 0;
}

static int normalise(struct encode *e, const char *s, size_t n, bool first)
{
	const struct sg_tokenizer *t = e->t;

	if (!t->n_steps || (t->n_steps == 1 && t->step[0].kind == SG_TOK_NFC && sg_nfc_same(s, n) == n))
		return cut(e, &e->t->normal, s, n, first, words);
	SG_TRY(sg_tok_steps(e->t->step, e->t->n_steps, &e->norm, s, n));
	return cut(e, &e->t->normal, e->norm.data, e->norm.len, first, words);
}

static int add_ids(struct sg_ids *out, const struct sg_ids *l)
{
	for (size_t i = 0; i < l->n; i++)
		SG_TRY(sg_ids_add(out, l->id[i]));
	return 0;
}

int sg_tokenizer_encode(const struct sg_tokenizer *t, struct sg_ids *out, const char *text, size_t n,
			unsigned flags)
{
	struct encode e = { .t = t, .out = out, .specials = flags & SG_TOK_SPECIALS };
	size_t begun = out->n;
	int rc = 0;

	if (flags & SG_TOK_TEMPLATE)
		rc = add_ids(out, &t->prefix);
	if (t->byte) {
		for (size_t i = 0; i < n && rc >= 0; i++)
			rc = sg_ids_add(out, (unsigned char)text[i]);
	} else if (rc >= 0 && (!t->level || (rc = sg_words_take(&e.words, t->shelf)) >= 0)) {
		size_t good = sg_utf8_valid(text, n);

		rc = good < n ? sg_fail(SG_E_CORRUPT, "the text is no UTF-8 at byte %zu", good) :
		     cut(&e, &t->raw, text, n, true, normalise);
	}
	if (rc >= 0 && flags & SG_TOK_TEMPLATE)
		rc = add_ids(out, &t->suffix);
	if (rc < 0)
		out->n = begun;
	if (e.words)
		sg_words_give(t->shelf, e.words);
	sg_buf_release(&e.norm);
	sg_buf_release(&e.meta);
	return rc;
}

int sg_tokenizer_document(const struct sg_tokenizer *t, struct sg_ids *out, const char *text, size_t n)
{
	int32_t start = sg_tokenizer_start(t);

	if (start >= 0)
		SG_TRY(sg_ids_add(out, start));
	return sg_tokenizer_encode(t, out, text, n, 0);
}

/* ---- ids to text ---- */

const char *sg_tokenizer_piece(const struct sg_tokenizer *t, int32_t id, size_t *n)
{
	if (!known(t, id))
		return NULL;
	*n = t->piece_kind[id] & SG_TOK_IS_SPECIAL ? 0 : t->piece_at[id].len;
	return t->piece.data + t->piece_at[id].at;
}

static int no_token(int32_t id)
{
	return sg_fail(SG_E_CORRUPT, "the tokenizer has no token %d", id);
}

int sg_tokenizer_next(const struct sg_tokenizer *t, struct sg_detok *state, struct sg_buf *out, int32_t id,
		      unsigned flags)
{
	const char *s;
	size_t n, strip;

	if (!known(t, id))
		return no_token(id);
	if (t->piece_kind[id] & SG_TOK_IS_SPECIAL && !(flags & SG_TOK_SPECIALS))
		return 0;
	s = t->piece.data + t->piece_at[id].at;
	n = t->piece_at[id].len;
	if (!state->begun && t->back_meta) {
		/* metaspace drops every replacement character of the first token */
		state->begun = true;
		s = sg_tok_spelling(t, id, &n);
		for (size_t i = 0, k; i < n; i += k) {
			k = sg_utf8_size((unsigned char)s[i]);
			if (k != t->meta_len || memcmp(s + i, t->meta, k))
				SG_TRY(sg_buf_add(out, s + i, k));
		}
		return 0;
	}
	strip = !state->begun && t->back_strip && n && *s == ' ';
	state->begun = state->begun || n;
	return sg_buf_add(out, s + strip, n - strip);
}

/* Bytes since `from` are of byte tokens: where they are no text, each becomes
 * U+FFFD. */
static int mend(struct sg_buf *out, size_t from)
{
	size_t n = out->len - from;

	if (sg_utf8_valid(out->data + from, n) == n)
		return 0;
	out->len = from;
	while (n--)
		SG_TRY(sg_buf_str(out, "\xef\xbf\xbd"));
	return 0;
}

/* Byte-level: characters come from any tokens, so what is none is known only
 * when all are there. */
static int mend_all(struct sg_buf *out, size_t from)
{
	struct sg_buf b = { 0 };
	size_t n = out->len - from;
	int rc;

	if (!n || sg_utf8_valid(out->data + from, n) == n)
		return 0;
	rc = sg_utf8_lossy(&b, out->data + from, n);
	if (rc >= 0) {
		out->len = from;
		rc = sg_buf_add(out, b.data, b.len);
	}
	sg_buf_release(&b);
	return rc;
}

int sg_tokenizer_decode(const struct sg_tokenizer *t, struct sg_buf *out, const int32_t *ids, size_t n,
			unsigned flags)
{
	/* the space in front goes last: before that it may be part of a byte run */
	struct sg_detok state = { .begun = !t->back_meta };
	size_t begun = out->len, run = out->len;
	bool replace = flags & SG_TOK_REPLACE && !t->byte, byte_tokens = replace && !t->back_level;
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		unsigned kind = known(t, ids[i]) ? t->piece_kind[ids[i]] : 0;

		if (kind & SG_TOK_IS_SPECIAL && !(flags & SG_TOK_SPECIALS))
			continue;
		if (byte_tokens && !(kind & SG_TOK_IS_BYTE))
			rc = mend(out, run);
		if (rc >= 0)
			rc = sg_tokenizer_next(t, &state, out, ids[i], flags);
		if (!(kind & SG_TOK_IS_BYTE))
			run = out->len;
	}
	if (rc >= 0 && replace)
		rc = t->back_level ? mend_all(out, begun) : mend(out, run);
	if (rc < 0)
		out->len = begun;
	else if (t->back_strip && out->len > begun && out->data[begun] == ' ')
		memmove(out->data + begun, out->data + begun + 1, out->len-- - begun);
	return rc;
}
