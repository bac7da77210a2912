#include "model/tok_level.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/tok_utf8.h"

#define SHORT 64	/* symbols of a word that need no allocation */

/* Printable ones spell themselves, the others come in order from U+0100 on. */
static bool itself(unsigned c)
{
	return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

uint32_t sg_level_char(unsigned char byte)
{
	uint32_t c = 256;

	if (itself(byte))
		return byte;
	for (unsigned i = 0; i < byte; i++)
		c += !itself(i);
	return c;
}

int sg_level_byte(uint32_t c)
{
	if (c < 256)
		return itself(c) ? (int)c : -1;
	/* 0..32, 127..160, 173 */
	c -= 256;
	return c < 33 ? (int)c : c < 67 ? (int)c + 94 : c == 67 ? 173 : -1;
}

int sg_level_spell(struct sg_buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char u[4];

		SG_TRY(sg_buf_add(out, u, sg_utf8_put(u, sg_level_char((unsigned char)s[i]))));
	}
	return 0;
}

int sg_level_read(struct sg_buf *out, const char *s, size_t n)
{
	size_t begun = out->len;

	SG_TRY(sg_buf_room(out, n));
	for (size_t i = 0, size; i < n; i += size) {
		int b;

		size = sg_utf8_size((unsigned char)s[i]);
		b = sg_level_byte(sg_utf8_char(s + i, size));
		if (b < 0) {
			out->len = begun;
			return sg_buf_add(out, s, n);
		}
		SG_TRY(sg_buf_add(out, &(char){ (char)b }, 1));
	}
	return 1;
}

static int read_whole(struct sg_level *l, const struct sg_bpe *b)
{
	struct sg_buf bytes = { 0 };
	int rc = sg_vocab_init(&l->whole, b->vocab.n, b->vocab.used);

	for (size_t id = 0; id < b->vocab.n && rc >= 0; id++) {
		size_t n = 0;
		const char *s = sg_vocab_text(&b->vocab, (int64_t)id, &n);

		if (!s)
			continue;
		sg_buf_clear(&bytes);
		rc = sg_level_read(&bytes, s, n);
		if (rc > 0)
			rc = sg_vocab_put(&l->whole, (uint32_t)id, bytes.data, bytes.len);
	}
	sg_buf_release(&bytes);
	return SG_MIN(rc, 0);
}

int sg_level_init(struct sg_level *l, const struct sg_bpe *b)
{
	*l = (struct sg_level){ 0 };
	for (unsigned i = 0; i < 256; i++) {
		char u[4];
		size_t n = sg_utf8_put(u, sg_level_char((unsigned char)i));

		l->sym[i] = sg_vocab_find(&b->vocab, u, n);
		l->spell = l->spell || (l->sym[i] < 0 && (b->unk >= 0 || b->byte_fallback));
	}
	return b->whole_first ? read_whole(l, b) : 0;
}

/* Control characters and the leads of planes where nothing is (F1, F2) or of the
 * private last one are missing in vocabularies of real models. */
int sg_level_missing(const struct sg_level *l)
{
	int missing = 0;

	for (int i = 0; i < 256; i++) {
		bool needed = i == '\t' || i == '\n' || i == '\r' || (i >= ' ' && i < 0x7f) ||
			      (i >= 0x80 && i < 0xc0) || (i >= 0xc2 && i <= 0xf0);

		missing += needed && l->sym[i] < 0;
	}
	return missing;
}

static int spelled(const struct sg_bpe *b, struct sg_ids *out, const char *s, size_t n)
{
	struct sg_buf t = { 0 };
	int rc = sg_level_spell(&t, s, n);

	if (rc >= 0)
		rc = sg_bpe_word(b, out, t.data, t.len);
	sg_buf_release(&t);
	return rc;
}

int sg_level_word(const struct sg_level *l, const struct sg_bpe *b, struct sg_ids *out, const char *s, size_t n)
{
	int32_t few[SHORT], *sym = few;
	size_t k = 0;
	int rc = 0;

	if (b->whole_first && (rc = sg_vocab_find(&l->whole, s, n)) >= 0)
		return sg_ids_add(out, rc);
	if (l->spell)
		return spelled(b, out, s, n);
	if (n > SHORT)
		SG_TRY(SG_NEW(sym, n));
	for (size_t i = 0; i < n; i++) {
		sym[k] = l->sym[(unsigned char)s[i]];
		k += sym[k] >= 0;
	}
	rc = sg_bpe_merge(b, sym, &k);
	for (size_t i = 0; i < k && rc >= 0; i++)
		rc = sg_ids_add(out, sym[i]);
	if (sym != few)
		free(sym);
	return rc;
}

void sg_level_release(struct sg_level *l)
{
	sg_vocab_release(&l->whole);
}
