#include "model/tok_words.h"
#include "base/error.h"
#include "base/mem.h"
#include <stdatomic.h>

#define SLOTS 16384
#define WIDE  3		/* a word is up to 24 bytes, as three numbers */
#define IDS   8

/* A cache line. */
struct slot { uint64_t key[WIDE]; int32_t id[IDS]; uint8_t len, n; uint8_t pad[6]; };

struct sg_words {
	struct slot asked, *at;		/* the word last asked for, NULL: not one to keep */
	struct slot slot[SLOTS];
};
struct sg_words_shelf { _Atomic(struct sg_words *) spare; };

int sg_words_shelf_new(struct sg_words_shelf **out)
{
	return SG_NEW(*out, 1);
}

void sg_words_shelf_free(struct sg_words_shelf *shelf)
{
	if (shelf)
		free(atomic_load(&shelf->spare));
	free(shelf);
}

int sg_words_take(struct sg_words **out, struct sg_words_shelf *shelf)
{
	struct sg_words *w = atomic_exchange(&shelf->spare, NULL);

	if (!w)
		SG_TRY(SG_NEW(w, 1));
	*out = w;
	return 0;
}

void sg_words_give(struct sg_words_shelf *shelf, struct sg_words *w)
{
	if (w)
		free(atomic_exchange(&shelf->spare, w));
}

/* The word's bytes as numbers, zeros behind. */
static inline void key_of(uint64_t key[WIDE], const char *s, size_t n, const char *end)
{
	if ((size_t)(end - s) < WIDE * 8 || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
		memset(key, 0, WIDE * 8);
		memcpy(key, s, n);
		return;
	}
	memcpy(key, s, WIDE * 8);
	for (size_t i = 0; i < WIDE; i++)
		if (n <= 8 * i)
			key[i] = 0;
		else if (n < 8 * i + 8)
			key[i] &= ~(uint64_t)0 >> (64 - 8 * (n - 8 * i));
}

static inline size_t place(const uint64_t key[WIDE], size_t n)
{
	uint64_t h = (key[0] ^ n) * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 32 ^ key[1]) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 32 ^ key[2]) * 0x94d049bb133111ebu;
	return (size_t)(h >> 40) % SLOTS;
}

int sg_words_get(struct sg_words *w, struct sg_ids *out, const char *s, size_t n, const char *end)
{
	struct slot *a = &w->asked, *b;

	w->at = NULL;
	if (n > WIDE * 8)
		return 0;
	key_of(a->key, s, n, end);
	a->len = (uint8_t)n;
	b = w->at = &w->slot[place(a->key, n)];
	if (b->len != a->len || memcmp(b->key, a->key, sizeof(a->key)))
		return 0;
	if (out->cap - out->n < IDS) {
		for (size_t i = 0; i < b->n; i++)
			SG_TRY(sg_ids_add(out, b->id[i]));
		return 1;
	}
	memcpy(out->id + out->n, b->id, sizeof(b->id));
	out->n += b->n;
	return 1;
}

void sg_words_put(struct sg_words *w, const int32_t *id, size_t n)
{
	if (!w->at || n > IDS)
		return;
	if (n)
		memcpy(w->asked.id, id, n * sizeof(*id));
	w->asked.n = (uint8_t)n;
	*w->at = w->asked;
}
