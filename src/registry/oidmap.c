#include "registry/impl.h"

/* Open addressing; the id is a hash already. The zero id marks a free slot and
 * is never a key. */
static size_t slot(const struct sg_oidmap *m, const struct sg_oid *key)
{
	size_t h;

	memcpy(&h, key->id, sizeof(h));
	for (h &= m->cap - 1; !sg_oid_is_zero(&m->key[h]) && !sg_oid_eq(&m->key[h], key); )
		h = (h + 1) & (m->cap - 1);
	return h;
}

static int grow(struct sg_oidmap *m)
{
	struct sg_oidmap big = { .cap = m->cap ? m->cap * 2 : 64, .n = m->n };

	if (SG_NEW(big.key, big.cap) < 0 || SG_NEW(big.value, big.cap) < 0) {
		sg_oidmap_release(&big);
		return -SG_E_NOMEM;
	}
	for (size_t i = 0; i < m->cap; i++) {
		if (!sg_oid_is_zero(&m->key[i])) {
			size_t h = slot(&big, &m->key[i]);

			big.key[h] = m->key[i];
			big.value[h] = m->value[i];
		}
	}
	sg_oidmap_release(m);
	*m = big;
	return 0;
}

int sg_oidmap_add(struct sg_oidmap *m, const struct sg_oid *key, size_t value)
{
	size_t h;

	if (m->n * 4 >= m->cap * 3)
		SG_TRY(grow(m));
	h = slot(m, key);
	if (!sg_oid_is_zero(&m->key[h]))
		return 0;
	m->key[h] = *key;
	m->value[h] = value;
	m->n++;
	return 1;
}

void sg_oidmap_set(struct sg_oidmap *m, const struct sg_oid *key, size_t value)
{
	if (m->n)
		m->value[slot(m, key)] = value;
}

bool sg_oidmap_get(const struct sg_oidmap *m, const struct sg_oid *key, size_t *value)
{
	size_t h;

	if (!m->n)
		return false;
	h = slot(m, key);
	if (sg_oid_is_zero(&m->key[h]))
		return false;
	if (value)
		*value = m->value[h];
	return true;
}

void sg_oidmap_release(struct sg_oidmap *m)
{
	free(m->key);
	free(m->value);
	*m = (struct sg_oidmap){ 0 };
}
