#include "model/overlap.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/rd.h"
#include "model/tok_utf8.h"

static const char magic[4] = { 'S', 'G', 'N', 'G' };
#define VERSION 1
#define HEADER  24

/* ---- words ---- */

static bool between(uint32_t c, uint32_t lo, uint32_t hi)
{
	return c >= lo && c <= hi;
}

/* Letters and digits. Past ASCII everything is taken for a letter but the
 * blocks of punctuation, symbols and pictures: near enough to compare texts. */
static bool is_word(uint32_t c)
{
	if (c < 0x80)
		return between(c | 32, 'a', 'z') || between(c, '0', '9');
	return !(between(c, 0x80, 0xa9) || between(c, 0xab, 0xb4) || between(c, 0xb6, 0xb9) || between(c, 0xbb, 0xbf) ||
		 c == 0xd7 || c == 0xf7 || c == 0x1680 || between(c, 0x2000, 0x206f) || between(c, 0x20a0, 0x20cf) ||
		 between(c, 0x2190, 0x2bff) || between(c, 0x2e00, 0x2e7f) || between(c, 0x3000, 0x3004) ||
		 between(c, 0x3008, 0x3020) || between(c, 0xfe30, 0xfe6f) || between(c, 0xfeff, 0xff0f) ||
		 between(c, 0xff1a, 0xff20) || between(c, 0xfff0, 0xffff) || between(c, 0x1f000, 0x1faff));
}

/* Scripts written without spaces: each character counts as a word. */
static bool stands_alone(uint32_t c)
{
	return between(c, 0x3040, 0x30ff) || between(c, 0x3400, 0x4dbf) || between(c, 0x4e00, 0x9fff) ||
	       between(c, 0xf900, 0xfaff) || between(c, 0x20000, 0x323af);
}

/* Lower case of Latin, Greek and Cyrillic. */
static uint32_t lower(uint32_t c)
{
	if (between(c, 'A', 'Z') || (between(c, 0xc0, 0xde) && c != 0xd7) || between(c, 0x391, 0x3a9) ||
	    between(c, 0x410, 0x42f))
		return c + 32;
	if (between(c, 0x400, 0x40f))
		return c + 80;
	if (c == 0x178)
		return 0xff;
	if (between(c, 0x139, 0x148) || between(c, 0x179, 0x17e))
		return c + (c & 1);
	if (between(c, 0x100, 0x137) || between(c, 0x14a, 0x177))
		return c | 1;
	return c;
}

static uint64_t stir(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xbf58476d1ce4e5b9u;
	return h ^ h >> 31;
}

/* ---- 13-grams of a text ---- */

/* The last words' hashes, newest at n - 1 (mod SG_NGRAM). */
struct ring { uint64_t word[SG_NGRAM]; size_t n; };
typedef int (*gram_fn)(void *arg, uint64_t hash);

static int end_word(struct ring *r, uint64_t word, gram_fn fn, void *arg)
{
	uint64_t h = SG_NGRAM;

	r->word[r->n++ % SG_NGRAM] = word;
	if (r->n < SG_NGRAM)
		return 0;
	for (size_t i = 0; i < SG_NGRAM; i++)
		h = stir(h, r->word[(r->n + i) % SG_NGRAM]);
	return fn(arg, h);
}

static int grams(const char *s, size_t n, gram_fn fn, void *arg)
{
	struct ring r = { .n = 0 };
	uint64_t word = 0;

	if (sg_utf8_valid(s, n) < n)
		return sg_fail(SG_E_CORRUPT, "a document is no UTF-8");
	for (size_t i = 0, size; i < n; i += size) {
		uint32_t c;

		size = sg_utf8_size((unsigned char)s[i]);
		c = sg_utf8_char(s + i, size);
		if (word && (!is_word(c) || stands_alone(c))) {
			SG_TRY(end_word(&r, word, fn, arg));
			word = 0;
		}
		if (stands_alone(c))
			SG_TRY(end_word(&r, stir(1, c), fn, arg));
		else if (is_word(c))
			word = stir(word + 1, lower(c));
	}
	return word ? end_word(&r, word, fn, arg) : 0;
}

/* ---- a set of them ---- */

static int collect(void *arg, uint64_t hash)
{
	struct sg_ngrams *g = arg;

	SG_TRY(SG_GROW(g->hash, g->n, g->cap));
	g->hash[g->n++] = hash;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

int sg_ngrams_make(struct sg_ngrams *out, const struct sg_doc *doc, size_t n)
{
	struct sg_ngrams g = { 0 };
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = grams(doc[i].text, doc[i].n, collect, &g);
	if (rc < 0) {
		sg_ngrams_release(&g);
		return rc;
	}
	if (g.n)
		qsort(g.hash, g.n, sizeof(*g.hash), by_value);
	for (size_t i = 0; i < g.n; i++)
		if (!kept || g.hash[kept - 1] != g.hash[i])
			g.hash[kept++] = g.hash[i];
	g.n = kept;
	*out = g;
	return 0;
}

int sg_ngrams_write(const struct sg_ngrams *g, const char *path)
{
	struct sg_buf head = { 0 };
	struct sg_out out;
	int rc;

	SG_TRY(sg_out_open(&out, path));
	if ((rc = sg_buf_add(&head, magic, 4)) >= 0 && (rc = sg_wr_u32(&head, VERSION)) >= 0 &&
	    (rc = sg_wr_u32(&head, SG_NGRAM)) >= 0 && (rc = sg_wr_u32(&head, 0)) >= 0 &&
	    (rc = sg_wr_u64(&head, g->n)) >= 0)
		rc = sg_out_write(&out, head.data, head.len);
	if (rc >= 0 && g->n)
		rc = sg_out_write(&out, g->hash, g->n * sizeof(*g->hash));
	if (rc >= 0)
		rc = sg_out_commit(&out);
	sg_out_release(&out);
	sg_buf_release(&head);
	return rc;
}

int sg_ngrams_parse(struct sg_ngrams *out, const unsigned char *data, size_t n, const char *what)
{
	struct sg_ngrams g = { 0 };

	if (n < HEADER || memcmp(data, magic, 4) || sg_le32(data + 4) != VERSION || sg_le32(data + 8) != SG_NGRAM)
		return sg_fail(SG_E_CORRUPT, "'%s' is no list of %d-grams", what, SG_NGRAM);
	if (sg_le64(data + 16) != (n - HEADER) / 8 || n % 8)
		return sg_fail(SG_E_CORRUPT, "'%s' is truncated", what);
	g.n = (n - HEADER) / 8;
	g.hash = (uint64_t *)(uintptr_t)(data + HEADER);
	for (size_t i = 1; i < g.n; i++)
		if (g.hash[i - 1] >= g.hash[i])
			return sg_fail(SG_E_CORRUPT, "'%s' is not sorted", what);
	*out = g;
	return 0;
}

int sg_ngrams_open(struct sg_ngrams *out, const char *path)
{
	struct sg_map m;
	int rc;

	SG_TRY(sg_map_open(&m, path));
	rc = sg_ngrams_parse(out, m.data, m.size, path);
	if (rc < 0)
		sg_map_release(&m);
	else
		out->map = m;
	return rc;
}

void sg_ngrams_release(struct sg_ngrams *g)
{
	if (g->cap)
		free(g->hash);
	sg_map_release(&g->map);
	*g = (struct sg_ngrams){ 0 };
}

struct lookup { const struct sg_ngrams *g; int64_t hits; };

static int look(void *arg, uint64_t hash)
{
	struct lookup *l = arg;

	if (l->g->n)
		l->hits += bsearch(&hash, l->g->hash, l->g->n, sizeof(hash), by_value) != NULL;
	return 0;
}

int64_t sg_ngrams_shared(const struct sg_ngrams *g, const char *text, size_t n)
{
	struct lookup l = { g, 0 };
	int rc = grams(text, n, look, &l);

	return rc < 0 ? rc : l.hits;
}

int64_t sg_overlap(const struct sg_ngrams *g, const struct sg_doc *doc, size_t n, size_t *list, size_t max)
{
	int64_t found = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t hits = sg_ngrams_shared(g, doc[i].text, doc[i].n);

		if (hits < 0)
			return hits;
		if (hits && list && (size_t)found < max)
			list[found] = i;
		found += hits > 0;
	}
	return found;
}
