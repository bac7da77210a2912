/*
 * The sparse residual of phi: numbers of the map at fixed places, R.at [2,k], that start at
 * zero, R [k]. They are those that the low-rank part is least likely to reach well: the
 * largest of the gradient on training data, or of the weight. Nothing else moves.
 */
#include "graft/phi.h"
#include "base/error.h"
#include "base/mem.h"
#include "graft/places.h"
#include <math.h>

int sg_phi_choose_residual(struct sg_part *p, float *score)
{
	size_t n = p->at.out * p->at.in;
	float *at;
	int rc;

	for (size_t i = 0; i < n; i++) {
		score[i] = fabsf(score[i]);
		if (!isfinite(score[i]))
			return sg_fail(SG_E_REFUSED, "phi: no places can be chosen at '%s': a score is no number", p->site);
	}
	SG_TRY(SG_NEW(at, p->t[SG_PHI_AT]->n));
	rc = sg_places_choose(at, p->t[SG_PHI_VALUE]->n, score, p->at.out, p->at.in);
	if (rc >= 0)
		rc = sg_part_put(p, SG_PHI_AT, at);
	free(at);
	return rc;
}

/* By gradient they are known when the data was heard; until then the first places stand there. */
int sg_phi_start_residual(struct sg_part *p, const struct sg_phi_shape *s)
{
	float *score = NULL;
	int rc = s->by_gradient ? SG_NEW(score, p->at.out * p->at.in) : sg_part_weight(&score, p);

	if (rc >= 0)
		rc = sg_phi_choose_residual(p, score);
	free(score);
	return rc;
}

int sg_phi_check_residual(const struct sg_part *p)
{
	float *at;
	int rc;

	if (!p->t[SG_PHI_AT])
		return 0;
	SG_TRY(sg_graft_tensor(&at, p->g, p->t[SG_PHI_AT]));
	rc = sg_places_check(at, p->t[SG_PHI_VALUE]->n, p->at.out, p->at.in, p->site);
	free(at);
	return rc;
}

int sg_phi_residual_fwd(struct sg_part *p, float *y, const float *x, size_t N)
{
	return SG_CALL(p->g->dev, coo_fwd, y, x, sg_part_data(p, SG_PHI_AT), sg_part_data(p, SG_PHI_VALUE), N, p->at.out,
		       p->at.in, p->t[SG_PHI_VALUE]->n);
}

int sg_phi_residual_bwd(struct sg_part *p, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_device *dev = p->g->dev;
	const float *at = sg_part_data(p, SG_PHI_AT);
	size_t n = p->t[SG_PHI_VALUE]->n;

	if (sg_part_grad(p, SG_PHI_VALUE))
		SG_TRY(SG_CALL(dev, coo_dv, sg_part_grad(p, SG_PHI_VALUE), dy, x, at, N, p->at.out, p->at.in, n));
	return dx ? SG_CALL(dev, coo_dx, dx, dy, at, sg_part_data(p, SG_PHI_VALUE), N, p->at.out, p->at.in, n) : 0;
}

static int get(float **at, float **v, const struct sg_part *p)
{
	SG_TRY(sg_graft_tensor(at, p->g, p->t[SG_PHI_AT]));
	return sg_graft_tensor(v, p->g, p->t[SG_PHI_VALUE]);
}

int sg_phi_residual_delta(struct sg_part *p, float *dw)
{
	float *at = NULL, *v = NULL;
	int rc = get(&at, &v, p);

	if (rc >= 0)
		sg_places_add(dw, at, v, p->t[SG_PHI_VALUE]->n, p->at.in);
	free(at);
	free(v);
	return rc;
}

/* number[i]: which of the lines that occur, counted from 1, line i is; 0: it does not. */
static size_t count_lines(size_t *number, const float *line, size_t n, size_t lines)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		number[(size_t)line[i]] = 1;
	for (size_t i = 0; i < lines; i++)
		if (number[i])
			number[i] = ++k;
	return k;
}

/* left [out,r] and right [r,in] with room for `more`, zeros there. */
static int widen(float **left, float **right, size_t out, size_t in, size_t r, size_t more)
{
	float *l = NULL, *w = NULL;
	int rc = SG_NEW(l, out * (r + more));

	if (rc >= 0)
		rc = SG_NEW(w, (r + more) * in);
	if (rc < 0) {
		free(l);
		return rc;
	}
	for (size_t i = 0; i < out; i++)
		memcpy(l + i * (r + more), *left + i * r, r * sizeof(*l));
	memcpy(w, *right, r * in * sizeof(*w));
	free(*left);
	free(*right);
	*left = l;
	*right = w;
	return 0;
}

int sg_phi_residual_factors(struct sg_part *p, float **left, float **right, size_t *rank)
{
	size_t h = p->at.out, in = p->at.in, n = p->t[SG_PHI_VALUE]->n, r = *rank, rows, cols, all;
	size_t *row = NULL, *col = NULL;
	float *at = NULL, *v = NULL;
	int rc = get(&at, &v, p);

	if (rc >= 0)
		rc = SG_NEW(row, h);
	if (rc >= 0)
		rc = SG_NEW(col, in);
	if (rc < 0)
		goto out;
	rows = count_lines(row, at, n, h);
	cols = count_lines(col, at + n, n, in);
	all = r + SG_MIN(rows, cols);
	rc = widen(left, right, h, in, r, SG_MIN(rows, cols));
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		size_t y = (size_t)at[i], x = (size_t)at[n + i], k = r + (rows <= cols ? row[y] : col[x]) - 1;

		(*left)[y * all + k] = rows <= cols ? 1 : v[i];
		(*right)[k * in + x] = rows <= cols ? v[i] : 1;
	}
	if (rc >= 0)
		*rank = all;
out:
	free(row);
	free(col);
	free(at);
	free(v);
	return rc;
}
