#include "graft/places.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

/* A place and what it is worth. */
struct place { float score; size_t at; };

/* Is a kept rather than b? A total order, so that there is one answer. */
static bool better(const struct place *a, const struct place *b)
{
	return a->score > b->score || (a->score == b->score && a->at < b->at);
}

/* Heap of the n best so far, the worst of them on top. */
static void sift(struct place *h, size_t n, size_t i)
{
	for (;;) {
		struct place t = h[i];
		size_t low = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++)
			if (better(&h[low], &h[c]))
				low = c;
		if (low == i)
			return;
		h[i] = h[low];
		h[low] = t;
		i = low;
	}
}

static int by_place(const void *a, const void *b)
{
	size_t x = ((const struct place *)a)->at, y = ((const struct place *)b)->at;

	return (x > y) - (x < y);
}

/* The n best places among all, in order. */
static void choose(struct place *best, const float *score, size_t n, size_t all)
{
	for (size_t i = 0; i < n; i++)
		best[i] = (struct place){ score[i], i };
	for (size_t i = n; i-- > 0; )
		sift(best, n, i);
	for (size_t i = n; i < all; i++) {
		struct place p = { score[i], i };

		if (better(&p, &best[0])) {
			best[0] = p;
			sift(best, n, 0);
		}
	}
	qsort(best, n, sizeof(*best), by_place);
}

int sg_places_choose(float *at, size_t n, const float *score, size_t rows, size_t cols)
{
	struct place *best;

	SG_TRY(SG_NEW(best, n));
	choose(best, score, n, rows * cols);
	for (size_t i = 0; i < n; i++) {
		at[i] = (float)(best[i].at / cols);
		at[n + i] = (float)(best[i].at % cols);
	}
	free(best);
	return 0;
}

int sg_places_check(const float *at, size_t n, size_t rows, size_t cols, const char *site)
{
	size_t last = 0;

	for (size_t i = 0; i < n; i++) {
		float r = at[i], c = at[n + i];
		size_t k;

		if (!(r >= 0) || !(c >= 0) || !(r < (float)rows) || !(c < (float)cols) || r != truncf(r) || c != truncf(c))
			return sg_fail(SG_E_CORRUPT, "'%s' has a place that is not in the map", site);
		k = (size_t)r * cols + (size_t)c;
		if (i && k <= last)
			return sg_fail(SG_E_CORRUPT, "the places of '%s' are out of order", site);
		last = k;
	}
	return 0;
}

void sg_places_add(float *m, const float *at, const float *v, size_t n, size_t cols)
{
	for (size_t i = 0; i < n; i++)
		m[(size_t)at[i] * cols + (size_t)at[n + i]] += v[i];
}
