#include "graft/codebook.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

enum { TILE_MAX = 64, ROUNDS = 8, STATS = 4 };

const char *const sg_dict_names[SG_DICT_COUNT] = {
#define X(name) #name,
	SG_DICTS(X)
#undef X
};

/* Tiles of one size, by where they begin, and what they are made of. */
struct spot { size_t row, col; };
struct level {
	size_t b, n;
	struct spot *at;		/* [n] */
	float *tile;			/* [n, b b] */
	uint32_t *code, *count;		/* [n]; of each code */
	uint32_t *first;		/* [n] tile that is a code's prototype; codes of them */
	size_t codes;
};

struct matrix { float *v; const float *w; size_t rows, cols; double step; };

static void level_release(struct level *l)
{
	free(l->at);
	free(l->tile);
	free(l->code);
	free(l->count);
	free(l->first);
	*l = (struct level){ 0 };
}

static int level_init(struct level *l, size_t b, size_t n)
{
	*l = (struct level){ .b = b, .n = n };
	if (n > UINT32_MAX)
		return sg_fail(SG_E_REFUSED, "codebook: %zu tiles are too many", n);
	if (!n)
		return 0;
	SG_TRY(SG_NEW(l->at, n));
	SG_TRY(SG_NEW(l->code, n));
	SG_TRY(SG_NEW(l->count, n));
	SG_TRY(SG_NEW(l->first, n));
	l->tile = sg_realloc(NULL, n, b * b * sizeof(float));
	return l->tile ? 0 : -SG_E_NOMEM;
}

/* All of the matrix. */
static int level_whole(struct level *l, const struct matrix *m, size_t b)
{
	size_t high = (m->rows + b - 1) / b, wide = (m->cols + b - 1) / b;

	SG_TRY(level_init(l, b, high * wide));
	for (size_t i = 0; i < l->n; i++)
		l->at[i] = (struct spot){ i / wide * b, i % wide * b };
	return 0;
}

static void gather(struct level *l, const struct matrix *m)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t r = 0; r < l->b; r++)
			for (size_t c = 0; c < l->b; c++) {
				size_t row = l->at[i].row + r, col = l->at[i].col + c;

				bool inside = row < m->rows && col < m->cols;

				l->tile[(i * l->b + r) * l->b + c] = inside ? m->w[row * m->cols + col] : 0;
			}
}

/* v += s times a tile, where tile i stands */
static void put(const struct matrix *m, const struct level *l, size_t i, const float *tile, float s)
{
	for (size_t r = 0; r < l->b && l->at[i].row + r < m->rows; r++)
		for (size_t c = 0; c < l->b && l->at[i].col + c < m->cols; c++)
			m->v[(l->at[i].row + r) * m->cols + l->at[i].col + c] += s * tile[r * l->b + c];
}

/* --- signatures ------------------------------------------------------------------------- */

static double mean_size(const float *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += fabs((double)v[i]);
	return n ? sum / (double)n : 0;
}

static int64_t rounded(double v, double step)
{
	double q = v / step;

	if (isnan(q))
		return 0;
	return q >= 9e18 ? INT64_MAX : q <= -9e18 ? INT64_MIN : (int64_t)llround(q);
}

static void stats(int64_t *out, const float *t, size_t b, double step)
{
	double sum = 0, size = 0, square = 0, trace = 0, n = (double)(b * b);

	for (size_t i = 0; i < b * b; i++) {
		sum += (double)t[i];
		size += fabs((double)t[i]);
		square += (double)t[i] * (double)t[i];
		trace += i / b == i % b ? (double)t[i] : 0;
	}
	out[0] = rounded(sum / n, step);
	out[1] = rounded(size / n, step);
	out[2] = rounded(sqrt(square / n), step);
	out[3] = rounded(trace / (double)b, step);
}

static void sign(int64_t *out, const float *t, size_t b, enum sg_signature how, double step)
{
	if (how == SG_SIGNATURE_STATS) {
		stats(out, t, b, step);
		return;
	}
	for (size_t i = 0; i < b * b; i++) {
		uint32_t bits;

		memcpy(&bits, &t[i], sizeof(bits));
		out[i] = how == SG_SIGNATURE_EXACT ? (int64_t)bits : rounded((double)t[i], step);
	}
}

struct key { const int64_t *v; size_t n; uint32_t i; };

static int by_key(const void *x, const void *y)
{
	const struct key *a = x, *b = y;
	int d = memcmp(a->v, b->v, a->n * sizeof(*a->v));	/* any order that puts equals together */

	return d ? d : (a->i > b->i) - (a->i < b->i);
}

/* Codes in the order in which their first tiles stand. */
static int number(struct level *l, const struct key *key)
{
	uint32_t *lead, none = UINT32_MAX, *of;

	SG_TRY(SG_NEW(lead, l->n));
	if (SG_NEW(of, l->n) < 0) {
		free(lead);
		return -SG_E_NOMEM;
	}
	for (size_t i = 0, from = 0; i < l->n; i++) {
		if (i && memcmp(key[i].v, key[i - 1].v, key[i].n * sizeof(*key[i].v)))
			from = i;
		lead[key[i].i] = key[from].i;
	}
	for (size_t i = 0; i < l->n; i++)
		of[i] = none;
	for (size_t i = 0; i < l->n; i++) {
		if (of[lead[i]] == none) {
			of[lead[i]] = (uint32_t)l->codes;
			l->first[l->codes++] = (uint32_t)i;
		}
		l->code[i] = of[lead[i]];
		l->count[l->code[i]]++;
	}
	free(lead);
	free(of);
	return 0;
}

static int group(struct level *l, enum sg_signature how, double step)
{
	size_t n = how == SG_SIGNATURE_STATS ? STATS : l->b * l->b;
	int64_t *v = sg_realloc(NULL, l->n, n * sizeof(*v));
	struct key *key = NULL;
	int rc = v ? SG_NEW(key, l->n) : -SG_E_NOMEM;

	for (size_t i = 0; rc >= 0 && i < l->n; i++) {
		sign(v + i * n, l->tile + i * l->b * l->b, l->b, how, step);
		key[i] = (struct key){ v + i * n, n, (uint32_t)i };
	}
	if (rc >= 0) {
		qsort(key, l->n, sizeof(*key), by_key);
		rc = number(l, key);
	}
	free(key);
	free(v);
	return rc;
}

/* --- what it takes -------------------------------------------------------------------------- */

static uint64_t bytes_of_codes(size_t n, size_t codes)
{
	unsigned bits = 0;

	while (bits < 32 && (size_t)1 << bits < codes)
		bits++;
	return ((uint64_t)n * bits + 7) / 8;
}

static void count(struct sg_codebook_report *r, size_t tiles, size_t codes, size_t b, size_t scales)
{
	r->tiles += tiles;
	r->codes += codes;
	r->bytes += ((uint64_t)codes * b * b + scales) * sizeof(float) + bytes_of_codes(tiles, codes);
}

/* --- dictionaries --------------------------------------------------------------------------- */

static int fixed(const struct matrix *m, struct sg_codebook_report *r, size_t b, enum sg_signature how, double step)
{
	struct level l = { 0 };
	int rc = level_whole(&l, m, b);

	if (rc >= 0) {
		gather(&l, m);
		rc = group(&l, how, step);
	}
	for (size_t i = 0; rc >= 0 && i < l.n; i++)
		put(m, &l, i, l.tile + l.first[l.code[i]] * b * b, 1);
	if (rc >= 0)
		count(r, l.n, l.codes, b, 0);
	level_release(&l);
	return rc;
}

/* Signatures and prototypes are of tiles whose mean size is one; a tile of zeros stays that. */
static int scaled(const struct matrix *m, struct sg_codebook_report *r, const struct sg_codebook_opts *o)
{
	size_t bb = o->tile * o->tile;
	struct level l = { 0 };
	int rc = level_whole(&l, m, o->tile);

	if (rc >= 0)
		gather(&l, m);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		double size = mean_size(l.tile + i * bb, bb);

		for (size_t k = 0; size > 0 && k < bb; k++)
			l.tile[i * bb + k] = (float)((double)l.tile[i * bb + k] / size);
	}
	if (rc >= 0)
		rc = group(&l, o->signature, o->step);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		const float *t = l.tile + l.first[l.code[i]] * bb;
		double both = 0, own = 0;

		for (size_t a = 0; a < o->tile && l.at[i].row + a < m->rows; a++)
			for (size_t c = 0; c < o->tile && l.at[i].col + c < m->cols; c++) {
				double p = (double)t[a * o->tile + c];

				both += p * (double)m->w[(l.at[i].row + a) * m->cols + l.at[i].col + c];
				own += p * p;
			}
		put(m, &l, i, t, own > 0 ? (float)(both / own) : 0);
	}
	if (rc >= 0)
		count(r, l.n, l.codes, o->tile, l.n);
	level_release(&l);
	return rc;
}

static int residual(const struct matrix *m, struct sg_codebook_report *r, const struct sg_codebook_opts *o)
{
	size_t n = m->rows * m->cols;
	struct matrix rest = *m;
	float *left;
	int rc;

	SG_TRY(fixed(m, r, o->tile, o->signature, 4 * m->step));
	SG_TRY(SG_NEW(left, n));
	for (size_t i = 0; i < n; i++)
		left[i] = m->w[i] - m->v[i];
	rest.w = left;
	rc = fixed(&rest, r, o->tile / 4, o->signature, m->step);
	free(left);
	return rc;
}

/* Tiles of l that nothing repeats, as four each; the others are put. */
static int split(struct level *next, const struct matrix *m, struct sg_codebook_report *r, struct level *l)
{
	size_t bb = l->b * l->b, kept = 0, codes = 0, half = l->b / 2;
	bool last = half < 2;

	SG_TRY(level_init(next, half, last ? 0 : 4 * l->n));
	next->n = 0;
	for (size_t c = 0; c < l->codes; c++)
		codes += last || l->count[c] > 1;
	for (size_t i = 0; i < l->n; i++) {
		if (last || l->count[l->code[i]] > 1) {
			put(m, l, i, l->tile + l->first[l->code[i]] * bb, 1);
			kept++;
			continue;
		}
		for (size_t k = 0; k < 4; k++) {
			struct spot at = { l->at[i].row + k / 2 * half, l->at[i].col + k % 2 * half };

			if (at.row < m->rows && at.col < m->cols)
				next->at[next->n++] = at;
		}
	}
	count(r, kept, codes, l->b, 0);
	r->bytes += last ? 0 : (l->n + 7) / 8;	/* which ones went on */
	return 0;
}

static int hierarchical(const struct matrix *m, struct sg_codebook_report *r, const struct sg_codebook_opts *o)
{
	struct level l = { 0 };
	int rc = level_whole(&l, m, o->tile);

	while (rc >= 0 && l.n) {
		struct level next = { 0 };

		gather(&l, m);
		rc = group(&l, o->signature, m->step);
		if (rc >= 0)
			rc = split(&next, m, r, &l);
		level_release(&l);
		l = next;
	}
	level_release(&l);
	return rc;
}

static double apart(const double *a, const float *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (a[i] - (double)b[i]) * (a[i] - (double)b[i]);
	return sum;
}

/* proto [codes, bb]: the first tile, then always the one that is farthest from all so far. */
static size_t seed_means(double *proto, double *far, const struct level *l, size_t codes)
{
	size_t bb = l->b * l->b, k = 0, pick = 0;

	for (size_t i = 0; i < l->n; i++)
		far[i] = INFINITY;
	for (; k < codes; k++) {
		for (size_t j = 0; j < bb; j++)
			proto[k * bb + j] = (double)l->tile[pick * bb + j];
		for (size_t i = 0; i < l->n; i++)
			far[i] = fmin(far[i], apart(proto + k * bb, l->tile + i * bb, bb));
		pick = 0;
		for (size_t i = 1; i < l->n; i++)
			pick = far[i] > far[pick] ? i : pick;
		if (!(far[pick] > 0))
			return k + 1;	/* no more tiles that differ */
	}
	return k;
}

static void nearest(struct level *l, const double *proto)
{
	size_t bb = l->b * l->b;

	for (size_t i = 0; i < l->n; i++) {
		double best = INFINITY;

		for (size_t k = 0; k < l->codes; k++) {
			double d = apart(proto + k * bb, l->tile + i * bb, bb);

			if (d < best) {
				best = d;
				l->code[i] = (uint32_t)k;
			}
		}
	}
}

/* A prototype without tiles stays where it is. */
static void means(double *proto, double *sum, struct level *l)
{
	size_t bb = l->b * l->b;

	memset(sum, 0, l->codes * bb * sizeof(*sum));
	memset(l->count, 0, l->codes * sizeof(*l->count));
	for (size_t i = 0; i < l->n; i++) {
		l->count[l->code[i]]++;
		for (size_t j = 0; j < bb; j++)
			sum[l->code[i] * bb + j] += (double)l->tile[i * bb + j];
	}
	for (size_t k = 0; k < l->codes; k++)
		for (size_t j = 0; l->count[k] && j < bb; j++)
			proto[k * bb + j] = sum[k * bb + j] / l->count[k];
}

static int learned(const struct matrix *m, struct sg_codebook_report *r, const struct sg_codebook_opts *o)
{
	size_t bb = o->tile * o->tile, codes;
	double *proto = NULL, *sum = NULL, *far = NULL;
	float tile[TILE_MAX * TILE_MAX];
	struct level l = { 0 };
	int rc = level_whole(&l, m, o->tile);

	codes = SG_MIN(o->codes, l.n);
	if (rc >= 0)
		rc = SG_NEW(proto, codes * bb);
	if (rc >= 0)
		rc = SG_NEW(sum, codes * bb);
	if (rc >= 0)
		rc = SG_NEW(far, l.n);
	if (rc >= 0) {
		gather(&l, m);
		l.codes = seed_means(proto, far, &l, codes);
		nearest(&l, proto);
		for (int i = 0; i < ROUNDS; i++) {
			means(proto, sum, &l);
			nearest(&l, proto);
		}
	}
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		for (size_t j = 0; j < bb; j++)
			tile[j] = (float)proto[l.code[i] * bb + j];
		put(m, &l, i, tile, 1);
	}
	if (rc >= 0)
		count(r, l.n, l.codes, o->tile, 0);
	free(proto);
	free(sum);
	free(far);
	level_release(&l);
	return rc;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int check(const float *w, size_t rows, size_t cols, const struct sg_codebook_opts *o)
{
	bool power = o->tile >= 2 && !(o->tile & (o->tile - 1));

	if (o->tile < 1 || o->tile > TILE_MAX || (o->dict == SG_DICT_residual && o->tile % 4) ||
	    (o->dict == SG_DICT_hierarchical && !power))
		return sg_fail(SG_E_USAGE, "codebook: a tile of %zu is none for '%s'", o->tile, sg_dict_names[o->dict]);
	if (!(o->step > 0) || !isfinite(o->step) || !o->codes || !rows || !cols)
		return sg_fail(SG_E_USAGE, "codebook: step, codes and both sides must be above zero");
	for (size_t i = 0; i < rows * cols; i++)
		if (!isfinite(w[i]))
			return sg_fail(SG_E_REFUSED, "codebook: the matrix holds what is no number");
	return 0;
}

static void errors(struct sg_codebook_report *r, const struct matrix *m)
{
	double d1 = 0, d2 = 0, w1 = 0, w2 = 0, top = 0, most = 0;

	for (size_t i = 0; i < m->rows * m->cols; i++) {
		double w = (double)m->w[i], d = fabs((double)m->v[i] - w);

		d1 += d;
		d2 += d * d;
		w1 += fabs(w);
		w2 += w * w;
		top = fmax(top, fabs(w));
		most = fmax(most, d);
	}
	r->d1 = d1;
	r->d2 = d2;
	r->w1 = w1;
	r->w2 = w2;
	r->l1 = w1 > 0 ? d1 / w1 : 0;
	r->l2 = w2 > 0 ? sqrt(d2 / w2) : 0;
	r->worst = top > 0 ? most / top : 0;
	r->reuse = r->tiles ? 1 - (double)r->codes / (double)r->tiles : 0;
	r->raw = (uint64_t)m->rows * m->cols * sizeof(float);
}

int sg_codebook(float *v, struct sg_codebook_report *r, const float *w, size_t rows, size_t cols,
		const struct sg_codebook_opts *o)
{
	struct sg_codebook_report found = { 0 };
	struct matrix m = { .w = w, .rows = rows, .cols = cols };
	int rc;

	SG_TRY(check(w, rows, cols, o));
	SG_TRY(SG_NEW(m.v, rows * cols));
	m.step = o->step * mean_size(w, rows * cols);
	if (!(m.step > 0))
		m.step = 1;	/* all zeros */
	switch (o->dict) {
	case SG_DICT_fixed: rc = fixed(&m, &found, o->tile, o->signature, m.step); break;
	case SG_DICT_scaled: rc = scaled(&m, &found, o); break;
	case SG_DICT_residual: rc = residual(&m, &found, o); break;
	case SG_DICT_hierarchical: rc = hierarchical(&m, &found, o); break;
	case SG_DICT_learned: rc = learned(&m, &found, o); break;
	default: rc = sg_fail(SG_E_USAGE, "codebook: no such dictionary");
	}
	if (rc >= 0) {
		errors(&found, &m);
		*r = found;
		if (v)
			memcpy(v, m.v, rows * cols * sizeof(*v));
	}
	free(m.v);
	return rc;
}
