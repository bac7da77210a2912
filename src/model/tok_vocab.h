#ifndef SG_MODEL_TOK_VOCAB_H
#define SG_MODEL_TOK_VOCAB_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * Spellings and ids, both ways. Ids need not be dense; those that no spelling
 * has are unknown. Content is released by sg_vocab_release, safe on {0}.
 */
struct sg_vocab {
	struct sg_vocab_entry { uint32_t at, len; bool known; } *entry;	/* by id */
	size_t n;			/* largest id + 1 */
	size_t ids;			/* room in entry: ids below it may be put */
	uint32_t *slot, mask;		/* hash table of id + 1 */
	size_t used;
	struct sg_buf text;
};

/* For `count` spellings with ids below `ids`. */
int sg_vocab_init(struct sg_vocab *v, size_t ids, size_t count);
/* EXISTS when the id or the spelling is taken; CORRUPT past ids or count. */
int sg_vocab_put(struct sg_vocab *v, uint32_t id, const char *s, size_t n);
int32_t sg_vocab_find(const struct sg_vocab *v, const char *s, size_t n);	/* -1: none */
/* Borrowed; NULL for an unknown id. */
const char *sg_vocab_text(const struct sg_vocab *v, int64_t id, size_t *n);
void sg_vocab_release(struct sg_vocab *v);

/* Map of 64-bit keys (not 0) to 64-bit values, of fixed room. */
struct sg_pairs { uint64_t *key, *value; size_t mask, used; };
int sg_pairs_init(struct sg_pairs *p, size_t count);
void sg_pairs_put(struct sg_pairs *p, uint64_t key, uint64_t value);	/* the last put stays */
static inline size_t sg_pairs_slot(const struct sg_pairs *p, uint64_t key)
{
	uint64_t h = key * 0x9e3779b97f4a7c15u;

	return (size_t)(h ^ h >> 29) & p->mask;
}
/* NULL: none. p has room for at least one key more than it holds. */
static inline const uint64_t *sg_pairs_get(const struct sg_pairs *p, uint64_t key)
{
	size_t i = sg_pairs_slot(p, key);

	for (; p->key[i]; i = (i + 1) & p->mask)
		if (p->key[i] == key)
			return &p->value[i];
	return NULL;
}
void sg_pairs_release(struct sg_pairs *p);
SG_C_END
#endif
