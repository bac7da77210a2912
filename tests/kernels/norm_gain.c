#include "tests/kernels/kt.h"
#include <math.h>

static const struct { size_t E, D, R; } sizes[] = { { 1, 3, 1 }, { 37, 20, 4 }, { 300, 48, 8 } };

/* Against the norms of the whole matrix. */
static void run(struct kt *t, size_t E, size_t D, size_t R, bool hold)
{
	float *gain = kt_out(t, E), *inv = hold ? kt_inout(t, E, 1) : kt_out(t, E), *m = kt_in(t, E, 1), *b = kt_in(t, E * R, 1);
	struct sg_mat w = kt_mat(t, SG_F32, E, D, 1), a = kt_mat(t, SG_F32, R, D, 1);
	float *w2 = kt_out(t, E), *wa = kt_out(t, R * E), *aa = kt_out(t, R * R), *host = calloc(E, sizeof(*host)), s = 0.7f;
	int rc = SG_CALL(&t->d, linear_fwd, wa, a.data, &w, NULL, R, E, D, false);

	rc = rc < 0 ? rc : SG_CALL(&t->d, linear_fwd, aa, a.data, &a, NULL, R, R, D, false);
	for (size_t i = 0; i < E; i++) {
		double sum = 0;

		for (size_t k = 0; k < D; k++)
			sum += (double)kt_was(t, w.data)[i * D + k] * (double)kt_was(t, w.data)[i * D + k];
		host[i] = (float)sum;
	}
	rc = rc < 0 ? rc : t->d.be->put(&t->d, w2, host, E * sizeof(*host));
	rc = rc < 0 ? rc : SG_CALL(&t->d, norm_gain, gain, inv, m, w2, hold ? NULL : wa, aa, b, s, E, R);
	kt_done(t, rc, "norm_gain");
	if (kt_ref(t)) {
		double *g = kt_doubles(E), *n = kt_doubles(E);

		for (size_t i = 0; i < E; i++) {
			double sum = 0;

			for (size_t k = 0; k < D; k++) {
				double v = (double)kt_was(t, w.data)[i * D + k];

				for (size_t r = 0; r < R; r++)
					v += (double)s * (double)kt_was(t, b)[i * R + r] * (double)kt_was(t, a.data)[r * D + k];
				sum += v * v;
			}
			n[i] = hold ? (double)kt_was(t, inv)[i] : 1 / sqrt(sum);
			g[i] = (double)kt_was(t, m)[i] * n[i];
		}
		kt_limit(t, "gain", kt_err(kt_got(t, gain), g, E), 1e-6);
		kt_limit(t, "inverse norm", kt_err(kt_got(t, inv), n, E), 1e-6);
		free(g);
		free(n);
	}
	free(host);
	kt_clear(t);
}

KT_TEST(norm_gain)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++) {
		run(t, sizes[i].E, sizes[i].D, sizes[i].R, false);
		run(t, sizes[i].E, sizes[i].D, sizes[i].R, true);
	}
}
