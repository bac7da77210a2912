#include "tests/kernels/kt.h"
#include <math.h>

static const struct { size_t N, D; } sizes[] = { { 1, 1 }, { 3, 15 }, { 7, 16 }, { 5, 17 }, { 37, 129 }, { 2, 1000 }, { 0, 8 } };
#define EPS 1e-5

/* mean and 1 / deviation of a row, with x[at] replaced by v */
static void moments(double *mean, double *rstd, const float *x, size_t D, size_t at, double v)
{
	double sum = 0, s = 0;

	for (size_t k = 0; k < D; k++)
		sum += k == at ? v : (double)x[k];
	*mean = sum / (double)D;
	for (size_t k = 0; k < D; k++) {
		double c = (k == at ? v : (double)x[k]) - *mean;

		s += c * c;
	}
	*rstd = 1 / sqrt(s / (double)D + EPS);
}

static void fwd(struct kt *t, size_t N, size_t D, bool ones, bool zeros)
{
	float *y = kt_out(t, N * D), *m = kt_out(t, N), *r = kt_out(t, N), *x = kt_in(t, N * D, 2);
	float *w = kt_in(t, D, 1), *b = kt_in(t, D, 1);
	double *want, *wm, *wr;

	kt_done(t, SG_CALL(&t->d, layernorm_fwd, y, m, r, x, ones ? NULL : w, zeros ? NULL : b, (float)EPS, N, D),
		"layernorm_fwd");
	if (kt_ref(t)) {
		want = kt_doubles(N * D);
		wm = kt_doubles(N);
		wr = kt_doubles(N);
		for (size_t i = 0; i < N * D; i++) {
			moments(&wm[i / D], &wr[i / D], kt_was(t, x) + i / D * D, D, D, 0);
			want[i] = ((double)kt_was(t, x)[i] - wm[i / D]) * wr[i / D] *
				  (ones ? 1 : (double)kt_was(t, w)[i % D]) + (zeros ? 0 : (double)kt_was(t, b)[i % D]);
		}
		kt_limit(t, "layernorm_fwd", kt_err(kt_got(t, y), want, N * D), 3e-7);
		kt_limit(t, "layernorm_fwd mean", kt_err(kt_got(t, m), wm, N), 1e-6);
		kt_limit(t, "layernorm_fwd rstd", kt_err(kt_got(t, r), wr, N), 3e-7);
		free(want);
		free(wm);
		free(wr);
	}
	kt_clear(t);
}

KT_TEST(layernorm_fwd)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++)
		for (int m = 0; m < 4; m++)
			fwd(t, sizes[i].N, sizes[i].D, m & 1, m & 2);
}

/* dx against central differences of sum(dy * y) in f64 */
static double slope(const float *x, const float *w, const float *dy, size_t D, size_t at)
{
	const double h = 1e-4;
	double f[2] = { 0 };

	for (int s = 0; s < 2; s++) {
		double v = (double)x[at] + (s ? h : -h), m, r;

		moments(&m, &r, x, D, at, v);
		for (size_t k = 0; k < D; k++)
			f[s] += (double)dy[k] * ((k == at ? v : (double)x[k]) - m) * r * (w ? (double)w[k] : 1);
	}
	return (f[1] - f[0]) / (2 * h);
}

static void bwd(struct kt *t, size_t N, size_t D, bool ones, bool add, bool frozen)
{
	float *y = kt_inout(t, N * D, 1), *m = kt_inout(t, N, 1), *r = kt_inout(t, N, 1), *x = kt_in(t, N * D, 2);
	float *w = kt_in(t, D, 1), *dy = kt_in(t, N * D, 1), *dw = kt_inout(t, D, 1), *db = kt_inout(t, D, 1);
	float *dx = add ? kt_inout(t, N * D, 1) : kt_out(t, N * D);
	int rc = SG_CALL(&t->d, layernorm_fwd, y, m, r, x, ones ? NULL : w, NULL, (float)EPS, N, D);
	double *want, *wdw, *wdb;

	if (rc >= 0)
		rc = SG_CALL(&t->d, layernorm_bwd, dx, frozen ? NULL : dw, frozen ? NULL : db, dy, x, ones ? NULL : w,
			     m, r, N, D, add);
	kt_done(t, rc, "layernorm_bwd");
	if (kt_ref(t)) {
		const float *hx = kt_was(t, x), *hdy = kt_was(t, dy);

		want = kt_doubles(N * D);
		wdw = kt_doubles(D);
		wdb = kt_doubles(D);
		for (size_t k = 0; k < D; k++) {
			wdw[k] = (double)kt_was(t, dw)[k];
			wdb[k] = (double)kt_was(t, db)[k];
		}
		for (size_t i = 0; i < N * D; i++) {
			size_t row = i / D * D;
			double mean, rstd;

			moments(&mean, &rstd, hx + row, D, D, 0);
			want[i] = (add ? (double)kt_was(t, dx)[i] : 0) +
				  slope(hx + row, ones ? NULL : kt_was(t, w), hdy + row, D, i % D);
			wdw[i % D] += frozen ? 0 : (double)hdy[i] * ((double)hx[i] - mean) * rstd;
			wdb[i % D] += frozen ? 0 : (double)hdy[i];
		}
		/* one column has nothing but rounding */
		if (D > 1)
			kt_limit(t, "layernorm_bwd dx", kt_err(kt_got(t, dx), want, N * D), 1e-6);
		kt_limit(t, "layernorm_bwd dw", kt_err(kt_got(t, dw), wdw, D), 1e-6);
		kt_limit(t, "layernorm_bwd db", kt_err(kt_got(t, db), wdb, D), 1e-6);
		free(want);
		free(wdw);
		free(wdb);
	}
	kt_clear(t);
}

KT_TEST(layernorm_bwd)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++)
		for (int m = 0; m < 8; m++)
			bwd(t, sizes[i].N, sizes[i].D, m & 1, m & 2, m & 4);
}

/* dx may be dy */
KT_TEST(layernorm_in_place)
{
	enum { N = 9, D = 40 };
	float *y = kt_out(t, N * D), *m = kt_out(t, N), *r = kt_out(t, N), *x = kt_in(t, N * D, 1), *w = kt_in(t, D, 1);
	float *dy = kt_inout(t, N * D, 1), *dx = kt_out(t, N * D), *dw = kt_inout(t, D, 1);
	int rc = SG_CALL(&t->d, layernorm_fwd, y, m, r, x, w, NULL, (float)EPS, N, D);

	if (rc >= 0)
		rc = SG_CALL(&t->d, layernorm_bwd, dx, NULL, NULL, dy, x, w, m, r, N, D, false);
	if (rc >= 0)
		rc = SG_CALL(&t->d, layernorm_bwd, dy, dw, NULL, dy, x, w, m, r, N, D, false);
	kt_done(t, rc, "layernorm_bwd");
	if (rc >= 0 && memcmp(kt_got(t, dx), kt_got(t, dy), sizeof(float) * N * D))
		kt_limit(t, "layernorm_bwd in place", 1, 0);
	kt_clear(t);
}
