#include "tests/kernels/kt.h"

static void run(struct kt *t, size_t N, size_t A, size_t B, size_t R)
{
	float *y = kt_out(t, N * A * B * R), *x = kt_in(t, N * A * B * R, 1);
	size_t bad = 0;

	kt_done(t, SG_CALL(&t->d, swap_axes, y, x, N, A, B, R), "swap_axes");
	for (size_t k = 0; k < N * A * B * R; k++) {
		size_t r = k % R, b = k / R % B, a = k / R / B % A, n = k / R / B / A;

		bad += kt_got(t, y)[((n * B + b) * A + a) * R + r] != kt_was(t, x)[k];
	}
	kt_limit(t, "elements that differ", (double)bad, 0);
	kt_clear(t);
}

KT_TEST(swap_axes)
{
	run(t, 0, 3, 2, 2);
	run(t, 1, 1, 1, 1);
	run(t, 5, 3, 7, 2);
	run(t, 301, 4, 5, 1);
	run(t, 2, 64, 33, 5);
}
