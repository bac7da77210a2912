/* How well dictionaries of tiles make up the matrices of a composition, or a graft's change. */
#include "sg_repo.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/codebook.h"
#include <math.h>

struct work {
	const struct sg_tiles_opts *o;
	const struct sg_progress *progress;
	struct sg_view view;
	struct sg_composed model;
	struct sg_names sites;
	struct sg_codebook_opts how[SG_DICT_COUNT];
	struct sg_codebook_report sum[SG_DICT_COUNT];
	uint64_t matrices, numbers;
};

static int take_options(struct work *w)
{
	static const char *const names[] = { "exact", "quantized", "stats" };	/* enum sg_signature */
	const struct sg_tiles_opts *o = w->o;
	size_t s = 0;

	while (s < SG_LEN(names) && strcmp(names[s], o->signature))
		s++;
	if (s == SG_LEN(names))
		return sg_fail(SG_E_USAGE, "'%.40s' is no signature (exact, quantized, stats)", o->signature);
	if (o->tile != 2 && o->tile != 4 && o->tile != 8 && o->tile != 16)
		return sg_fail(SG_E_USAGE, "a tile has 2, 4, 8 or 16 numbers on a side");
	for (int d = 0; d < SG_DICT_COUNT; d++) {
		size_t times = d == SG_DICT_residual ? 2 : d == SG_DICT_hierarchical ? 4 : 1;

		w->how[d] = (struct sg_codebook_opts){
			.dict = (enum sg_dict)d, .signature = (enum sg_signature)s, .tile = (size_t)o->tile * times,
			.codes = (size_t)o->codes, .step = o->step,
		};
	}
	return 0;
}

static int add_matrix(struct work *w, const float *v, size_t rows, size_t cols)
{
	for (int d = 0; d < SG_DICT_COUNT; d++) {
		struct sg_codebook_report r, *s = &w->sum[d];

		SG_TRY(sg_codebook(NULL, &r, v, rows, cols, &w->how[d]));
		s->tiles += r.tiles;
		s->codes += r.codes;
		s->bytes += r.bytes;
		s->raw += r.raw;
		s->d1 += r.d1;
		s->d2 += r.d2;
		s->w1 += r.w1;
		s->w2 += r.w2;
		s->worst = fmax(s->worst, r.worst);
	}
	w->matrices++;
	w->numbers += (uint64_t)rows * cols;
	if (sg_progress(w->progress, "tiles", w->matrices, 0, ""))
		return sg_fail(SG_E_INTERRUPTED, "stopped");
	return 0;
}

static int of_weights(struct work *w)
{
	for (size_t i = 0; i < w->sites.n; i++) {
		struct sg_site at;
		float *v;
		int rc;

		SG_TRY(sg_site_find(&at, &w->model.model, w->sites.name[i]));
		if ((at.kind != SG_SITE_LINEAR && at.kind != SG_SITE_HEAD) || !at.lin->w.data)
			continue;
		SG_TRY(sg_linear_weight(&v, at.lin, w->model.model.dev));
		rc = add_matrix(w, v, at.out, at.in);
		free(v);
		SG_TRY(rc);
	}
	return 0;
}

static int of_change(struct work *w, struct sg_graft *g)
{
	if (!g->type->delta)
		return sg_fail(SG_E_REFUSED, "a graft of type '%s' is no change of matrices", g->type->name);
	for (size_t i = 0; i < g->n; i++) {
		struct sg_part *p = &g->part[i];
		float *v;
		int rc;

		if ((p->at.kind != SG_SITE_LINEAR && p->at.kind != SG_SITE_HEAD) || !sg_names_has(&w->sites, p->site))
			continue;
		SG_TRY(SG_NEW(v, p->at.out * p->at.in));
		rc = g->type->delta(p, v);
		if (rc >= 0)
			rc = add_matrix(w, v, p->at.out, p->at.in);
		free(v);
		SG_TRY(rc);
	}
	return 0;
}

static int find_and_add(struct work *w, struct sg_repo *r)
{
	struct sg_found f = { 0 };
	int rc = sg_find_graft(&f, r, w->o->graft);

	if (rc >= 0)
		rc = sg_fail(SG_E_NOTFOUND, "graft %.16s is not active there", f.id);
	for (size_t i = 0; *f.id && i < w->model.n; i++)
		if (!strcmp(w->model.g[i]->id, f.id))
			rc = of_change(w, w->model.g[i]);
	sg_found_release(&f);
	return rc;
}

static int add_all(struct work *w, struct sg_repo *r)
{
	SG_TRY(take_options(w));
	SG_TRY(sg_view_open(&w->view, r, w->o->rev));
	SG_TRY(sg_view_base(&w->view, w->progress));
	SG_TRY(sg_view_compose(&w->model, &w->view, NULL, 0, NULL, 1));
	SG_TRY(sg_site_match(&w->sites, &w->model.model, w->o->sites ? w->o->sites : "*.attn.*,*.mlp.*"));
	SG_TRY(w->o->graft ? find_and_add(w, r) : of_weights(w));
	return w->matrices ? 0 : sg_fail(SG_E_NOTFOUND, "none of these sites has a matrix");
}

static int report(struct sg_tiles *out, struct work *w)
{
	SG_TRY(SG_NEW(out->line, SG_DICT_COUNT));
	for (int d = 0; d < SG_DICT_COUNT; d++) {
		const struct sg_codebook_report *s = &w->sum[d];

		out->line[out->n++] = (struct sg_tiles_line){
			.dictionary = sg_dict_names[d], .tiles = s->tiles, .codes = s->codes, .bytes = s->bytes, .raw = s->raw,
			.reuse = s->tiles ? 1 - (double)s->codes / (double)s->tiles : 0, .worst = s->worst,
			.l1 = s->w1 > 0 ? s->d1 / s->w1 : 0, .l2 = s->w2 > 0 ? sqrt(s->d2 / s->w2) : 0,
		};
	}
	out->matrices = w->matrices;
	out->numbers = w->numbers;
	return sg_view_state(out->state, &w->view, NULL, 0, NULL);
}

int sg_tiles(struct sg_tiles *out, struct sg_repo *r, const struct sg_tiles_opts *o, const struct sg_progress *progress)
{
	struct work w = { .o = o, .progress = progress };
	struct sg_tiles found = { .n = 0 };
	int rc = add_all(&w, r);

	if (rc >= 0)
		rc = report(&found, &w);
	sg_composed_release(&w.model);
	sg_names_release(&w.sites);
	sg_view_release(&w.view);
	if (rc < 0)
		sg_tiles_release(&found);
	else
		*out = found;
	return rc;
}

void sg_tiles_release(struct sg_tiles *t)
{
	free(t->line);
	*t = (struct sg_tiles){ .n = 0 };
}
