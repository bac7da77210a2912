#include "base/fmath.h"
#include "base/rng.h"
#include "tests/test.h"

TEST(rng_golden)
{
	float z[4];

	sg_rng_normal(z, 4, 1, 2);
	CHECK(z[0] == 0x1.d50f46p-4f && z[1] == -0x1.fcf0b4p-1f);
	CHECK(z[2] == -0x1.2111dap-5f && z[3] == 0x1.bf41bep+0f);
	CHECK(sg_rng_u64(1, 2, 3) == 0x1ed16cce0a16ada7u);
	CHECK(sg_rng_stream("train") == 0x116f54c41d0405dbu);
}

TEST(rng_normal)
{
	enum { N = 200000 };
	static float z[N];
	double s1 = 0, s2 = 0, s3 = 0, s4 = 0, lag = 0;
	size_t out = 0;

	sg_rng_normal(z, N, 42, 7);
	for (size_t i = 0; i < N; i++) {
		double v = (double)z[i];

		s1 += v;
		s2 += v * v;
		s3 += v * v * v;
		s4 += v * v * v * v;
		out += sg_fabsf(z[i]) > 1.959964f;
		lag += i ? v * (double)z[i - 1] : 0;
	}
	/* five standard errors each */
	CHECK(s1 / N > -0.0112 && s1 / N < 0.0112);
	CHECK(s2 / N > 0.984 && s2 / N < 1.016);
	CHECK(s3 / N > -0.044 && s3 / N < 0.044);
	CHECK(s4 / N > 2.89 && s4 / N < 3.11);
	CHECK(lag / N > -0.0112 && lag / N < 0.0112);
	CHECK(out > N * 0.0475 && out < N * 0.0525);
}

TEST(rng_uniform)
{
	size_t bin[16] = { 0 };

	for (uint64_t i = 0; i < 160000; i++) {
		float u = sg_rng_uniform(3, 4, i);

		CHECK(u > 0 && u < 1);
		bin[(int)(u * 16)]++;
	}
	for (int b = 0; b < 16; b++)
		CHECK(bin[b] > 9500 && bin[b] < 10500);
	for (uint64_t i = 0; i < 1000; i++)
		CHECK(sg_rng_below(9, 9, i, i + 1) <= i);
}

/* A stream is not another one shifted, nor the same under another seed. */
TEST(rng_apart)
{
	for (uint64_t i = 0; i < 2000; i++) {
		CHECK(sg_rng_u64(1, 1, i) != sg_rng_u64(1, 2, i));
		CHECK(sg_rng_u64(1, 1, i) != sg_rng_u64(2, 1, i));
		CHECK(sg_rng_u64(1, 1, i + 1) != sg_rng_u64(1, 2, i));
		CHECK(sg_rng_u64(1, 2, i) != sg_rng_u64(2, 1, i));
	}
}

TEST(rng_shuffle)
{
	enum { N = 257 };
	uint32_t p[N], seen[N] = { 0 }, fixed = 0;

	sg_rng_shuffle(p, N, 5, 6);
	for (uint32_t i = 0; i < N; i++) {
		CHECK(p[i] < N && !seen[p[i]]++);
		fixed += p[i] == i;
	}
	CHECK(fixed < 8);
	sg_rng_shuffle(p, 1, 5, 6);
	CHECK(p[0] == 0);
}
