#include "tests/kernels/kt.h"

static const struct { size_t N, E, D, step; } sizes[] = { { 1, 1, 1, 1 }, { 5, 7, 3, 4 }, { 33, 16, 29, 5 }, { 3, 40, 50, 1 }, { 0, 8, 8, 3 } };

/* Every step-th place of the matrix. */
static void run(struct kt *t, size_t N, size_t E, size_t D, size_t step)
{
	size_t n = (E * D + step - 1) / step;
	float *y = kt_inout(t, N * E, 1), *dx = kt_inout(t, N * D, 1), *dv = kt_inout(t, n, 1), *v = kt_in(t, n, 1);
	float *x = kt_in(t, N * D, 1), *dy = kt_in(t, N * E, 1), *host = calloc(2 * n, sizeof(*host));
	const float *at;
	int rc;

	for (size_t j = 0; j < n; j++) {
		host[j] = (float)(j * step / D);
		host[n + j] = (float)(j * step % D);
	}
	at = (const float *)kt_ints(t, (const int32_t *)(const void *)host, 2 * n);
	rc = SG_CALL(&t->d, coo_fwd, y, x, at, v, N, E, D, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, coo_dx, dx, dy, at, v, N, E, D, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, coo_dv, dv, dy, x, at, N, E, D, n);
	kt_done(t, rc, "coo");
	if (kt_ref(t)) {
		double *wy = kt_doubles(N * E), *wx = kt_doubles(N * D), *wv = kt_doubles(n);

		for (size_t i = 0; i < N * E; i++)
			wy[i] = (double)kt_was(t, y)[i];
		for (size_t i = 0; i < N * D; i++)
			wx[i] = (double)kt_was(t, dx)[i];
		for (size_t j = 0; j < n; j++) {
			size_t r = j * step / D, c = j * step % D;

			wv[j] = (double)kt_was(t, dv)[j];
			for (size_t i = 0; i < N; i++) {
				double xi = (double)kt_was(t, x)[i * D + c], g = (double)kt_was(t, dy)[i * E + r];

				wy[i * E + r] += (double)kt_was(t, v)[j] * xi;
				wx[i * D + c] += (double)kt_was(t, v)[j] * g;
				wv[j] += g * xi;
			}
		}
		kt_limit(t, "coo_fwd", kt_err(kt_got(t, y), wy, N * E), 1e-6);
		kt_limit(t, "coo_dx", kt_err(kt_got(t, dx), wx, N * D), 1e-6);
		kt_limit(t, "coo_dv", kt_err(kt_got(t, dv), wv, n), 1e-6);
		free(wy);
		free(wx);
		free(wv);
	}
	free(host);
	kt_clear(t);
}

KT_TEST(coo)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++)
		run(t, sizes[i].N, sizes[i].E, sizes[i].D, sizes[i].step);
}
