/* Losses of a composition on data sets and files. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"

/* A composed model to measure with, and what keeps it alive. */
struct bench {
	struct sg_view view;
	struct sg_composed model;
	char state[SG_SHA256_HEX];
	size_t window, rows;
};

static int open_bench(struct bench *b, struct sg_repo *r, const char *rev, const char *cand, uint64_t window,
		      uint64_t batch, const struct sg_progress *progress)
{
	struct sg_extra extra = { .id = "" };
	int rc = sg_view_open(&b->view, r, rev);

	if (rc >= 0 && cand)
		rc = sg_find_extra(&extra, r, cand);
	if (rc >= 0)
		rc = sg_view_base(&b->view, progress);
	if (rc >= 0) {
		size_t max = sg_checkpoint_desc(b->view.ckpt)->max_pos;

		b->window = window ? (size_t)window : SG_MIN(max, 512);
		b->rows = batch ? SG_MAX((size_t)batch, b->window) : sg_rows(b->window);
		rc = sg_view_window(&b->view, window);
	}
	if (rc >= 0)
		rc = sg_view_compose(&b->model, &b->view, &extra, cand != NULL, NULL, b->rows);
	return rc < 0 ? rc : sg_view_state(b->state, &b->view, &extra, cand != NULL, NULL);
}

static void close_bench(struct bench *b)
{
	sg_composed_release(&b->model);
	sg_view_release(&b->view);
}

/* Documents of t, measured and summed. */
static int line_of(struct sg_eval_line *out, struct bench *b, const struct sg_tokens *t, const char *what,
		   const struct sg_progress *progress)
{
	size_t docs = (size_t)t->docs;
	uint32_t *tokens = NULL;
	double *nats = NULL;
	int rc = SG_NEW(nats, docs);

	if (rc >= 0)
		rc = SG_NEW(tokens, docs);
	if (rc >= 0)
		rc = sg_measure(nats, tokens, &b->model.model, t, docs, b->window, b->rows, what, progress);
	if (rc >= 0)
		rc = sg_sha256_hex(out->losses, nats, docs * sizeof(*nats));
	out->docs = docs;
	for (size_t d = 0; rc >= 0 && d < docs; d++) {
		out->nats += nats[d];
		out->tokens += tokens[d];
		out->bytes += sg_tokens_bytes(t, d);
	}
	free(nats);
	free(tokens);
	return rc;
}

static int eval_set(struct sg_eval_line *l, struct bench *b, const struct sg_set *s, const struct sg_progress *progress)
{
	const struct sg_tokens *t;

	SG_TRY(sg_set_tokens(&t, s));
	l->set = sg_strdup(s->manifest.name);
	l->role = sg_strdup(sg_role_name(s->manifest.role));
	return l->set && l->role ? line_of(l, b, t, l->set, progress) : -SG_E_NOMEM;
}

static int eval_sets(struct sg_eval_info *out, struct bench *b, const struct sg_sets *all, const struct sg_eval_opts *o,
		     const struct sg_progress *progress)
{
	for (size_t i = 0; i < o->sets.n; i++)
		if (!sg_sets_find(all, o->sets.name[i]))
			return sg_fail(SG_E_NOTFOUND, "no data set '%s'", o->sets.name[i]);
	for (size_t i = 0; i < all->n; i++) {
		const struct sg_set *s = &all->set[i];

		if (o->sets.n ? !sg_names_has(&o->sets, s->manifest.name) : o->files.n || !s->present)
			continue;
		SG_TRY(eval_set(&out->line[out->n++], b, s, progress));
	}
	return 0;
}

/* A text that is in no set, as one document. */
static int eval_file(struct sg_eval_line *l, struct bench *b, const char *path, const struct sg_progress *progress)
{
	struct sg_map map = { 0 };
	struct sg_ids ids = { 0 };
	uint32_t tokens = 0;
	int rc = (l->set = sg_strdup(path)) ? sg_map_open(&map, path) : -SG_E_NOMEM;

	if (rc >= 0 && (rc = sg_tokenizer_document(b->view.tok, &ids, (const char *)map.data, map.size)) < 0)
		rc = sg_fail_in(rc, "'%s'", path);
	if (rc >= 0)
		rc = sg_measure_ids(&l->nats, &tokens, &b->model.model, ids.id, ids.n, b->window, b->rows, path, progress);
	if (rc >= 0)
		rc = sg_sha256_hex(l->losses, &l->nats, sizeof(l->nats));
	l->docs = 1;
	l->tokens = tokens;
	l->bytes = map.size;
	sg_map_release(&map);
	sg_ids_release(&ids);
	return rc;
}

int sg_eval(struct sg_eval_info *out, struct sg_repo *r, const struct sg_eval_opts *o,
	    const struct sg_progress *progress)
{
	struct sg_eval_info e = { .n = 0 };
	struct sg_sets all = { 0 };
	struct bench b = { 0 };
	int rc = open_bench(&b, r, o->rev, o->cand, o->window, o->batch, progress);

	if (rc >= 0)
		rc = sg_view_tokenizer(&b.view);
	if (rc >= 0)
		rc = sg_sets_open(&all, r, &b.view.commit);
	if (rc >= 0)
		rc = SG_NEW(e.line, all.n + o->files.n);
	if (rc >= 0)
		rc = eval_sets(&e, &b, &all, o, progress);
	if (rc >= 0 && !e.n && !o->files.n)
		rc = sg_fail(SG_E_NOTFOUND, "no data set has its tokens here; add one with 'sg data add', or give --file");
	for (size_t i = 0; rc >= 0 && i < o->files.n; i++)
		rc = eval_file(&e.line[e.n++], &b, o->files.name[i], progress);
	strcpy(e.state, b.state);
	e.window = b.window;
	sg_sets_release(&all);
	close_bench(&b);
	if (rc < 0)
		sg_eval_info_release(&e);
	else
		*out = e;
	return rc;
}

void sg_eval_info_release(struct sg_eval_info *e)
{
	for (size_t i = 0; e->line && i < e->n; i++) {
		free(e->line[i].set);
		free(e->line[i].role);
	}
	free(e->line);
	*e = (struct sg_eval_info){ .n = 0 };
}
