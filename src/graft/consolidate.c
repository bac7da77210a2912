#include "graft/consolidate.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/shards.h"
#include <math.h>

/* --- what goes --------------------------------------------------------------- */

static bool is_layer(const struct sg_graft *g)
{
	return g->type->sites >> SG_SITE_SLOT & 1;
}

static bool is_grown(const struct sg_block *b)
{
	return !strncmp(b->name, "grown.", 6);
}

/* Has the part a merge law where it stands? */
static bool folds(const struct sg_part *p)
{
	return p->g->type->delta && (p->at.kind == SG_SITE_LINEAR || p->at.kind == SG_SITE_HEAD);
}

/* Does it widen an MLP? That changes the configuration, as layers do. */
static bool widens(const struct sg_part *p)
{
	return p->g->type->wider && p->at.kind == SG_SITE_MLP;
}

/* Does the base have a weight at the part's site? */
static bool on_base(const struct sg_fold *f, const struct sg_part *p)
{
	if (p->at.kind == SG_SITE_HEAD)
		return f->c->model.head.w.data != NULL;
	return !is_grown(p->at.block);
}

static bool goes(const struct sg_fold *f, const struct sg_graft *g)
{
	bool all_base = true;

	if (is_layer(g) || (g->n && widens(&g->part[0])))
		return f->what & SG_FOLD_LAYERS;
	for (size_t i = 0; i < g->n; i++) {
		if (!folds(&g->part[i]))
			return false;
		all_base &= on_base(f, &g->part[i]);
	}
	/* one that stands in a layer cannot outlive it as it is */
	return all_base ? f->what & SG_FOLD_LINEAR : f->what & SG_FOLD_LAYERS;
}

/* Units of a block's MLP with those that come beside it. */
static size_t width_of(const struct sg_fold *f, const struct sg_block *b)
{
	size_t w = b->ffn;

	for (size_t i = 0; i < f->c->n; i++)
		for (size_t k = 0; f->gone[i] && k < f->c->g[i]->n; k++) {
			const struct sg_part *p = &f->c->g[i]->part[k];

			if (widens(p) && p->at.block == b)
				w += p->g->type->wider(p, SG_DOWN)->shape[1];
		}
	return w;
}

/* A change that stays is one of a map that has the shape it had. */
static int check_stays(const struct sg_fold *f)
{
	for (size_t i = 0; i < f->c->n; i++)
		for (size_t k = 0; !f->gone[i] && k < f->c->g[i]->n; k++) {
			const struct sg_part *p = &f->c->g[i]->part[k];
			const struct sg_block *b = p->at.block;

			if (p->at.kind == SG_SITE_LINEAR && !is_grown(b) && p->at.lin >= &b->lin[SG_GATE] &&
			    p->at.lin <= &b->lin[SG_DOWN])
				return sg_fail(SG_E_REFUSED, "the MLPs become wider, but graft %.16s stays at '%s' as it is: "
					       "fold it too", f->c->g[i]->id, p->site);
		}
	return 0;
}

/* Hidden width of the result's MLPs: one for all, that of the widest. */
static int choose_ffn(struct sg_fold *f)
{
	size_t was = f->desc.ffn;

	for (size_t i = 0; i < f->c->model.n; i++)
		if (!is_grown(f->c->model.blocks[i]))
			f->desc.ffn = SG_MAX(f->desc.ffn, width_of(f, f->c->model.blocks[i]));
	for (size_t i = 0; f->what & SG_FOLD_LAYERS && i < f->c->model.n; i++) {
		const struct sg_block *b = f->c->model.blocks[i];
		size_t w = width_of(f, b);

		if (!is_grown(b) || w <= f->desc.ffn)
			continue;
		if (sg_checkpoint_desc(f->base)->layers)
			return sg_fail(SG_E_REFUSED, "%s has an MLP of width %zu, wider than the base's %zu: "
				       "one configuration cannot hold both", b->name, w, f->desc.ffn);
		f->desc.ffn = w;
	}
	return f->desc.ffn != was ? check_stays(f) : 0;
}

/* --- what comes out ------------------------------------------------------------ */

static int add_item(struct sg_fold_item **out, struct sg_fold *f, const char *ours)
{
	struct sg_fold_item *it;

	SG_TRY(SG_GROW(f->item, f->n, f->cap));
	it = &f->item[f->n++];
	*it = (struct sg_fold_item){ .dtype = f->dtype };
	snprintf(it->ours, sizeof(it->ours), "%s", ours);
	*out = it;
	SG_TRY(sg_checkpoint_spot(&it->spot, f->base, &f->desc, ours));
	snprintf(it->theirs, sizeof(it->theirs), "%s", it->spot.theirs);
	return 0;
}

/* Does the part change the item's map (or, of a bias, that)? */
static bool goes_into(struct sg_part *p, const struct sg_linear *lin, bool head, bool bias)
{
	if (head ? p->at.kind != SG_SITE_HEAD : p->at.kind != SG_SITE_LINEAR || p->at.lin != lin)
		return false;
	return !bias || (p->g->type->delta_bias && p->g->type->delta_bias(p, NULL) > 0);
}

static bool has_delta(const struct sg_fold *f, const struct sg_linear *lin, bool head, bool bias)
{
	for (size_t i = 0; i < f->c->n; i++) {
		const struct sg_graft *g = f->c->g[i];

		for (size_t k = 0; f->gone[i] && k < g->n; k++)
			if (goes_into(&g->part[k], lin, head, bias))
				return true;
	}
	return false;
}

/* As stored, but quantised numbers are written as what they stand for. */
static enum sg_dtype written(enum sg_dtype stored)
{
	return sg_dtype_quantised(stored) ? SG_F32 : stored;
}

/* A tensor of the base, with what goes into it. */
static int add_base(struct sg_fold *f, const char *new_name, const char *old_name, const struct sg_linear *lin, bool bias)
{
	struct sg_fold_item *it;

	SG_TRY(add_item(&it, f, new_name));
	SG_TRY(sg_checkpoint_mat(&it->base, f->base, old_name));
	it->rows = it->spot.ndim > 1 ? it->base.rows : 1;
	it->cols = it->base.rows * it->base.cols / it->rows;
	if (f->dtype == SG_DTYPE_COUNT)
		it->dtype = written(it->base.dtype);
	it->lin = lin;
	it->bias = bias;
	it->changed = lin && has_delta(f, lin, false, bias);
	return 0;
}

/* A tensor of a grown layer; rows and cols are those of the result, at least its own. */
static int add_grown(struct sg_fold *f, const char *name, const struct sg_graft *g, const char *tensor, size_t rows,
		     size_t cols, const struct sg_linear *lin, bool bias)
{
	struct sg_fold_item *it;

	SG_TRY(add_item(&it, f, name));
	it->from = g;
	it->payload = sg_slab_find(&g->params, tensor);
	if (!it->payload)
		return sg_fail(SG_E_UNSUPPORTED, "graft %.16s has no tensor '%s'", g->id, tensor);
	it->rows = rows;
	it->cols = cols;
	if (f->dtype == SG_DTYPE_COUNT)
		it->dtype = SG_F32;
	it->lin = lin;
	it->bias = bias;
	it->changed = lin && has_delta(f, lin, false, bias);
	return 0;
}

/* The item made last is of map i of an MLP (or its bias): it gets the width of the result,
 * and what comes beside it. */
static void fit_mlp(struct sg_fold *f, const struct sg_block *b, size_t i, bool bias)
{
	struct sg_fold_item *it = &f->item[f->n - 1];

	if (i != SG_GATE && i != SG_UP && i != SG_DOWN)
		return;
	if (bias)
		it->cols = i == SG_DOWN ? it->cols : f->desc.ffn;
	else if (i == SG_DOWN)
		it->cols = f->desc.ffn;
	else
		it->rows = f->desc.ffn;
	it->changed |= !bias && width_of(f, b) != b->ffn;
}

static const struct sg_graft *layer_of(const struct sg_fold *f, const struct sg_block *b)
{
	for (size_t i = 0; i < f->c->n; i++)
		if (is_layer(f->c->g[i]) && !strncmp(b->name + 6, f->c->g[i]->id, 16))
			return f->c->g[i];
	return NULL;
}

static int add_grown_block(struct sg_fold *f, struct sg_block *b, size_t at)
{
	const struct sg_graft *g = layer_of(f, b);
	char name[64];

	if (!g)
		return sg_fail(SG_E_UNSUPPORTED, "nothing says how block '%s' is stored", b->name);
	for (size_t i = 0; i < SG_LINEARS; i++) {
		size_t rows = i == SG_GATE || i == SG_UP ? f->desc.ffn : b->lin[i].out;
		size_t cols = i == SG_DOWN ? f->desc.ffn : b->lin[i].in;

		if (!b->lin[i].out)
			continue;
		snprintf(name, sizeof(name), "layers.%zu.%s", at, sg_linear_names[i]);
		SG_TRY(add_grown(f, name, g, sg_linear_names[i], rows, cols, &b->lin[i], false));
		fit_mlp(f, b, i, false);
	}
	for (int i = 0; i < SG_VECS; i++) {
		bool wide = i == SG_GATE || i == SG_UP;

		if (!sg_desc_has(&f->desc, sg_vec_names[i]))
			continue;
		snprintf(name, sizeof(name), "layers.%zu.%s", at, sg_vec_names[i]);
		SG_TRY(add_grown(f, name, g, sg_vec_names[i], 1, wide ? f->desc.ffn : sg_block_vec_size(b, &f->desc, i),
				 i < SG_LINEARS ? &b->lin[i] : NULL, i < SG_LINEARS));
	}
	return 0;
}

static int add_base_block(struct sg_fold *f, const struct sg_block *b, size_t at)
{
	char new_name[64], old_name[80];

	for (size_t i = 0; i < SG_LINEARS; i++) {
		if (!b->lin[i].out)
			continue;
		snprintf(new_name, sizeof(new_name), "layers.%zu.%s", at, sg_linear_names[i]);
		snprintf(old_name, sizeof(old_name), "%s.%s", b->name, sg_linear_names[i]);
		SG_TRY(add_base(f, new_name, old_name, &b->lin[i], false));
		fit_mlp(f, b, i, false);
	}
	for (int i = 0; i < SG_VECS; i++) {
		if (!sg_desc_has(&f->desc, sg_vec_names[i]))
			continue;
		snprintf(new_name, sizeof(new_name), "layers.%zu.%s", at, sg_vec_names[i]);
		snprintf(old_name, sizeof(old_name), "%s.%s", b->name, sg_vec_names[i]);
		SG_TRY(add_base(f, new_name, old_name, i < SG_LINEARS ? &b->lin[i] : NULL, i < SG_LINEARS));
		fit_mlp(f, b, (size_t)i, true);
	}
	return 0;
}

static bool carries_head(const struct sg_fold *f, size_t i)
{
	return f->gone[i] && is_layer(f->c->g[i]) && sg_slab_find(&f->c->g[i]->params, "head");
}

/* The head: the base's own, a tied one that has to part from the embedding, or the sum of
 * what grown layers carry. */
static int add_head(struct sg_fold *f)
{
	const struct sg_linear *head = &f->c->model.head;
	bool changed = has_delta(f, NULL, true, false), carried = false;
	struct sg_fold_item *it;

	for (size_t i = 0; i < f->c->n; i++)
		carried |= carries_head(f, i);
	if (f->desc.tied && !changed)
		return 0;
	if (!f->desc.has_head && !changed && !carried)
		return 0;
	SG_TRY(add_item(&it, f, "head"));
	if (f->desc.has_head)
		SG_TRY(sg_checkpoint_mat(&it->base, f->base, f->desc.tied ? "embed" : "head"));
	it->rows = head->out;
	it->cols = head->in;
	if (f->dtype == SG_DTYPE_COUNT)
		it->dtype = f->desc.has_head ? written(it->base.dtype) : SG_F32;
	it->head = true;
	it->changed = changed || carried;
	f->desc.tied = false;
	f->desc.has_head = true;
	return 0;
}

/* Items that share a stored tensor stand near each other: not far is looked back. */
static int list_wholes(struct sg_fold *f)
{
	enum { BACK = 24 };

	for (size_t i = 0; i < f->n; i++) {
		size_t from = f->n_whole > BACK ? f->n_whole - BACK : 0, k = from;
		struct sg_fold_whole *w;

		while (k < f->n_whole && strcmp(f->item[f->whole[k].part[0]].spot.theirs, f->item[i].spot.theirs))
			k++;
		if (k == f->n_whole) {
			SG_TRY(SG_GROW(f->whole, f->n_whole, f->cap_whole));
			f->whole[f->n_whole++].n = 0;
		}
		w = &f->whole[k];
		if (w->n == SG_LEN(w->part))
			return sg_fail(SG_E_ERROR, "tensor '%s' has too many parts", f->item[i].spot.theirs);
		if (w->n && f->item[w->part[0]].dtype != f->item[i].dtype)
			return sg_fail(SG_E_UNSUPPORTED, "the parts of tensor '%s' have several types", f->item[i].spot.theirs);
		w->part[w->n++] = i;
	}
	for (size_t k = 0; k < f->n_whole; k++)
		for (size_t i = 0; f->whole[k].n > 1 && i < f->whole[k].n; i++) {
			struct sg_fold_item *it = &f->item[f->whole[k].part[i]];

			snprintf(it->theirs, sizeof(it->theirs), "%.130s (%s)", it->spot.theirs, it->ours);
		}
	return 0;
}

static int list_items(struct sg_fold *f)
{
	static const char *const whole_model[] = { "embed", "pos", "norm", "norm.bias" };
	size_t at = 0;

	for (size_t i = 0; i < sg_checkpoint_count(f->base); i++) {
		const char *ours;

		(void)sg_checkpoint_tensor(f->base, i, &ours);
		for (size_t k = 0; k < SG_LEN(whole_model); k++)
			if (!strcmp(ours, whole_model[k]))
				SG_TRY(add_base(f, ours, ours, NULL, false));
	}
	for (size_t i = 0; i < f->c->model.n; i++) {
		struct sg_block *b = f->c->model.blocks[i];

		if (is_grown(b) && !(f->what & SG_FOLD_LAYERS))
			continue;
		SG_TRY(is_grown(b) ? add_grown_block(f, b, at) : add_base_block(f, b, at));
		at++;
	}
	f->desc.layers = at;
	return add_head(f);
}

int sg_fold_init(struct sg_fold *f, const struct sg_checkpoint *base, struct sg_composed *c, unsigned what,
		 enum sg_dtype dtype)
{
	int rc;

	*f = (struct sg_fold){ .base = base, .c = c, .what = what, .dtype = dtype, .desc = *sg_checkpoint_desc(base) };
	rc = SG_NEW(f->gone, c->n);
	for (size_t i = 0; rc >= 0 && i < c->n; i++)
		f->n_gone += f->gone[i] = goes(f, c->g[i]);
	if (rc >= 0)
		rc = choose_ffn(f);
	if (rc >= 0)
		rc = list_items(f);
	if (rc >= 0)
		rc = list_wholes(f);
	if (rc < 0)
		sg_fold_release(f);
	return rc;
}

void sg_fold_release(struct sg_fold *f)
{
	free(f->gone);
	free(f->item);
	free(f->whole);
	free(f->row);
	free(f->w);
	free(f->dw);
	free(f->bytes);
	free(f->stored);
	*f = (struct sg_fold){ 0 };
}

/* --- making a tensor -------------------------------------------------------------- */

/* The base's numbers into the upper left of the result's shape. */
static void put_base(float *w, const struct sg_fold_item *it)
{
	const struct sg_mat *m = &it->base;
	bool vector = it->spot.ndim < 2;

	for (size_t i = 0; i < m->rows; i++)
		sg_mat_widen(w + i * (vector ? m->cols : it->cols), m, i);
}

/* A layer's payload into the upper left of the result's shape; the rest is zero, and a
 * zero more in a sum changes no bit of it. */
static int put_payload(const struct sg_fold_item *it, float *w)
{
	unsigned ndim = it->payload->ndim;
	size_t rows = ndim > 1 ? it->payload->shape[0] : 1, cols = it->payload->shape[ndim - 1];
	float *v;

	SG_TRY(sg_graft_tensor(&v, it->from, it->payload));
	for (size_t i = 0; i < rows; i++)
		memcpy(w + i * it->cols, v + i * cols, cols * sizeof(*v));
	free(v);
	return 0;
}

/* A part's change, in the shape that the part has. */
static int add_delta(struct sg_part *p, const struct sg_fold_item *it, float *dw)
{
	float *own;
	int rc;

	if (it->bias)
		return p->g->type->delta_bias(p, dw);
	if (p->at.out == it->rows && p->at.in == it->cols)
		return p->g->type->delta(p, dw);
	SG_TRY(SG_NEW(own, p->at.out * p->at.in));
	rc = p->g->type->delta(p, own);
	for (size_t i = 0; rc >= 0 && i < p->at.out; i++)
		for (size_t j = 0; j < p->at.in; j++)
			dw[i * it->cols + j] += own[i * p->at.in + j];
	free(own);
	return rc;
}

static int add_head_of(const struct sg_graft *g, float *dw)
{
	return sg_graft_tensor_add(dw, g, sg_slab_find(&g->params, "head"));
}

/* What goes beside the item's map, from unit *at on. */
static int add_wider(const struct sg_part *p, const struct sg_fold_item *it, size_t *at, float *dw)
{
	int lin = (int)(it->lin - p->at.block->lin);
	const struct sg_tensor *t = p->g->type->wider(p, lin);
	size_t rows, cols;
	float *v;

	if (!t || it->bias)
		return 0;
	SG_TRY(sg_graft_tensor(&v, p->g, t));
	rows = t->shape[0];
	cols = t->shape[1];
	dw += lin == SG_DOWN ? *at : *at * it->cols;
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < cols; j++)
			dw[i * it->cols + j] += v[i * cols + j];
	*at += lin == SG_DOWN ? cols : rows;
	free(v);
	return 0;
}

static bool beside(const struct sg_part *p, const struct sg_linear *lin)
{
	return lin && widens(p) && lin >= p->at.block->lin && lin < p->at.block->lin + SG_LINEARS;
}

/* The sum of all that goes into the tensor, in stack order. */
static int add_changes(struct sg_fold *f, const struct sg_fold_item *it, float *dw)
{
	size_t unit = 0;		/* the first that is free behind the MLP's own */

	for (size_t i = 0; i < f->c->n; i++) {
		struct sg_graft *g = f->c->g[i];

		if (it->head && carries_head(f, i))
			SG_TRY(add_head_of(g, dw));
		for (size_t k = 0; f->gone[i] && !is_layer(g) && k < g->n; k++) {
			struct sg_part *p = &g->part[k];

			if (beside(p, it->lin)) {
				unit = unit ? unit : p->at.block->ffn;
				SG_TRY(add_wider(p, it, &unit, dw));
			}
			if (goes_into(p, it->lin, it->head, it->bias))
				SG_TRY(add_delta(p, it, dw));
		}
	}
	return 0;
}

static float rounded(enum sg_dtype dtype, float v)
{
	unsigned char store[4];
	struct sg_mat m = { .data = store, .dtype = dtype, .rows = 1, .cols = 1 };

	sg_store_f32(store, dtype, 0, v);
	return sg_mat_at(&m, 0);
}

/* What rounding left of the change: the numbers that are stored against those that
 * would be without it. Where nothing but rounding happened, the tensor itself is the
 * change meant. */
static int measure(struct sg_fold *f, const struct sg_fold_item *it, size_t n)
{
	struct sg_mat out = { .data = f->bytes, .dtype = it->dtype, .rows = it->rows, .cols = it->cols };
	double dot = 0, meant2 = 0, err2 = 0;
	size_t touched = 0, same = 0;
	struct sg_fold_row *r;

	for (size_t i = 0; i < n; i++) {
		double base = it->changed ? rounded(it->dtype, f->w[i]) : 0, meant = it->changed ? f->dw[i] : f->w[i];
		double made = sg_mat_at(&out, i) - base;

		dot += made * meant;
		meant2 += meant * meant;
		err2 += (made - meant) * (made - meant);
		touched += meant != 0;
		same += meant != 0 && made == 0;
	}
	SG_TRY(SG_GROW(f->row, f->n_rows, f->cap_rows));
	r = &f->row[f->n_rows++];
	*r = (struct sg_fold_row){ .item = (size_t)(it - f->item), .retained = 1 };
	if (meant2 > 0) {
		r->retained = dot / meant2;
		r->rel_err = sqrt(err2 / meant2);
		r->unchanged = touched ? (double)same / (double)touched : 0;
	} else if (!(meant2 == 0)) {
		r->retained = 0;	/* not finite: the worst */
	}
	return 0;
}

static int room(struct sg_fold *f, size_t n, size_t size)
{
	free(f->w);
	free(f->dw);
	free(f->bytes);
	f->w = f->dw = NULL;
	f->bytes = NULL;
	SG_TRY(SG_NEW(f->w, n));
	SG_TRY(SG_NEW(f->dw, n));
	return (f->bytes = sg_calloc(n, size)) ? 0 : -SG_E_NOMEM;
}

/* Bytes of tensor i, valid until the next call. */
static int make(struct sg_fold *f, size_t i, const void **data)
{
	struct sg_fold_item *it = &f->item[i];
	size_t n = it->rows * it->cols, size = sg_dtypes[it->dtype].size;

	if (it->base.data && !it->changed && it->base.dtype == it->dtype && n == it->base.rows * it->base.cols) {
		*data = it->base.data;
		if (it->base.pair || it->base.ld) {
			SG_TRY(room(f, n, size));
			sg_mat_pack(f->bytes, &it->base);
			*data = f->bytes;
		}
		return sg_sha256_hex(it->sha256, *data, n * size);
	}
	SG_TRY(room(f, n, size));
	if (it->base.data)
		put_base(f->w, it);
	else if (it->payload)
		SG_TRY(put_payload(it, f->w));
	if (it->changed)
		SG_TRY(add_changes(f, it, f->dw));
	for (size_t k = 0; k < n; k++)
		sg_store_f32(f->bytes, it->dtype, k, it->changed ? f->w[k] + f->dw[k] : f->w[k]);
	if (it->changed || it->dtype != SG_F32)
		SG_TRY(measure(f, it, n));
	*data = f->bytes;
	return sg_sha256_hex(it->sha256, *data, n * size);
}

double sg_fold_worst(const struct sg_fold *f)
{
	double worst = 1;

	for (size_t i = 0; i < f->n_rows; i++)
		if (!(f->row[i].retained >= worst))
			worst = f->row[i].retained;
	return worst;
}

uint64_t sg_fold_bytes(const struct sg_fold *f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < f->n; i++)
		sum += f->item[i].rows * f->item[i].cols * sg_dtypes[f->item[i].dtype].size;
	return sum;
}

/* --- writing -------------------------------------------------------------------- */

struct source { struct sg_fold *f; size_t done; };

/* The stored tensor: its one part as it is, or its parts where they belong. */
static int make_whole(struct sg_fold *f, const struct sg_fold_whole *w, const void **data)
{
	const struct sg_fold_item *it = &f->item[w->part[0]];
	size_t size = sg_dtypes[it->dtype].size, n = it->spot.shape[0] * (it->spot.ndim > 1 ? it->spot.shape[1] : 1);
	const void *part;

	if (w->n == 1 && !it->spot.view.ld)
		return make(f, w->part[0], data);
	free(f->stored);
	SG_TRY((f->stored = sg_calloc(n, size)) ? 0 : -SG_E_NOMEM);
	for (size_t k = 0; k < w->n; k++) {
		struct sg_mat view;

		it = &f->item[w->part[k]];
		view = it->spot.view;
		view.dtype = it->dtype;
		SG_TRY(make(f, w->part[k], &part));
		sg_mat_unpack((char *)f->stored + it->spot.begin * size, &view, part);
	}
	*data = f->stored;
	return 0;
}

static int next(void *arg, size_t i, const void **data)
{
	struct source *s = arg;
	const struct sg_fold_whole *w = &s->f->whole[i];

	if (sg_progress(s->f->progress, "write weights", s->done++, s->f->n_whole, s->f->item[w->part[0]].spot.theirs))
		return sg_fail(SG_E_INTERRUPTED, "interrupted");
	return make_whole(s->f, w, data);
}

static int write_weights(struct sg_fold *f, const char *dir)
{
	struct source s = { .f = f };
	struct sg_tensor_put *put;
	int rc;

	if (!f->n_whole)
		return 0;
	SG_TRY(SG_NEW(put, f->n_whole));
	for (size_t i = 0; i < f->n_whole; i++) {
		const struct sg_fold_item *it = &f->item[f->whole[i].part[0]];

		put[i] = (struct sg_tensor_put){ .name = it->spot.theirs, .dtype = it->dtype, .ndim = it->spot.ndim };
		put[i].shape[0] = it->spot.shape[0];
		put[i].shape[1] = it->spot.shape[1];
	}
	rc = sg_shards_write(dir, put, f->n_whole, 0, &(struct sg_tensor_source){ next, &s });
	free(put);
	return rc;
}

/* Loaders convert to the type that the configuration names, so it has to be the one of
 * the file. */
static int set_dtype(struct sg_buf *config, enum sg_dtype dtype)
{
	const char *name = dtype == SG_BF16 ? "bfloat16" : dtype == SG_F16 ? "float16" : "float32";
	struct sg_json_doc doc = { 0 };
	struct sg_buf out = { 0 };
	struct sg_jsonw w;
	int rc = sg_json_parse(&doc, config->data, config->len, "config.json");

	if (rc < 0)
		return rc;
	sg_jsonw_init(&w, &out);
	sg_jsonw_object(&w);
	for (const struct sg_json *j = sg_json_root(&doc)->child; j; j = j->next) {
		sg_jsonw_key(&w, j->key);
		if (!strcmp(j->key, "torch_dtype") || !strcmp(j->key, "dtype"))
			sg_jsonw_str(&w, name);
		else
			sg_jsonw_node(&w, j);
	}
	sg_jsonw_end(&w, '}');
	rc = sg_jsonw_done(&w);
	sg_json_release(&doc);
	if (rc < 0) {
		sg_buf_release(&out);
	} else {
		sg_buf_release(config);
		*config = out;
	}
	return rc;
}

static int write_config(const struct sg_fold *f, const char *path)
{
	const struct sg_desc *old = sg_checkpoint_desc(f->base), *new = &f->desc;
	const struct sg_buf *text = sg_checkpoint_config(f->base);
	bool same = old->layers == new->layers && old->ffn == new->ffn && old->tied == new->tied &&
		    old->has_head == new->has_head;
	struct sg_buf b = { 0 };
	int rc = same ? sg_buf_add(&b, text->data, text->len) : sg_checkpoint_config_for(&b, f->base, new);

	if (rc >= 0 && f->dtype != SG_DTYPE_COUNT)
		rc = set_dtype(&b, f->dtype);
	if (rc >= 0)
		rc = sg_file_write(path, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

int sg_fold_write(struct sg_fold *f, const char *dir)
{
	const struct sg_buf *tok = sg_checkpoint_tokenizer(f->base);
	char *config = sg_path_join(dir, "config.json"), *tokenizer = sg_path_join(dir, "tokenizer.json");
	int rc = config && tokenizer ? 0 : -SG_E_NOMEM;

	f->n_rows = 0;
	if (rc >= 0)
		rc = write_weights(f, dir);
	if (rc >= 0 && tok)
		rc = sg_file_write(tokenizer, tok->data, tok->len);
	if (rc >= 0)
		rc = write_config(f, config);
	free(config);
	free(tokenizer);
	return rc;
}

/* The numbers of m one after another, hashed. */
static int hash_mat(char *hex, const struct sg_mat *m)
{
	void *tmp;
	int rc;

	if (!m->ld && !m->pair)
		return sg_sha256_hex(hex, m->data, sg_mat_bytes(m));
	SG_TRY((tmp = sg_calloc(sg_mat_bytes(m), 1)) ? 0 : -SG_E_NOMEM);
	sg_mat_pack(tmp, m);
	rc = sg_sha256_hex(hex, tmp, sg_mat_bytes(m));
	free(tmp);
	return rc;
}

int sg_fold_verify(const struct sg_fold *f, const struct sg_checkpoint *got)
{
	const struct sg_desc *d = sg_checkpoint_desc(got);

	if (d->layers != f->desc.layers || d->ffn != f->desc.ffn || d->tied != f->desc.tied ||
	    sg_checkpoint_count(got) != f->n_whole)
		return sg_fail(SG_E_CORRUPT, "the written checkpoint reads back with another shape");
	for (size_t i = 0; i < f->n; i++) {
		const struct sg_fold_item *it = &f->item[i];
		char hex[SG_SHA256_HEX];
		struct sg_mat m;

		SG_TRY(sg_checkpoint_mat(&m, got, it->ours));
		SG_TRY(hash_mat(hex, &m));
		if (m.dtype != it->dtype || m.rows * m.cols != it->rows * it->cols || strcmp(hex, it->sha256))
			return sg_fail(SG_E_CORRUPT, "tensor '%s' reads back differently from what was written",
				       it->theirs);
	}
	return 0;
}

/* --- grafts that stay -------------------------------------------------------------- */

/* Number of the block in the result. */
static size_t new_layer(const struct sg_fold *f, const struct sg_block *b)
{
	size_t at = 0;

	for (size_t i = 0; i < f->c->model.n && f->c->model.blocks[i] != b; i++)
		at += !is_grown(f->c->model.blocks[i]) || f->what & SG_FOLD_LAYERS;
	return at;
}

/* The new graft for one of the stack, by its old id or the id of a block's name. */
static const struct sg_graft *heir(const struct sg_fold *f, struct sg_graft *const *by, const char *id, size_t digits)
{
	for (size_t i = 0; i < f->c->n; i++)
		if (!strncmp(f->c->g[i]->id, id, digits))
			return by[i];
	return NULL;
}

static int new_site(char *out, size_t size, const struct sg_fold *f, const struct sg_part *p,
		    struct sg_graft *const *by)
{
	const struct sg_graft *h;
	const char *rest;

	if (p->at.kind == SG_SITE_SLOT || p->at.kind == SG_SITE_HEAD) {
		snprintf(out, size, "%s", p->site);
		return 0;
	}
	rest = p->site + strlen(p->at.block->name);
	if (!is_grown(p->at.block) || f->what & SG_FOLD_LAYERS) {
		snprintf(out, size, "layers.%zu%s", new_layer(f, p->at.block), rest);
		return 0;
	}
	h = heir(f, by, p->at.block->name + 6, 16);
	if (!h)
		return sg_fail(SG_E_ERROR, "site '%s' has no place on the new base", p->site);
	snprintf(out, size, "grown.%.16s%s", h->id, rest);
	return 0;
}

/* What stays required is; all else that comes before in the stack is written down as
 * such, so that new ids do not change the order. */
static int new_relations(struct sg_graftfile *out, const struct sg_fold *f, const struct sg_graft *old,
			 struct sg_graft *const *by)
{
	for (size_t i = 0; i < f->c->n && f->c->g[i] != old; i++) {
		const struct sg_graft *g = f->c->g[i];

		if (!by[i])
			continue;
		SG_TRY(sg_names_add(sg_names_has(&old->file.requires, g->id) ? &out->requires : &out->after, by[i]->id));
	}
	return sg_names_add(&out->replaces, old->id);
}

static int copy_hyper(struct sg_graftfile *out, const struct sg_graftfile *old)
{
	SG_TRY(sg_graftfile_set_kind(out, old->kind));
	for (size_t i = 0; i < old->n_hyper; i++) {
		const struct sg_graftfile_hyper *h = &old->hyper[i];

		SG_TRY(h->str ? sg_graftfile_set_str(out, h->key, h->str) : sg_graftfile_set_i64(out, h->key, h->num));
	}
	return 0;
}

/* Name of a tensor whose graft's sites are called differently now. */
static int rename_tensor(char *out, size_t size, const struct sg_names *old, const struct sg_names *new,
			 const char *tensor)
{
	int n = snprintf(out, size, "%s", tensor);

	for (size_t i = 0; i < old->n; i++) {
		size_t k = strlen(old->name[i]);

		if (!strncmp(tensor, old->name[i], k) && tensor[k] == '.') {
			n = snprintf(out, size, "%s%s", new->name[i], tensor + k);
			break;
		}
	}
	return n < 0 || (size_t)n >= size ? sg_fail(SG_E_ERROR, "the name of tensor '%s' grows too long", tensor) : 0;
}

int sg_fold_rename(char *out, size_t size, const struct sg_graft *old, const struct sg_graft *new, const char *tensor)
{
	return rename_tensor(out, size, &old->file.sites, &new->file.sites, tensor);
}

static int copy_tensors(struct sg_graftfile *out, const struct sg_graftfile *old)
{
	for (size_t i = 0; i < old->n_tensors; i++) {
		char name[SG_GRAFTFILE_NAME + 1];
		struct sg_graftfile_tensor *t;

		SG_TRY(rename_tensor(name, sizeof(name), &old->sites, &out->sites, old->tensor[i].name));
		SG_TRY(SG_GROW(out->tensor, out->n_tensors, out->cap_tensors));
		t = &out->tensor[out->n_tensors];
		*t = old->tensor[i];
		SG_TRY((t->name = sg_strdup(name)) ? 0 : -SG_E_NOMEM);
		out->n_tensors++;
	}
	return 0;
}

int sg_fold_carry(struct sg_graft **out, const struct sg_fold *f, const struct sg_graft *old, const char *base,
		  struct sg_graft *const *by)
{
	struct sg_graftfile file = { 0 };
	struct sg_buf b = { 0 };
	char what[40];
	int rc = copy_hyper(&file, &old->file);

	snprintf(file.base, sizeof(file.base), "%s", base);
	for (size_t i = 0; rc >= 0 && i < old->n; i++) {
		char site[SG_GRAFTFILE_NAME + 1];

		rc = new_site(site, sizeof(site), f, &old->part[i], by);
		if (rc >= 0)
			rc = sg_names_add(&file.sites, site);
	}
	if (rc >= 0)
		rc = new_relations(&file, f, old, by);
	if (rc >= 0)
		rc = copy_tensors(&file, &old->file);
	if (rc >= 0)
		rc = sg_graftfile_write(&b, &file);
	snprintf(what, sizeof(what), "graft %.16s carried over", old->id);
	if (rc >= 0)
		rc = sg_graft_parse(out, b.data, b.len, what);
	sg_buf_release(&b);
	sg_graftfile_release(&file);
	return rc;
}
