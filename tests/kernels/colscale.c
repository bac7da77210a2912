#include "tests/kernels/kt.h"
#include <math.h>

static const struct { size_t N, D; } sizes[] = { { 1, 1 }, { 3, 15 }, { 7, 16 }, { 301, 1 }, { 37, 129 }, { 2, 1000 }, { 0, 8 } };

static void run(struct kt *t, size_t N, size_t D, float c, bool add)
{
	float *y = add ? kt_inout(t, N * D, 1) : kt_out(t, N * D), *same = kt_inout(t, N * D, 1), *dv = kt_inout(t, D, 1);
	float *x = kt_in(t, N * D, 1), *v = kt_in(t, D, 1), *dy = kt_in(t, N * D, 1);
	int rc = SG_CALL(&t->d, colscale, y, x, v, c, N, D, add);

	rc = rc < 0 ? rc : SG_CALL(&t->d, colscale, same, same, v, c, N, D, false);
	rc = rc < 0 ? rc : SG_CALL(&t->d, colscale_dv, dv, dy, x, N, D);
	kt_done(t, rc, "colscale");
	if (kt_ref(t)) {
		double *w = kt_doubles(N * D), *s = kt_doubles(N * D), *g = kt_doubles(D);

		for (size_t k = 0; k < D; k++)
			g[k] = (double)kt_was(t, dv)[k];
		for (size_t i = 0; i < N * D; i++) {
			double f = (double)kt_was(t, v)[i % D] - (double)c, xi = (double)kt_was(t, x)[i];

			w[i] = xi * f + (add ? (double)kt_was(t, y)[i] : 0);
			s[i] = (double)kt_was(t, same)[i] * f;
			g[i % D] += (double)kt_was(t, dy)[i] * xi;
		}
		kt_limit(t, "colscale", kt_err(kt_got(t, y), w, N * D), 2e-7);
		kt_limit(t, "colscale in place", kt_err(kt_got(t, same), s, N * D), 2e-7);
		kt_limit(t, "colscale_dv", kt_err(kt_got(t, dv), g, D), 2e-6);
		free(w);
		free(s);
		free(g);
	}
	kt_clear(t);
}

KT_TEST(colscale)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++) {
		run(t, sizes[i].N, sizes[i].D, 0, false);
		run(t, sizes[i].N, sizes[i].D, 1, true);
	}
}
