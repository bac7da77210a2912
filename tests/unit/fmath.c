#include "base/fmath.h"
#include "base/rng.h"
#include "tests/test.h"
#include <math.h>

/* Distance to the true value in units of the last place of its f32 neighbour. */
static double ulps(float got, double want)
{
	double unit;

	if (isnan(want))
		return isnan(got) ? 0 : INFINITY;
	if (fabs(want) > 0x1.fffffefp127)	/* rounds to inf */
		return isinf(got) && (got > 0) == (want > 0) ? 0 : fabs(got) == 0x1.fffffep127f ? 1 : INFINITY;
	if (isinf(got))
		return fabs(want) > 0x1.fffffep127 ? 1 : INFINITY;
	unit = ldexp(1, want == 0 ? -149 : (int)fmax(ilogb(want) - 23, -149));
	return fabs((double)got - want) / unit;
}

/* Worst error over all bit patterns between lo and hi, in steps. */
static double worst(float (*f)(float), double (*ref)(double), float lo, float hi)
{
	uint32_t a = sg_f32_bits(lo), b = sg_f32_bits(hi), step = (b - a) / 100000 + 1;
	double w = 0;

	for (uint32_t u = a; u <= b; u += step)
		for (int neg = 0; neg < 2; neg++) {
			float x = sg_f32_of(u | (uint32_t)neg << 31);

			w = fmax(w, ulps(f(x), ref((double)x)));
		}
	if (w > 2)
		printf("# worst %g ulp in %g .. %g\n", w, (double)lo, (double)hi);
	return w;
}

static double rsqrt_ref(double x)
{
	return 1 / sqrt(x);
}

#define GOLD 0xcf8c202ba215758fu
#define FMAX 0x1.fffffep127f
TEST(fmath_exp)
{
	CHECK(worst(sg_expf, exp, 0, 0x1p-20f) < 1);
	CHECK(worst(sg_expf, exp, 0x1p-20f, 1) < 1.5);
	CHECK(worst(sg_expf, exp, 1, 110) < 1.5);
	CHECK(worst(sg_expf, exp, 110, FMAX) < 1);
	CHECK(sg_expf(0) == 1 && sg_expf(-0.0f) == 1);
	CHECK(sg_expf(INFINITY) == INFINITY && sg_expf(-INFINITY) == 0 && isnan(sg_expf(NAN)));
}

TEST(fmath_log)
{
	CHECK(worst(sg_logf, log, 0x1p-149f, 0x1p-100f) < 2);
	CHECK(worst(sg_logf, log, 0x1p-100f, 0.5f) < 2);
	CHECK(worst(sg_logf, log, 0.5f, 2) < 2);
	CHECK(worst(sg_logf, log, 0.99f, 1.01f) < 2);
	CHECK(worst(sg_logf, log, 2, FMAX) < 2);
	CHECK(sg_f32_bits(sg_logf(1)) == 0);
	CHECK(sg_logf(0) == -INFINITY && sg_logf(-0.0f) == -INFINITY && sg_logf(INFINITY) == INFINITY);
	CHECK(isnan(sg_logf(-1)) && isnan(sg_logf(-INFINITY)) && isnan(sg_logf(NAN)));
}

TEST(fmath_tanh)
{
	CHECK(worst(sg_tanhf, tanh, 0, 0x1p-100f) < 1);
	CHECK(worst(sg_tanhf, tanh, 0x1p-100f, 0.625f) < 2);
	CHECK(worst(sg_tanhf, tanh, 0.625f, 12) < 2);
	CHECK(worst(sg_tanhf, tanh, 12, FMAX) < 1);
	CHECK(sg_f32_bits(sg_tanhf(-0.0f)) == 0x80000000u);
	CHECK(sg_tanhf(INFINITY) == 1 && sg_tanhf(-INFINITY) == -1 && isnan(sg_tanhf(NAN)));
}

TEST(fmath_erf)
{
	CHECK(worst(sg_erff, erf, 0, 0x1p-100f) < 1);
	CHECK(worst(sg_erff, erf, 0x1p-100f, 1) < 2);
	CHECK(worst(sg_erff, erf, 1, 5) < 2);
	CHECK(worst(sg_erff, erf, 5, FMAX) < 1);
	CHECK(sg_f32_bits(sg_erff(-0.0f)) == 0x80000000u);
	CHECK(sg_erff(INFINITY) == 1 && sg_erff(-INFINITY) == -1 && isnan(sg_erff(NAN)));
}

TEST(fmath_trig)
{
	static const float range[] = { 0, 0x1p-60f, 0.7f, 1.7f, 100, 1e4f, 0x1p22f, 0x1p26f, 1e20f, FMAX };

	for (size_t i = 0; i + 1 < SG_LEN(range); i++) {
		CHECK(worst(sg_sinf, sin, range[i], range[i + 1]) < 2);
		CHECK(worst(sg_cosf, cos, range[i], range[i + 1]) < 2);
	}
	/* the neighbours of multiples of pi/2, where reduction cancels most */
	for (int k = 1; k < 200000; k++) {
		float x = (float)(k * 1.5707963267948966);

		CHECK(ulps(sg_sinf(x), sin((double)x)) < 2);
		CHECK(ulps(sg_cosf(x), cos((double)x)) < 2);
	}
	CHECK(sg_f32_bits(sg_sinf(-0.0f)) == 0x80000000u && sg_cosf(0) == 1);
	CHECK(isnan(sg_sinf(INFINITY)) && isnan(sg_cosf(-INFINITY)) && isnan(sg_sinf(NAN)));
}

TEST(fmath_rsqrt)
{
	CHECK(worst(sg_rsqrtf, rsqrt_ref, 0x1p-149f, FMAX) < 2);
	CHECK(worst(sg_sqrtf, sqrt, 0x1p-149f, FMAX) <= 0.5);
	CHECK(sg_rsqrtf(0) == INFINITY && sg_rsqrtf(INFINITY) == 0);
}

/* Bits that must never change: a receipt replays on them. */
TEST(fmath_golden)
{
	uint64_t h = 0;

	for (int i = 0; i < 4000; i++) {
		float x = ((float)i - 2000) * 0.0173f;
		float v[] = { sg_expf(x), sg_logf(sg_fabsf(x)), sg_tanhf(x), sg_erff(x), sg_sinf(x * 1e5f),
			      sg_cosf(x * 1e9f), sg_rsqrtf(x * x), sg_sigmoidf(x) };

		for (size_t k = 0; k < SG_LEN(v); k++)
			h = (h ^ sg_f32_bits(v[k])) * 0x100000001b3u;
	}
	if (h != GOLD)
		printf("# %llx\n", (unsigned long long)h);
	CHECK(h == GOLD);
}
