#include "tests/kernels/kt.h"
#include <math.h>

static const struct { size_t N, D; } sizes[] = { { 1, 1 }, { 3, 15 }, { 7, 16 }, { 5, 17 }, { 37, 129 }, { 2, 1000 }, { 0, 8 } };
#define EPS 1e-5

static double rstd_of(const float *x, size_t D)
{
	double s = 0;

	for (size_t k = 0; k < D; k++)
		s += (double)x[k] * (double)x[k];
	return 1 / sqrt(s / (double)D + EPS);
}

static void fwd(struct kt *t, size_t N, size_t D, bool ones)
{
	float *y = kt_out(t, N * D), *r = kt_out(t, N), *x = kt_in(t, N * D, 2), *w = kt_in(t, D, 1);
	double *want, *wr;

	kt_done(t, SG_CALL(&t->d, rmsnorm_fwd, y, r, x, ones ? NULL : w, (float)EPS, N, D), "rmsnorm_fwd");
	if (kt_ref(t)) {
		want = kt_doubles(N * D);
		wr = kt_doubles(N);
		for (size_t i = 0; i < N * D; i++) {
			wr[i / D] = rstd_of(kt_was(t, x) + i / D * D, D);
			want[i] = (double)kt_was(t, x)[i] * wr[i / D] * (ones ? 1 : (double)kt_was(t, w)[i % D]);
		}
		kt_limit(t, "rmsnorm_fwd", kt_err(kt_got(t, y), want, N * D), 2e-7);
		kt_limit(t, "rmsnorm_fwd rstd", kt_err(kt_got(t, r), wr, N), 2e-7);
		free(want);
		free(wr);
	}
	kt_clear(t);
}

KT_TEST(rmsnorm_fwd)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++) {
		fwd(t, sizes[i].N, sizes[i].D, false);
		fwd(t, sizes[i].N, sizes[i].D, true);
	}
}

/* dx against central differences of sum(dy * y) in f64 */
static double slope(const float *x, const float *w, const float *dy, size_t D, size_t at)
{
	const double h = 1e-4;
	double f[2] = { 0 };

	for (int s = 0; s < 2; s++) {
		double v = (double)x[at] + (s ? h : -h), sum = v * v, r;

		for (size_t k = 0; k < D; k++)
			sum += k == at ? 0 : (double)x[k] * (double)x[k];
		r = 1 / sqrt(sum / (double)D + EPS);
		for (size_t k = 0; k < D; k++)
			f[s] += (double)dy[k] * (k == at ? v : (double)x[k]) * r * (w ? (double)w[k] : 1);
	}
	return (f[1] - f[0]) / (2 * h);
}

static void bwd(struct kt *t, size_t N, size_t D, bool ones, bool add, bool frozen)
{
	float *y = kt_inout(t, N * D, 1), *r = kt_inout(t, N, 1), *x = kt_in(t, N * D, 2), *w = kt_in(t, D, 1);
	float *dy = kt_in(t, N * D, 1), *dw = kt_inout(t, D, 1), *dx = add ? kt_inout(t, N * D, 1) : kt_out(t, N * D);
	int rc = SG_CALL(&t->d, rmsnorm_fwd, y, r, x, ones ? NULL : w, (float)EPS, N, D);
	double *want, *wdw;

	if (rc >= 0)
		rc = SG_CALL(&t->d, rmsnorm_bwd, dx, frozen ? NULL : dw, dy, x, ones ? NULL : w, r, N, D, add);
	kt_done(t, rc, "rmsnorm_bwd");
	if (kt_ref(t)) {
		const float *hx = kt_was(t, x), *hdy = kt_was(t, dy);

		want = kt_doubles(N * D);
		wdw = kt_doubles(D);
		for (size_t k = 0; k < D; k++)
			wdw[k] = (double)kt_was(t, dw)[k];
		for (size_t i = 0; i < N * D; i++) {
			size_t row = i / D * D;

			want[i] = (add ? (double)kt_was(t, dx)[i] : 0) +
				  slope(hx + row, ones ? NULL : kt_was(t, w), hdy + row, D, i % D);
			wdw[i % D] += frozen ? 0 : (double)hdy[i] * (double)hx[i] * rstd_of(hx + row, D);
		}
		/* for one column dx is next to nothing: eps alone keeps it from 0 */
		if (D > 1)
			kt_limit(t, "rmsnorm_bwd dx", kt_err(kt_got(t, dx), want, N * D), 1e-6);
		kt_limit(t, "rmsnorm_bwd dw", kt_err(kt_got(t, dw), wdw, D), 1e-6);
		free(want);
		free(wdw);
	}
	kt_clear(t);
}

KT_TEST(rmsnorm_bwd)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++)
		for (int m = 0; m < 8; m++)
			bwd(t, sizes[i].N, sizes[i].D, m & 1, m & 2, m & 4);
}
