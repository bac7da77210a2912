#include "model/tok_bpe.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/tok_utf8.h"

/* Symbols of one part of a word, and the longest that the plain loop takes. */
#define SHORT 40

struct part { int32_t *sym; size_t n, cap; };

int sg_bpe_split(const char *s, size_t n, const char **left, size_t *left_n, const char **right, size_t *right_n)
{
	const char *space = memchr(s, ' ', n);

	if (!space)
		return -1;
	*left = s;
	*left_n = (size_t)(space - s);
	*right = space + 1;
	*right_n = n - *left_n - 1;
	return memchr(*right, ' ', *right_n) ? -1 : 0;
}

int sg_bpe_add(struct sg_bpe *b, uint32_t rank, const char *left, size_t left_n, const char *right, size_t right_n)
{
	int32_t l = sg_vocab_find(&b->vocab, left, left_n), r = sg_vocab_find(&b->vocab, right, right_n), id;
	char few[128], *join = few;

	if (l < 0 || r < 0)
		return sg_fail(SG_E_CORRUPT, "it names a token that is not in the vocabulary");
	if (left_n + right_n > sizeof(few))
		SG_TRY(SG_NEW(join, left_n + right_n));
	memcpy(join, left, left_n);
	memcpy(join + left_n, right, right_n);
	id = sg_vocab_find(&b->vocab, join, left_n + right_n);
	if (join != few)
		free(join);
	if (id < 0)
		return sg_fail(SG_E_CORRUPT, "it names a token that is not in the vocabulary");
	sg_pairs_put(&b->merges, sg_bpe_key(l, r), (uint64_t)rank << 32 | (uint32_t)id);
	return 0;
}

static int32_t char_id(const struct sg_bpe *b, const char *s, size_t n)
{
	const uint64_t *v = sg_pairs_get(&b->chars, (uint64_t)sg_utf8_char(s, n) + 1);

	return v ? (int32_t)*v : -1;
}

static bool reaches(const struct sg_bpe *b, int32_t left, int32_t right)
{
	return sg_pairs_get(&b->reach, sg_bpe_key(left, right)) != NULL;
}

/* Rank and join of a pair; rank UINT32_MAX when it has none. */
struct join { uint32_t rank; int32_t id; };

static struct join join_of(const struct sg_bpe *b, int32_t left, int32_t right)
{
	const uint64_t *v = sg_pairs_get(&b->merges, sg_bpe_key(left, right));

	return v ? (struct join){ (uint32_t)(*v >> 32), (int32_t)(uint32_t)*v } : (struct join){ UINT32_MAX, -1 };
}

static void merge_short(const struct sg_bpe *b, struct part *p)
{
	struct join j[SHORT];

	for (size_t i = 0; i + 1 < p->n; i++)
		j[i] = join_of(b, p->sym[i], p->sym[i + 1]);
	while (p->n > 1) {
		size_t best = 0;

		for (size_t i = 1; i + 1 < p->n; i++)
			if (j[i].rank < j[best].rank)
				best = i;
		if (j[best].rank == UINT32_MAX)
			return;
		p->sym[best] = j[best].id;
		p->n--;
		memmove(p->sym + best + 1, p->sym + best + 2, (p->n - best - 1) * sizeof(*p->sym));
		if (best + 1 < p->n)
			memmove(j + best, j + best + 1, (p->n - best - 1) * sizeof(*j));
		if (best)
			j[best - 1] = join_of(b, p->sym[best - 1], p->sym[best]);
		if (best + 1 < p->n)
			j[best] = join_of(b, p->sym[best], p->sym[best + 1]);
	}
}

/* Candidate joins of a long part: a heap by rank, then place. */
struct cand { uint32_t rank, at; int32_t left, right, id; };
struct heap { struct cand *c; size_t n, cap; };

static bool before(const struct cand *a, const struct cand *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static int heap_push(struct heap *h, struct cand c)
{
	size_t i = h->n;

	SG_TRY(SG_GROW(h->c, h->n, h->cap));
	h->n++;
	for (; i && before(&c, &h->c[(i - 1) / 2]); i = (i - 1) / 2)
		h->c[i] = h->c[(i - 1) / 2];
	h->c[i] = c;
	return 0;
}

static struct cand heap_pop(struct heap *h)
{
	struct cand top = h->c[0], last = h->c[--h->n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < h->n) {
		if (k + 1 < h->n && before(&h->c[k + 1], &h->c[k]))
			k++;
		if (!before(&h->c[k], &last))
			break;
		h->c[i] = h->c[k];
		i = k;
	}
	h->c[i] = last;
	return top;
}

static int offer(const struct sg_bpe *b, struct heap *h, const int32_t *sym, uint32_t at, uint32_t next)
{
	struct join j = join_of(b, sym[at], sym[next]);

	if (j.rank == UINT32_MAX)
		return 0;
	return heap_push(h, (struct cand){ j.rank, at, sym[at], sym[next], j.id });
}

/* prev and next link what is left of the symbols; a symbol that was joined to
 * its left neighbour is -1. A candidate is stale when its symbols changed. */
static int merge_long(const struct sg_bpe *b, struct part *p)
{
	uint32_t n = (uint32_t)p->n, *prev = NULL, *next = NULL;
	struct heap h = { 0 };
	size_t kept = 0;
	int rc;

	if (p->n >= UINT32_MAX)
		return sg_fail(SG_E_UNSUPPORTED, "a word of %zu symbols is too long", p->n);
	if ((rc = SG_NEW(prev, n)) < 0 || (rc = SG_NEW(next, n)) < 0)
		goto out;
	for (uint32_t i = 0; i < n; i++) {
		prev[i] = i - 1;	/* of the first: UINT32_MAX */
		next[i] = i + 1;
		if (i + 1 < n && (rc = offer(b, &h, p->sym, i, i + 1)) < 0)
			goto out;
	}
	while (h.n) {
		struct cand c = heap_pop(&h);
		uint32_t gone = next[c.at];

		if (p->sym[c.at] != c.left || gone >= n || p->sym[gone] != c.right)
			continue;
		p->sym[c.at] = c.id;
		p->sym[gone] = -1;
		next[c.at] = next[gone];
		if (next[c.at] < n)
			prev[next[c.at]] = c.at;
		if (prev[c.at] < n && (rc = offer(b, &h, p->sym, prev[c.at], c.at)) < 0)
			goto out;
		if (next[c.at] < n && (rc = offer(b, &h, p->sym, c.at, next[c.at])) < 0)
			goto out;
	}
	for (uint32_t i = 0; i < n; i++)
		if (p->sym[i] >= 0)
			p->sym[kept++] = p->sym[i];
	p->n = kept;
out:
	free(prev);
	free(next);
	free(h.c);
	return rc;
}

int sg_bpe_merge(const struct sg_bpe *b, int32_t *sym, size_t *n)
{
	struct part p = { .sym = sym, .n = *n };
	int rc = 0;

	if (p.n > SHORT)
		rc = merge_long(b, &p);
	else
		merge_short(b, &p);
	*n = p.n;
	return rc;
}

static int flush(const struct sg_bpe *b, struct sg_ids *out, struct part *p)
{
	SG_TRY(sg_bpe_merge(b, p->sym, &p->n));
	for (size_t i = 0; i < p->n; i++)
		SG_TRY(sg_ids_add(out, p->sym[i]));
	p->n = 0;
	return 0;
}

static int put(const struct sg_bpe *b, struct sg_ids *out, struct part *p, int32_t id)
{
	if (p->n && !reaches(b, p->sym[p->n - 1], id))
		SG_TRY(flush(b, out, p));
	SG_TRY(SG_GROW(p->sym, p->n, p->cap));
	p->sym[p->n++] = id;
	return 0;
}

/* A character without a token: its bytes, where all of them have one, else the
 * unknown token, one for a run of them if the file fuses. `pending` counts
 * unknown tokens not yet put: they come when the next known character does, so
 * behind byte tokens in between, as in the original. */
static int put_unknown(const struct sg_bpe *b, struct sg_ids *out, struct part *p, const char *s, size_t n,
		       bool *pending)
{
	bool all = b->byte_fallback;

	for (size_t i = 0; i < n && all; i++)
		all = b->byte[(unsigned char)s[i]] >= 0;
	if (all) {
		for (size_t i = 0; i < n; i++)
			SG_TRY(put(b, out, p, b->byte[(unsigned char)s[i]]));
		return 0;
	}
	if (*pending && !b->fuse_unk)
		SG_TRY(put(b, out, p, b->unk));
	*pending = b->unk >= 0;
	return 0;
}

int sg_bpe_word(const struct sg_bpe *b, struct sg_ids *out, const char *s, size_t n)
{
	struct part p = { 0 };
	bool pending = false;
	int rc = 0;

	if (b->whole_first && (rc = sg_vocab_find(&b->vocab, s, n)) >= 0)
		return sg_ids_add(out, rc);
	rc = 0;
	for (size_t i = 0, size; i < n && rc >= 0; i += size) {
		int32_t id;

		size = sg_utf8_size((unsigned char)s[i]);
		id = char_id(b, s + i, size);
		if (id < 0) {
			rc = put_unknown(b, out, &p, s + i, size, &pending);
			continue;
		}
		if (pending)
			rc = put(b, out, &p, b->unk);
		pending = false;
		if (rc >= 0)
			rc = put(b, out, &p, id);
	}
	if (rc >= 0 && pending)
		rc = put(b, out, &p, b->unk);
	if (rc >= 0)
		rc = flush(b, out, &p);
	free(p.sym);
	return rc;
}

/* The symbols with which a token can begin or end: its outer character, and
 * itself where it is a symbol as it stands (bytes, unknown). */
static int outer(const struct sg_bpe *b, int32_t id, bool last, int32_t sym[2])
{
	size_t n = 0, at = 0;
	const char *s = sg_vocab_text(&b->vocab, id, &n);
	int k = 0;

	if (n) {
		if (last)
			for (at = n - 1; at && ((unsigned char)s[at] & 0xc0) == 0x80; )
				at--;
		sym[k] = char_id(b, s + at, sg_utf8_size((unsigned char)s[at]));
		k += sym[k] >= 0;
	}
	for (int i = 0; n == 6 && !memcmp(s, "<0x", 3) && i < 256; i++)
		if (b->byte[i] == id) {
			sym[k++] = id;
			return k;
		}
	if (b->unk == id)
		sym[k++] = id;
	return k;
}

static int prepare_chars(struct sg_bpe *b)
{
	size_t count = 0, n = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t id = 0; id < b->vocab.n; id++) {
			const char *s = sg_vocab_text(&b->vocab, (int64_t)id, &n);

			if (!s || !n || sg_utf8_size((unsigned char)*s) != n)
				continue;
			if (pass)
				sg_pairs_put(&b->chars, (uint64_t)sg_utf8_char(s, n) + 1, id);
			else
				count++;
		}
		if (!pass)
			SG_TRY(sg_pairs_init(&b->chars, count));
	}
	return 0;
}

static int prepare_reach(struct sg_bpe *b)
{
	size_t room = 0;

	/* a bound; few of them differ, so the table is shrunk after */
	for (size_t i = 0; i <= b->merges.mask; i++)
		room += b->merges.key[i] != 0;
	SG_TRY(sg_pairs_init(&b->reach, 4 * room));
	for (size_t i = 0; i <= b->merges.mask; i++) {
		uint64_t key = b->merges.key[i] - 1;
		int32_t l[2], r[2];
		int nl, nr;

		if (!b->merges.key[i])
			continue;
		nl = outer(b, (int32_t)(key >> 32), true, l);
		nr = outer(b, (int32_t)(uint32_t)key, false, r);
		for (int x = 0; x < nl; x++)
			for (int y = 0; y < nr; y++)
				sg_pairs_put(&b->reach, sg_bpe_key(l[x], r[y]), 1);
	}
	return 0;
}

/* The same content in the smallest table. */
static int shrink(struct sg_pairs *p)
{
	struct sg_pairs q = { 0 };

	SG_TRY(sg_pairs_init(&q, p->used));
	for (size_t i = 0; i <= p->mask; i++)
		if (p->key[i])
			sg_pairs_put(&q, p->key[i], p->value[i]);
	sg_pairs_release(p);
	*p = q;
	return 0;
}

int sg_bpe_prepare(struct sg_bpe *b)
{
	for (int i = 0; i < 256; i++) {
		char name[8];

		snprintf(name, sizeof(name), "<0x%02X>", i);
		b->byte[i] = sg_vocab_find(&b->vocab, name, 6);
	}
	SG_TRY(prepare_chars(b));
	SG_TRY(prepare_reach(b));
	return shrink(&b->reach);
}

void sg_bpe_release(struct sg_bpe *b)
{
	sg_vocab_release(&b->vocab);
	sg_pairs_release(&b->merges);
	sg_pairs_release(&b->reach);
	sg_pairs_release(&b->chars);
}
