#include "model/batch.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"

int sg_batch_init(struct sg_batch *b, size_t cap)
{
	struct sg_batch n = { .cap = cap };

	if (cap > INT32_MAX)
		return sg_fail(SG_E_USAGE, "a batch of %zu tokens is too large", cap);
	if (SG_NEW(n.token, cap) < 0 || SG_NEW(n.target, cap) < 0 || SG_NEW(n.begin, cap) < 0 ||
	    SG_NEW(n.doc, cap) < 0) {
		sg_batch_release(&n);
		return -SG_E_NOMEM;
	}
	*b = n;
	return 0;
}

void sg_batch_release(struct sg_batch *b)
{
	free(b->token);
	free(b->target);
	free(b->begin);
	free(b->doc);
	*b = (struct sg_batch){ 0 };
}

void sg_batch_clear(struct sg_batch *b)
{
	b->n = b->scored = 0;
}

bool sg_batch_add(struct sg_batch *b, const int32_t *ids, size_t n, uint32_t doc)
{
	if (n > b->cap - b->n)
		return false;
	for (size_t i = 0; i < n; i++) {
		b->token[b->n + i] = ids[i];
		b->target[b->n + i] = ids[i + 1];
		b->begin[b->n + i] = (int32_t)b->n;
		b->doc[b->n + i] = doc;
	}
	b->n += n;
	b->scored += n;
	return true;
}

/* The same straight from a shard; the caller knows that it fits. */
static void add(struct sg_batch *b, const struct sg_tokens *t, uint64_t begin, size_t rows, uint32_t doc)
{
	size_t at = b->n;
	int32_t next = (int32_t)sg_tokens_at(t, begin);

	for (size_t i = 0; i < rows; i++) {
		b->token[at + i] = next;
		next = (int32_t)sg_tokens_at(t, begin + i + 1);
		b->target[at + i] = next;
		b->begin[at + i] = (int32_t)at;
		b->doc[at + i] = doc;
	}
	b->n += rows;
	b->scored += rows;
}

/* Rows of the window that starts `at` tokens into a document of len tokens; 0:
 * nothing is left to predict. */
static size_t window_rows(uint64_t len, uint64_t at, size_t T)
{
	return at + 1 >= len ? 0 : (size_t)SG_MIN(len - 1 - at, (uint64_t)T);
}

void sg_walk_init(struct sg_walk *w, const struct sg_tokens *t, size_t T, uint64_t first, uint64_t last)
{
	*w = (struct sg_walk){ .t = t, .T = T, .doc = first, .last = SG_MIN(last, t->docs) };
}

int64_t sg_walk_next(struct sg_walk *w, struct sg_batch *b)
{
	sg_batch_clear(b);
	if (!w->T || b->cap < w->T)
		return sg_fail(SG_E_USAGE, "a batch of %zu tokens cannot hold a window of %zu", b->cap, w->T);
	while (w->doc < w->last) {
		size_t rows = window_rows(sg_tokens_len(w->t, w->doc), w->at, w->T);

		if (!rows) {
			w->doc++;
			w->at = 0;
			continue;
		}
		if (rows > b->cap - b->n)
			break;
		add(b, w->t, sg_tokens_begin(w->t, w->doc) + w->at, rows, (uint32_t)w->doc);
		w->at += rows;
	}
	return (int64_t)b->n;
}

/* Windows of all sets, in order. */
static int cut(struct sg_plan *p)
{
	size_t cap = 0;
	uint32_t doc = 0;

	for (size_t s = 0; s < p->n_sets; s++)
		for (uint64_t d = 0; d < p->set[s]->docs; d++, doc++) {
			uint64_t len = sg_tokens_len(p->set[s], d), at = 0;
			size_t rows;

			for (; (rows = window_rows(len, at, p->T)); at += rows) {
				if (p->n_windows == UINT32_MAX)
					return sg_fail(SG_E_UNSUPPORTED, "more than 2^32 windows to train on");
				SG_TRY(SG_GROW(p->window, p->n_windows, cap));
				p->window[p->n_windows++] = (struct sg_window){
					.begin = sg_tokens_begin(p->set[s], d) + at,
					.set = (uint32_t)s, .doc = doc, .rows = (uint32_t)rows };
				p->rows += rows;
			}
		}
	return 0;
}

static void shuffle(struct sg_plan *p)
{
	uint64_t seed = sg_rng_u64(p->seed, sg_rng_stream("epoch"), p->epoch);

	sg_rng_shuffle(p->order, p->n_windows, seed, sg_rng_stream("windows"));
}

static void rewind_plan(struct sg_plan *p)
{
	p->step = p->epoch = 0;
	p->at = 0;
	shuffle(p);
}

int sg_plan_init(struct sg_plan *out, const struct sg_tokens *const *sets, size_t n_sets, size_t T,
		 size_t tokens_per_step, uint64_t seed)
{
	struct sg_plan p = { .set = sets, .n_sets = n_sets, .T = T, .step_rows = tokens_per_step, .seed = seed };
	int rc;

	if (!T || T > INT32_MAX || tokens_per_step < T)
		return sg_fail(SG_E_USAGE, "a step of %zu tokens cannot hold a window of %zu", tokens_per_step, T);
	rc = cut(&p);
	if (rc >= 0 && !p.n_windows)
		rc = sg_fail(SG_E_REFUSED, "nothing to train on: no document has a token to predict");
	if (rc >= 0)
		rc = SG_NEW(p.order, p.n_windows);
	if (rc < 0) {
		sg_plan_release(&p);
		return rc;
	}
	rewind_plan(&p);
	*out = p;
	return 0;
}

/* Moves the cursor over one window that still fits into `room` rows, or stops. */
static const struct sg_window *take(struct sg_plan *p, size_t room)
{
	const struct sg_window *w;

	if (p->at == p->n_windows) {
		p->epoch++;
		p->at = 0;
		shuffle(p);
	}
	w = &p->window[p->order[p->at]];
	if (w->rows > room)
		return NULL;
	p->at++;
	return w;
}

int64_t sg_plan_step(struct sg_plan *p, uint64_t step, struct sg_batch *b)
{
	const struct sg_window *w;

	if (b->cap < p->step_rows)
		return sg_fail(SG_E_USAGE, "a batch of %zu tokens cannot hold a step of %zu", b->cap, p->step_rows);
	if (step < p->step)
		rewind_plan(p);
	for (; p->step < step; p->step++)
		for (size_t n = 0; (w = take(p, p->step_rows - n)); )
			n += w->rows;
	sg_batch_clear(b);
	while ((w = take(p, p->step_rows - b->n)))
		add(b, p->set[w->set], w->begin, w->rows, w->doc);
	p->step++;
	return (int64_t)b->n;
}

void sg_plan_release(struct sg_plan *p)
{
	free(p->window);
	free(p->order);
	*p = (struct sg_plan){ 0 };
}
