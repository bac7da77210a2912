#include "model/tok_nfc.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/tok_uni.h"
#include "model/tok_utf8.h"

/* Hangul composes by arithmetic. */
enum {
	S_BASE = 0xac00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11a7,
	L_COUNT = 19, V_COUNT = 21, T_COUNT = 28, S_COUNT = L_COUNT * V_COUNT * T_COUNT,
};

/* Decomposed characters of a stretch, each with its combining class. */
struct letter { uint32_t c; unsigned class_; };
struct stretch { struct letter *l; size_t n, cap; };

static unsigned class_of(uint32_t c)
{
	size_t lo = 0, hi = sg_uni_n_mark;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > sg_uni_mark[mid].last)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < sg_uni_n_mark && c >= sg_uni_mark[lo].first ? sg_uni_mark[lo].class_ : 0;
}

/* Place of c in the list that the runs describe, or -1. */
static int place(const struct sg_uni_run *run, size_t n, uint32_t c)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c >= run[mid].first + run[mid].n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && c >= run[lo].first ? (int)(run[lo].at + (c - run[lo].first)) : -1;
}

/* The character whose pair is number k. */
static uint32_t whole(unsigned k)
{
	size_t lo = 0, hi = sg_uni_n_pair_run;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (k >= sg_uni_pair_run[mid].at)
			lo = mid;
		else
			hi = mid;
	}
	return sg_uni_pair_run[lo].first + (k - sg_uni_pair_run[lo].at);
}

/* What two characters compose to, 0 for nothing. */
static uint32_t compose(uint32_t a, uint32_t b)
{
	size_t lo = 0, hi = sg_uni_n_by_pair;

	if (a - L_BASE < L_COUNT && b - V_BASE < V_COUNT)
		return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
	if (a - S_BASE < S_COUNT && (a - S_BASE) % T_COUNT == 0 && b - T_BASE - 1 < T_COUNT - 1)
		return a + (b - T_BASE);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		struct sg_uni_pair p = sg_uni_pair[sg_uni_by_pair[mid]];

		if (p.a < a || (p.a == a && p.b < b))
			lo = mid + 1;
		else if (p.a == a && p.b == b)
			return whole(sg_uni_by_pair[mid]);
		else
			hi = mid;
	}
	return 0;
}

static int put(struct stretch *st, uint32_t c)
{
	SG_TRY(SG_GROW(st->l, st->n, st->cap));
	st->l[st->n++] = (struct letter){ c, class_of(c) };
	return 0;
}

/* Pairs nest at their first part, at most three deep: by stability, no new
 * character decomposes into old ones at any other place. */
static int decompose(struct stretch *st, uint32_t c)
{
	uint32_t tail[8];
	size_t n = 0;
	int k;

	if (c - S_BASE < S_COUNT) {
		uint32_t s = c - S_BASE;

		SG_TRY(put(st, L_BASE + s / (V_COUNT * T_COUNT)));
		SG_TRY(put(st, V_BASE + s / T_COUNT % V_COUNT));
		return s % T_COUNT ? put(st, T_BASE + s % T_COUNT) : 0;
	}
	for (; n < SG_LEN(tail) && (k = place(sg_uni_pair_run, sg_uni_n_pair_run, c)) >= 0; c = sg_uni_pair[k].a)
		tail[n++] = sg_uni_pair[k].b;
	if ((k = place(sg_uni_single_run, sg_uni_n_single_run, c)) >= 0)
		c = sg_uni_single[k];
	SG_TRY(put(st, c));
	while (n)
		SG_TRY(put(st, tail[--n]));
	return 0;
}

/* Marks in a row go by class; equals keep their order. Long rows are merged, so
 * that a text of nothing but marks costs no square of its length. */
static int by_class(struct letter *l, size_t n)
{
	struct letter *t;

	if (n <= 32) {
		for (size_t i = 1; i < n; i++)
			for (size_t k = i; k && l[k - 1].class_ > l[k].class_; k--) {
				struct letter x = l[k];

				l[k] = l[k - 1];
				l[k - 1] = x;
			}
		return 0;
	}
	/* by counting: classes are bytes */
	SG_TRY(SG_NEW(t, n));
	for (size_t c = 0, to = 0; c < 256; c++)
		for (size_t i = 0; i < n; i++)
			if (l[i].class_ == c)
				t[to++] = l[i];
	memcpy(l, t, n * sizeof(*l));
	free(t);
	return 0;
}

static int reorder(struct stretch *st)
{
	for (size_t i = 0, k; i < st->n; i = k) {
		for (k = i + 1; st->l[i].class_ && k < st->n && st->l[k].class_; k++)
			;
		if (k - i > 1)
			SG_TRY(by_class(st->l + i, k - i));
	}
	return 0;
}

/* A character joins the last starter before it unless something of its own
 * class or higher, or another starter, stands between. */
static void recompose(struct stretch *st)
{
	size_t starter = SIZE_MAX, n = 0;
	unsigned last = 0;

	for (size_t i = 0; i < st->n; i++) {
		struct letter x = st->l[i];
		bool open = starter != SIZE_MAX && (n == starter + 1 || (last && last < x.class_));
		uint32_t c = open ? compose(st->l[starter].c, x.c) : 0;

		if (c) {
			st->l[starter].c = c;
			continue;
		}
		if (!x.class_)
			starter = n;
		last = x.class_;
		st->l[n++] = x;
	}
	st->n = n;
}

static int normalise(struct sg_buf *out, struct stretch *st, const char *s, size_t n)
{
	st->n = 0;
	for (size_t i = 0, size; i < n; i += size) {
		size = sg_utf8_size((unsigned char)s[i]);
		SG_TRY(decompose(st, sg_utf8_char(s + i, size)));
	}
	SG_TRY(reorder(st));
	recompose(st);
	for (size_t i = 0; i < st->n; i++) {
		char u[4];

		SG_TRY(sg_buf_add(out, u, sg_utf8_put(u, st->l[i].c)));
	}
	return 0;
}

static bool touched(const char *s, size_t size)
{
	return size > 1 && sg_uni(sg_utf8_char(s, size)) & SG_UNI_NFC;
}

/* The start of the first character from i on that may be touched, else n. */
static size_t skip_same(const char *s, size_t n, size_t i)
{
	uint64_t word;

	while (i < n) {
		size_t size = sg_utf8_size((unsigned char)s[i]);

		if (size == 1 && n - i >= 8 && (memcpy(&word, s + i, 8), !(word & 0x8080808080808080u)))
			i += 8;
		else if (touched(s + i, size))
			break;
		else
			i += size;
	}
	return i;
}

/* Start of the character before i. */
static size_t before(const char *s, size_t i)
{
	while (i && ((unsigned char)s[--i] & 0xc0) == 0x80)
		;
	return i;
}

size_t sg_nfc_same(const char *s, size_t n)
{
	size_t i = skip_same(s, n, 0);

	return i < n ? before(s, i) : n;
}

/* A stretch goes from the character before the first that may be touched to the
 * next that cannot be. */
int sg_nfc(struct sg_buf *out, const char *s, size_t n)
{
	struct stretch st = { 0 };
	size_t done = 0;
	int rc = 0;

	while (rc >= 0 && done < n) {
		size_t i = skip_same(s, n, done), from = i < n && i > done ? before(s, i) : i;

		rc = sg_buf_add(out, s + done, from - done);
		while (i < n && touched(s + i, sg_utf8_size((unsigned char)s[i])))
			i += sg_utf8_size((unsigned char)s[i]);
		if (rc >= 0 && from < i)
			rc = normalise(out, &st, s + from, i - from);
		done = i;
	}
	free(st.l);
	return rc;
}
