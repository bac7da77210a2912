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

static int measure(double *nats, uint32_t *tokens, struct sg_pass *pass, struct sg_batch *b, float *loss,
		   struct sg_walk *w, uint64_t total, const char *what, const struct sg_progress *progress)
{
	uint64_t done = 0;
	int64_t n;

	while ((n = sg_walk_next(w, b)) > 0) {
		SG_TRY(sg_pass_loss(pass, b, loss));
		add_up(nats, tokens, b, loss);
		done += b->scored;
		if (sg_progress(progress, what, done, total, ""))
			return sg_fail(SG_E_INTERRUPTED, "interrupted");
	}
	return (int)n;
}

int sg_measure(double *nats, uint32_t *tokens, struct sg_model *m, const struct sg_tokens *t, size_t docs,
	       size_t window, size_t rows, const char *what, const struct sg_progress *progress)
{
	struct sg_pass pass = { 0 };
	struct sg_batch b = { 0 };
	struct sg_walk w;
	float *loss = NULL;
	int rc;

	memset(nats, 0, docs * sizeof(*nats));
	memset(tokens, 0, docs * sizeof(*tokens));
	rows = SG_MAX(rows, window);
	rc = sg_pass_init(&pass, m, rows, false);
	if (rc >= 0)
		rc = sg_batch_init(&b, rows);
	if (rc >= 0)
		rc = SG_NEW(loss, rows);
	if (rc >= 0) {
		sg_walk_init(&w, t, window, 0, docs);
		rc = measure(nats, tokens, &pass, &b, loss, &w, sg_tokens_begin(t, docs) - docs, what, progress);
	}
	if (pass.m)
		sg_pass_release(&pass);
	sg_batch_release(&b);
	free(loss);
	return rc;
}
