/* Rows of a table, and their gradient. */
#include "kernels/cpu.h"

struct embed { float *out; const float *dout; const struct sg_mat *w; const int32_t *ids; size_t N, D; };

static void fwd(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct embed *e = arg;
	struct sg_mat table = *e->w;

	(void)w;
	table.cols = e->D;
	for (size_t i = lo; i < hi; i++)
		sg_mat_widen(e->out + i * e->D, &table, (size_t)e->ids[i]);
}

int SG_CPU(embed_fwd)(struct sg_device *d, float *out, const struct sg_mat *w, const int32_t *ids,
		      size_t N, size_t D)
{
	if (!sg_dtype_weight(w->dtype) || D % sg_dtypes[w->dtype].block)
		return sg_fail(SG_E_UNSUPPORTED, "no embedding from %s rows of %zu columns", sg_dtypes[w->dtype].name, D);
	for (size_t i = 0; i < N; i++)
		if (ids[i] < 0 || (w->rows && (size_t)ids[i] >= w->rows))
			return sg_fail(SG_E_CORRUPT, "token id %d is outside the table of %zu rows",
				       (int)ids[i], w->rows);
	sg_pool_for(d->pool, N, grain_rows(D, 16384), fwd,
		    &(struct embed){ .out = out, .w = w, .ids = ids, .D = D });
	return 0;
}

struct pos { float *x; const struct sg_mat *w; const int32_t *begin; size_t first, D; };

static void pos(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct pos *p = arg;

	(void)w;
	for (size_t i = lo; i < hi; i++) {
		size_t at = (size_t)((int64_t)(p->first + i) - p->begin[i]) * p->D;
		float *x = p->x + i * p->D;

		for (size_t k = 0; k < p->D; k++)
			x[k] += sg_mat_at(p->w, at + k);
	}
}

int SG_CPU(pos_fwd)(struct sg_device *d, float *x, const struct sg_mat *w, const int32_t *begin, size_t first,
		    size_t N, size_t D)
{
	for (size_t i = 0; i < N; i++)
		if (begin[i] > (int64_t)i || (int64_t)(first + i) - begin[i] >= (int64_t)w->rows)
			return sg_fail(SG_E_CORRUPT, "token %zu is past the %zu positions of the table", i, w->rows);
	sg_pool_for(d->pool, N, grain_rows(D, 16384), pos, &(struct pos){ x, w, begin, first, D });
	return 0;
}

/* Threads share the columns, so each row of dw gathers in token order. */
static void bwd(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct embed *e = arg;

	(void)w;
	for (size_t i = 0; i < e->N; i++) {
		float *restrict dw = e->out + (size_t)e->ids[i] * e->D;
		const float *dout = e->dout + i * e->D;

		for (size_t k = lo; k < hi; k++)
			dw[k] += dout[k];
	}
}

int SG_CPU(embed_bwd)(struct sg_device *d, float *dw, const float *dout, const int32_t *ids,
		      size_t N, size_t D)
{
	sg_pool_for(d->pool, D, 128, bwd,
		    &(struct embed){ .out = dw, .dout = dout, .ids = ids, .N = N, .D = D });
	return 0;
}
