/* Losses of documents: the one place where they are added up. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/fmath.h"
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

/* --- divergence ------------------------------------------------------------------ */

static float highest(const float *x, size_t n)
{
	float top = x[0];

	for (size_t i = 1; i < n; i++)
		top = x[i] > top ? x[i] : top;
	return top;
}

/* Entropy of softmax(a), and cross entropy of softmax(b) under it. */
static void divergence(double *entropy, double *cross, const float *a, const float *b, size_t n)
{
	float ta = highest(a, n), tb = highest(b, n);
	double za = 0, zb = 0, sa = 0, sb = 0;

	for (size_t i = 0; i < n; i++) {
		double p = sg_expf(a[i] - ta);

		za += p;
		sa += p * (a[i] - ta);
		sb += p * (b[i] - tb);
		zb += sg_expf(b[i] - tb);
	}
	*entropy += sg_logf((float)za) - sa / za;
	*cross += sg_logf((float)zb) - sb / za;
}

struct drift { struct work a, b; float *la, *lb; double *entropy, *cross; uint32_t *tokens; };

static int drift_batch(struct drift *w)
{
	size_t vocab = w->a.pass.m->desc.vocab, rows = w->a.pass.rows;
	const struct sg_batch *b = &w->a.b;

	SG_TRY(sg_pass_hidden(&w->a.pass, b));
	SG_TRY(sg_pass_hidden(&w->b.pass, b));
	for (size_t at = 0; at < b->n; at += rows) {
		size_t n = SG_MIN(rows, b->n - at);

		SG_TRY(sg_pass_scores(&w->a.pass, at, n, w->la));
		SG_TRY(sg_pass_scores(&w->b.pass, at, n, w->lb));
		for (size_t i = 0; i < n; i++) {
			size_t d = (size_t)b->doc[at + i];

			if (b->target[at + i] < 0)
				continue;
			divergence(&w->entropy[d], &w->cross[d], w->la + i * vocab, w->lb + i * vocab, vocab);
			w->tokens[d]++;
		}
	}
	return 0;
}

static int drift_all(struct drift *w, struct sg_walk *walk, uint64_t total, const char *what,
		     const struct sg_progress *progress)
{
	uint64_t done = 0;
	int64_t n;

	while ((n = sg_walk_next(walk, &w->a.b)) > 0) {
		SG_TRY(drift_batch(w));
		done += w->a.b.scored;
		SG_TRY(stop_or_go(progress, what, done, total));
	}
	return (int)n;
}

int sg_measure_drift(double *entropy, double *cross, uint32_t *tokens, struct sg_model *a, struct sg_model *b,
		     const struct sg_tokens *t, size_t docs, size_t window, const char *what,
		     const struct sg_progress *progress)
{
	struct drift w = { .entropy = entropy, .cross = cross, .tokens = tokens };
	size_t rows = sg_rows(window);
	struct sg_walk walk;
	int rc = work_init(&w.a, a, rows);

	memset(entropy, 0, docs * sizeof(*entropy));
	memset(cross, 0, docs * sizeof(*cross));
	memset(tokens, 0, docs * sizeof(*tokens));
	if (rc >= 0)
		rc = work_init(&w.b, b, rows);
	if (rc >= 0)
		rc = SG_NEW(w.la, w.a.pass.rows * a->desc.vocab);
	if (rc >= 0)
		rc = SG_NEW(w.lb, w.b.pass.rows * b->desc.vocab);
	if (rc >= 0) {
		sg_walk_init(&walk, t, window, 0, docs);
		rc = drift_all(&w, &walk, sg_tokens_begin(t, docs) - docs, what, progress);
	}
	work_release(&w.b);
	work_release(&w.a);
	free(w.la);
	free(w.lb);
	return rc;
}

/* --- repetition --------------------------------------------------------------------- */

#define GRAM 4

/* Does the sequence that ends at `end` stand before? */
static bool repeated(const int32_t *id, size_t end)
{
	for (size_t e = GRAM - 1; e < end; e++)
		if (!memcmp(id + e + 1 - GRAM, id + end + 1 - GRAM, GRAM * sizeof(*id)))
			return true;
	return false;
}

struct writer { struct sg_pass pass; struct sg_cache cache; float *logits; int32_t *id; };

static void writer_release(struct writer *w)
{
	if (w->pass.m)
		sg_pass_release(&w->pass);
	if (w->cache.m)
		sg_cache_release(&w->cache);
	free(w->logits);
	free(w->id);
}

static int writer_init(struct writer *w, struct sg_model *m, size_t cap)
{
	SG_TRY(sg_pass_init(&w->pass, m, cap, false));
	SG_TRY(sg_cache_init(&w->cache, m, cap));
	SG_TRY(SG_NEW(w->logits, m->desc.vocab));
	return SG_NEW(w->id, cap);
}

static int write_one(double *repeats, struct writer *w, size_t prompt, size_t n)
{
	size_t have = prompt, vocab = w->pass.m->desc.vocab;

	w->cache.n = 0;
	*repeats = 0;
	for (size_t i = 0; i < n; i++, have++) {
		size_t best = 0;

		SG_TRY(sg_pass_next(&w->pass, &w->cache, w->id + w->cache.n, have - w->cache.n, w->logits));
		for (size_t v = 1; v < vocab; v++)
			best = w->logits[v] > w->logits[best] ? v : best;
		w->id[have] = (int32_t)best;
		*repeats += i + 1 > GRAM && repeated(w->id + prompt, i);
	}
	return 0;
}

int sg_measure_repeats(double *repeats, uint32_t *tokens, struct sg_model *m, const struct sg_tokens *t, size_t docs,
		       size_t prompt, size_t n, const char *what, const struct sg_progress *progress)
{
	struct writer w = { .logits = NULL };
	int rc = writer_init(&w, m, prompt + n);

	for (size_t d = 0; rc >= 0 && d < docs; d++) {
		uint64_t begin = sg_tokens_begin(t, d);
		size_t len = (size_t)SG_MIN(sg_tokens_len(t, d), (uint64_t)prompt);

		for (size_t i = 0; i < len; i++)
			w.id[i] = (int32_t)sg_tokens_at(t, begin + i);
		repeats[d] = 0;
		tokens[d] = len ? (uint32_t)n : 0;
		if (len)
			rc = write_one(&repeats[d], &w, len, n);
		if (rc >= 0)
			rc = stop_or_go(progress, what, d + 1, docs);
	}
	writer_release(&w);
	return rc;
}
