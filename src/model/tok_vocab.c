#include "model/tok_vocab.h"
#include "base/error.h"
#include "base/mem.h"

/* A power of two at least twice count, so that a search always ends. */
static int table_size(size_t count, size_t *out)
{
	size_t n = 16;

	if (count > SIZE_MAX / 8)
		return sg_fail(SG_E_NOMEM, "a table of %zu entries is too large", count);
	while (n < count * 2)
		n *= 2;
	*out = n;
	return 0;
}

static uint32_t hash(const char *s, size_t n)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ n, w;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0xbf58476d1ce4e5b9u;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, s, n);
	h = (h ^ w) * 0x94d049bb133111ebu;
	return (uint32_t)(h ^ h >> 32);
}

int sg_vocab_init(struct sg_vocab *v, size_t ids, size_t count)
{
	struct sg_vocab w = { .ids = ids };
	size_t slots = 0;
	int rc;

	SG_TRY(table_size(count, &slots));
	if (slots > UINT32_MAX)
		return sg_fail(SG_E_NOMEM, "a vocabulary of %zu tokens is too large", count);
	w.mask = (uint32_t)slots - 1;
	if ((rc = SG_NEW(w.entry, ids)) < 0 || (rc = SG_NEW(w.slot, slots)) < 0) {
		sg_vocab_release(&w);
		return rc;
	}
	*v = w;
	return 0;
}

int32_t sg_vocab_find(const struct sg_vocab *v, const char *s, size_t n)
{
	for (uint32_t i = hash(s, n) & v->mask; v->slot[i]; i = (i + 1) & v->mask) {
		const struct sg_vocab_entry *e = &v->entry[v->slot[i] - 1];

		if (e->len == n && !memcmp(v->text.data + e->at, s, n))
			return (int32_t)(v->slot[i] - 1);
	}
	return -1;
}

int sg_vocab_put(struct sg_vocab *v, uint32_t id, const char *s, size_t n)
{
	uint32_t i = hash(s, n) & v->mask;

	if (id >= v->ids || v->used >= v->mask / 2 + 1 || n > UINT32_MAX)
		return sg_fail(SG_E_CORRUPT, "token id %u is out of range", id);
	if (v->entry[id].known)
		return sg_fail(SG_E_EXISTS, "two tokens have the id %u", id);
	if (sg_vocab_find(v, s, n) >= 0)
		return sg_fail(SG_E_EXISTS, "a token is there twice");
	v->entry[id] = (struct sg_vocab_entry){ (uint32_t)v->text.len, (uint32_t)n, false };
	SG_TRY(sg_buf_add(&v->text, s, n));
	v->entry[id].known = true;
	while (v->slot[i])
		i = (i + 1) & v->mask;
	v->slot[i] = id + 1;
	v->used++;
	v->n = SG_MAX(v->n, (size_t)id + 1);
	return 0;
}

const char *sg_vocab_text(const struct sg_vocab *v, int64_t id, size_t *n)
{
	if (id < 0 || (size_t)id >= v->n || !v->entry[id].known)
		return NULL;
	*n = v->entry[id].len;
	return v->text.data + v->entry[id].at;
}

void sg_vocab_release(struct sg_vocab *v)
{
	free(v->entry);
	free(v->slot);
	sg_buf_release(&v->text);
	*v = (struct sg_vocab){ 0 };
}

int sg_pairs_init(struct sg_pairs *p, size_t count)
{
	struct sg_pairs q = { 0 };
	size_t slots = 0;
	int rc;

	SG_TRY(table_size(count + 1, &slots));
	q.mask = slots - 1;
	if ((rc = SG_NEW(q.key, slots)) < 0 || (rc = SG_NEW(q.value, slots)) < 0) {
		sg_pairs_release(&q);
		return rc;
	}
	*p = q;
	return 0;
}

void sg_pairs_put(struct sg_pairs *p, uint64_t key, uint64_t value)
{
	size_t i = sg_pairs_slot(p, key);

	while (p->key[i] && p->key[i] != key)
		i = (i + 1) & p->mask;
	if (!p->key[i])
		p->used++;
	p->key[i] = key;
	p->value[i] = value;
}

void sg_pairs_release(struct sg_pairs *p)
{
	free(p->key);
	free(p->value);
	*p = (struct sg_pairs){ 0 };
}
