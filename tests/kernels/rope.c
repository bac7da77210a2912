#include "tests/kernels/kt.h"
#include <math.h>

static void rope(struct kt *t, size_t N, size_t heads, size_t K, size_t R, size_t stride)
{
	float freq[512], *x = kt_inout(t, N * stride, 1), *f;
	int32_t begin[64], *b;
	double *want;

	for (size_t i = 0; i < N; i++)
		begin[i] = i < 3 ? 0 : 3;
	for (size_t k = 0; k < R / 2; k++)
		freq[k] = (float)pow(10000, -2.0 * (double)k / (double)R);
	b = kt_ints(t, begin, N);
	f = (float *)kt_ints(t, (const int32_t *)freq, R / 2);
	kt_done(t, SG_CALL(&t->d, rope, x, b, f, 1, N, heads, K, R, stride), "rope");
	if (kt_ref(t)) {
		want = kt_doubles(N * stride);
		for (size_t i = 0; i < N * stride; i++)
			want[i] = (double)kt_was(t, x)[i];
		for (size_t i = 0; i < N * heads * R / 2; i++) {
			size_t n = i / (heads * R / 2), k = i % (R / 2), h = i / (R / 2) % heads;
			double a = (double)((int32_t)n - begin[n]) * (double)freq[k];
			double *p = want + n * stride + h * K + k, u = p[0], v = p[R / 2];

			p[0] = u * cos(a) - v * sin(a);
			p[R / 2] = u * sin(a) + v * cos(a);
		}
		kt_limit(t, "rope", kt_err(kt_got(t, x), want, N * stride), 2e-6);
		for (size_t i = 0; i < N * stride; i++)
			if ((i % stride >= heads * K || i % stride % K >= R) && kt_got(t, x)[i] != kt_was(t, x)[i])
				kt_limit(t, "rope: what is not turned", 1, 0);
		/* and back */
		for (size_t i = 0; i < N * stride; i++)
			want[i] = (double)kt_was(t, x)[i];
		kt_done(t, SG_CALL(&t->d, rope, x, b, f, -1, N, heads, K, R, stride), "rope back");
		kt_limit(t, "rope back", kt_err(kt_got(t, x), want, N * stride), 3e-7);
		free(want);
	} else {
		kt_done(t, SG_CALL(&t->d, rope, x, b, f, -1, N, heads, K, R, stride), "rope back");
	}
	kt_clear(t);
}

KT_TEST(rope)
{
	rope(t, 1, 1, 2, 2, 2);
	rope(t, 50, 3, 8, 8, 24);
	rope(t, 23, 2, 34, 34, 71);
	rope(t, 9, 1, 260, 260, 300);
	rope(t, 21, 3, 10, 4, 30);
	rope(t, 5, 2, 7, 6, 14);
}
