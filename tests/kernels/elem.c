#include "base/fmath.h"
#include "tests/kernels/kt.h"

static void run(struct kt *t, size_t n)
{
	float *c = kt_out(t, n), *a = kt_inout(t, n, 1), *x = kt_in(t, n, 1), *p = kt_inout(t, n, 1);
	float *s = kt_out(t, n), *z = kt_out(t, n), *twice = kt_inout(t, n, 1);
	int rc = SG_CALL(&t->d, copy, c, x, n);
	size_t bad = 0;

	rc = rc < 0 ? rc : SG_CALL(&t->d, add, a, x, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, axpy, p, x, 0.3f, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, scale, s, x, -1.7f, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, zero, z, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, add, twice, twice, n);
	kt_done(t, rc, "elem");
	for (size_t i = 0; i < n; i++) {
		float xi = kt_was(t, x)[i];

		bad += kt_got(t, c)[i] != xi;
		bad += kt_got(t, a)[i] != kt_was(t, a)[i] + xi;
		bad += kt_got(t, p)[i] != sg_fmaf(0.3f, xi, kt_was(t, p)[i]);
		bad += kt_got(t, s)[i] != -1.7f * xi;
		bad += sg_f32_bits(kt_got(t, z)[i]) != 0;
		bad += kt_got(t, twice)[i] != 2 * kt_was(t, twice)[i];
	}
	kt_limit(t, "elements that differ", (double)bad, 0);
	kt_clear(t);
}

KT_TEST(elem)
{
	run(t, 0);
	run(t, 1);
	run(t, 67);
	run(t, 70001);
}
