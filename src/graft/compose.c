#include "graft/compose.h"
#include "base/error.h"
#include "base/mem.h"

/*
 * The smallest id of those that nothing unplaced must come before, again and again:
 * Kahn's way with a heap, so that a stack of ten thousand is ordered in a moment.
 */
struct order {
	struct sg_graft **g;		/* by id */
	size_t n;
	size_t *waits;			/* for how many others */
	size_t *first, *next, *who;	/* lists: who waits for g[i]; first[i] and next[] are places + 1 */
	size_t n_edges, cap_next, cap_who;
	size_t *heap, n_heap;
};

static int by_id(const void *a, const void *b)
{
	return strcmp((*(struct sg_graft *const *)a)->id, (*(struct sg_graft *const *)b)->id);
}

/* Place of an id among g, or n. */
static size_t place_of(const struct order *o, const char *id)
{
	size_t lo = 0, hi = o->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(o->g[mid]->id, id);

		if (!c)
			return mid;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return o->n;
}

static int add_edges(struct order *o, size_t i, const struct sg_names *ids, bool must)
{
	for (size_t j = 0; j < ids->n; j++) {
		size_t k = place_of(o, ids->name[j]);

		if (k == o->n && must)
			return sg_fail(SG_E_REFUSED, "graft %.16s requires graft %.16s, which is not active", o->g[i]->id,
				       ids->name[j]);
		if (k == o->n || k == i)
			continue;
		SG_TRY(SG_GROW(o->next, o->n_edges, o->cap_next));
		SG_TRY(SG_GROW(o->who, o->n_edges, o->cap_who));
		o->who[o->n_edges] = i;
		o->next[o->n_edges] = o->first[k];
		o->first[k] = ++o->n_edges;
		o->waits[i]++;
	}
	return 0;
}

/* Places are in the order of ids, so the heap compares places. */
static void heap_add(struct order *o, size_t v)
{
	size_t at = o->n_heap++;

	for (; at && o->heap[(at - 1) / 2] > v; at = (at - 1) / 2)
		o->heap[at] = o->heap[(at - 1) / 2];
	o->heap[at] = v;
}

static size_t heap_take(struct order *o)
{
	size_t top = o->heap[0], v = o->heap[--o->n_heap], at = 0, child;

	while ((child = 2 * at + 1) < o->n_heap) {
		child += child + 1 < o->n_heap && o->heap[child + 1] < o->heap[child];
		if (o->heap[child] >= v)
			break;
		o->heap[at] = o->heap[child];
		at = child;
	}
	o->heap[at] = v;
	return top;
}

static int place_all(struct order *o, struct sg_graft **out)
{
	size_t placed = 0;

	for (size_t i = 0; i < o->n; i++)
		if (!o->waits[i])
			heap_add(o, i);
	while (o->n_heap) {
		size_t i = heap_take(o);

		out[placed++] = o->g[i];
		for (size_t e = o->first[i]; e; e = o->next[e - 1])
			if (!--o->waits[o->who[e - 1]])
				heap_add(o, o->who[e - 1]);
	}
	for (size_t i = 0; placed < o->n && i < o->n; i++)
		if (o->waits[i])
			return sg_fail(SG_E_REFUSED, "grafts depend on each other in a circle, one of them is %.16s",
				       o->g[i]->id);
	return 0;
}

int sg_stack_order(struct sg_graft **g, size_t n)
{
	struct order o = { .n = n };
	struct sg_graft **out = NULL;
	int rc = SG_NEW(o.g, n + 1);

	if (rc >= 0)
		rc = SG_NEW(out, n + 1);
	if (rc >= 0)
		rc = SG_NEW(o.waits, n + 1);
	if (rc >= 0)
		rc = SG_NEW(o.first, n + 1);
	if (rc >= 0)
		rc = SG_NEW(o.heap, n + 1);
	if (rc >= 0 && n) {
		memcpy(o.g, g, n * sizeof(*g));
		qsort(o.g, n, sizeof(*g), by_id);
	}
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		rc = add_edges(&o, i, &o.g[i]->file.requires, true);
		if (rc >= 0)
			rc = add_edges(&o, i, &o.g[i]->file.after, false);
	}
	if (rc >= 0)
		rc = place_all(&o, out);
	if (rc >= 0 && n)
		memcpy(g, out, n * sizeof(*g));
	free(o.g);
	free(o.waits);
	free(o.first);
	free(o.next);
	free(o.who);
	free(o.heap);
	free(out);
	return rc;
}

int sg_stack_state(char hex[SG_SHA256_HEX], const char *base, struct sg_graft *const *g, size_t n)
{
	struct sg_buf b = { 0 };
	int rc = sg_buf_fmt(&b, "sg-state-v1\n%s\n", base);

	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = sg_buf_fmt(&b, "%s\n", g[i]->id);
	if (rc >= 0)
		rc = sg_sha256_hex(hex, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

static const struct sg_graft_source *source_of(const struct sg_graft *g, struct sg_graft *const *given,
					       const struct sg_graft_source *source, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (given[i] == g)
			return &source[i];
	return NULL;
}

static int attach_all(struct sg_composed *c, const struct sg_checkpoint *base, struct sg_device *dev, size_t cap,
		      struct sg_graft *const *given, const struct sg_graft_source *source)
{
	SG_TRY(sg_stack_order(c->g, c->n));
	SG_TRY(sg_model_init(&c->model, base, dev));
	for (size_t i = 0; i < c->n; i++)
		SG_TRY(sg_graft_attach(c->g[i], &c->model, cap, false, 0, source_of(c->g[i], given, source, c->n)));
	return 0;
}

int sg_compose(struct sg_composed *out, const struct sg_checkpoint *base, struct sg_device *dev, size_t cap,
	       struct sg_graft **g, const struct sg_graft_source *source, size_t n)
{
	struct sg_composed c = { .n = n };
	int rc = SG_NEW(c.g, n);

	if (rc < 0) {
		for (size_t i = 0; i < n; i++)
			sg_graft_free(g[i]);
		return rc;
	}
	if (n)
		memcpy(c.g, g, n * sizeof(*g));
	rc = attach_all(&c, base, dev, cap, g, source);
	if (rc < 0)
		sg_composed_release(&c);
	else
		*out = c;
	return rc;
}

void sg_composed_release(struct sg_composed *c)
{
	if (c->model.dev)
		sg_model_release(&c->model);
	for (size_t i = 0; i < c->n; i++)
		sg_graft_free(c->g[i]);
	free(c->g);
	*c = (struct sg_composed){ 0 };
}
