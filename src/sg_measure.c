/* Losses of documents: the one place where they are added up. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/batch.h"
#include "model/pass.h"

size_t sg_rows(size_t window)
{
	return SG_MAX(window, 2048);
}

static void add_up(double *nats, uint32_t *tokens, const struct sg_batch *b, const float *loss)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->target[i] >= 0) {
			nats[b->doc[i]] += loss[i];
			tokens[b->doc[i]]++;
		}
}

/* What a measurement works with. */
struct work { struct sg_pass pass; struct sg_batch b; float *loss; };

static int work_init(struct work *w, struct sg_model *m, size_t rows)
{
	*w = (struct work){ .loss = NULL };
	SG_TRY(sg_pass_init(&w->pass, m, rows, false));
	SG_TRY(sg_batch_init(&w->b, rows));
	return SG_NEW(w->loss, rows);
}

static void work_release(struct work *w)
{
	if (w->pass.m)
		sg_pass_release(&w->pass);
	sg_batch_release(&w->b);
	free(w->loss);
}

/* Losses of the batch onto the documents' sums; clears nothing. */
static int work_batch(struct work *w, double *nats, uint32_t *tokens)
{
	SG_TRY(sg_pass_loss(&w->pass, &w->b, w->loss));
	add_up(nats, tokens, &w->b, w->loss);
	return 0;
}

static int stop_or_go(const struct sg_progress *p, const char *what, uint64_t done, uint64_t total)
{
	return sg_progress(p, what, done, total, "") ? sg_fail(SG_E_INTERRUPTED, "interrupted") : 0;
}

static int measure(double *nats, uint32_t *tokens, struct work *w, struct sg_walk *walk, uint64_t total,
		   const char *what, const struct sg_progress *progress)
{
	uint64_t done = 0;
	int64_t n;

	while ((n = sg_walk_next(walk, &w->b)) > 0) {
		SG_TRY(work_batch(w, nats, tokens));
		done += w->b.scored;
		SG_TRY(stop_or_go(progress, what, done, total));
	}
	return (int)n;
}

int sg_measure(double *nats, uint32_t *tokens, struct sg_model *m, const struct sg_tokens *t, size_t docs,
	       size_t window, size_t rows, const char *what, const struct sg_progress *progress)
{
	struct sg_walk walk;
	struct work w;
	int rc = work_init(&w, m, SG_MAX(rows, window));

	memset(nats, 0, docs * sizeof(*nats));
	memset(tokens, 0, docs * sizeof(*tokens));
	if (rc >= 0) {
		sg_walk_init(&walk, t, window, 0, docs);
		rc = measure(nats, tokens, &w, &walk, sg_tokens_begin(t, docs) - docs, what, progress);
	}
	work_release(&w);
	return rc;
}

int sg_measure_ids(double *nats, uint32_t *tokens, struct sg_model *m, const int32_t *ids, size_t n, size_t window,
		   size_t rows, const char *what, const struct sg_progress *progress)
{
	struct work w;
	int rc = work_init(&w, m, SG_MAX(rows, window));

	*nats = 0;
	*tokens = 0;
	for (size_t at = 0, len; rc >= 0 && at + 1 < n; at += len) {
		len = SG_MIN(window, n - 1 - at);
		if (!sg_batch_add(&w.b, ids + at, len, 0)) {
			rc = work_batch(&w, nats, tokens);
			sg_batch_clear(&w.b);
			len = 0;
		}
		if (rc >= 0)
			rc = stop_or_go(progress, what, at, n);
	}
	if (rc >= 0 && w.b.n)
		rc = work_batch(&w, nats, tokens);
	work_release(&w);
	return rc;
}
