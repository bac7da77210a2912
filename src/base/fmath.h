#ifndef SG_BASE_FMATH_H
#define SG_BASE_FMATH_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Elementary functions in f32 whose bits are the same on every machine: built
 * from IEEE +, -, *, /, sqrt and explicit fma alone (libm differs by version
 * and processor). Straight-line code with selects, so that a loop over them
 * vectorises, and so that the CUDA twins include the same text. Compile with
 * -ffp-contract=off (nvcc: --fmad=false). Error against the true value: at most
 * 2 ulp (tests/unit/fmath.c measures it); exact limits at 0, inf and nan;
 * subnormals are kept. Polynomials are minimax fits made for this file.
 */
SG_HD float sg_fmaf(float a, float b, float c)
{
#if defined(__CUDA_ARCH__)
	return __fmaf_rn(a, b, c);
#else
	return __builtin_fmaf(a, b, c);
#endif
}

SG_HD float sg_sqrtf(float x)
{
#if defined(__CUDA_ARCH__)
	return __fsqrt_rn(x);
#else
	return __builtin_sqrtf(x);
#endif
}

/* Two roundings: correctly rounded square root, then division. */
SG_HD float sg_rsqrtf(float x)
{
	return 1.0f / sg_sqrtf(x);
}

SG_HD uint32_t sg_f32_bits(float x)
{
	uint32_t u;

	memcpy(&u, &x, sizeof(u));
	return u;
}

SG_HD float sg_f32_of(uint32_t u)
{
	float x;

	memcpy(&x, &u, sizeof(x));
	return x;
}

SG_HD float sg_fabsf(float x)
{
	return sg_f32_of(sg_f32_bits(x) & 0x7fffffffu);
}

/* |x| with the sign of s */
SG_HD float sg_copysignf(float x, float s)
{
	return sg_f32_of((sg_f32_bits(x) & 0x7fffffffu) | (sg_f32_bits(s) & 0x80000000u));
}

/* Adding this constant rounds |x| < 2^22 to an integer, whose two's complement
 * stands in the low bits of the sum. */
#define SG_ROUND_MAGIC 0x1.8p23f

SG_HD float sg_expf(float x)
{
	float t, n, r, p;
	int32_t k, h;

	/* beyond these the result is inf or 0 anyway; nan passes both */
	x = x > 89.0f ? 89.0f : x;
	x = x < -104.0f ? -104.0f : x;
	t = sg_fmaf(x, 0x1.715476p+0f, SG_ROUND_MAGIC);
	n = t - SG_ROUND_MAGIC;
	r = sg_fmaf(n, -0x1.62e430p-1f, x);
	r = sg_fmaf(n, 0x1.05c610p-29f, r);
	p = 0x1.9df82cp-13f;
	p = sg_fmaf(p, r, 0x1.6d4ce2p-10f);
	p = sg_fmaf(p, r, 0x1.111310p-7f);
	p = sg_fmaf(p, r, 0x1.5554e8p-5f);
	p = sg_fmaf(p, r, 0x1.555554p-3f);
	p = sg_fmaf(p, r, 0.5f);
	p = sg_fmaf(p, r * r, r) + 1.0f;
	/* 2^n in two factors: n runs from -150 to 128 */
	k = (int32_t)(sg_f32_bits(t) << 9) >> 9;
	h = k >> 1;
	return p * sg_f32_of((uint32_t)(h + 127) << 23) * sg_f32_of((uint32_t)(k - h + 127) << 23);
}

SG_HD float sg_logf(float x)
{
	const float inf = __builtin_inff();
	bool tiny = x < 0x1p-126f;
	float s = tiny ? x * 0x1p+25f : x, e, f, p, f2, r;
	uint32_t u = sg_f32_bits(s), d = u - 0x3f3504f3u;	/* sqrt(1/2) */

	e = (float)((int32_t)d >> 23) - (tiny ? 25.0f : 0.0f);
	f = sg_f32_of((d & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
	p = 0x1.148b0cp-4f;
	p = sg_fmaf(p, f, -0x1.de1b4ep-4f);
	p = sg_fmaf(p, f, 0x1.e6c3a6p-4f);
	p = sg_fmaf(p, f, -0x1.fc256cp-4f);
	p = sg_fmaf(p, f, 0x1.233b38p-3f);
	p = sg_fmaf(p, f, -0x1.555c52p-3f);
	p = sg_fmaf(p, f, 0x1.99a47ap-3f);
	p = sg_fmaf(p, f, -0x1.000006p-2f);
	p = sg_fmaf(p, f, 0x1.555548p-2f);
	f2 = f * f;
	p = sg_fmaf(f2, p * f, -0.5f * f2);
	p = sg_fmaf(e, -0x1.05c610p-29f, p);
	r = sg_fmaf(e, 0x1.62e430p-1f, f + p);
	r = x == inf ? inf : r;
	r = x == 0.0f ? -inf : r;
	r = x < 0.0f ? __builtin_nanf("") : r;
	return x != x ? x : r;
}

SG_HD float sg_tanhf(float x)
{
	float a = sg_fabsf(x), z = x * x, p, e, big, small;

	p = 0x1.078ac0p-9f;
	p = sg_fmaf(p, z, -0x1.071314p-7f);
	p = sg_fmaf(p, z, 0x1.62873ep-6f);
	p = sg_fmaf(p, z, -0x1.b9d632p-5f);
	p = sg_fmaf(p, z, 0x1.110fe8p-3f);
	p = sg_fmaf(p, z, -0x1.555552p-2f);
	small = sg_copysignf(sg_fmaf(p * z, a, a), x);
	e = sg_expf(2.0f * a);
	big = sg_copysignf(1.0f - 2.0f / (e + 1.0f), x);
	return a < 0.625f ? small : x != x ? x : big;
}

SG_HD float sg_erff(float x)
{
	float a = sg_fabsf(x), z = x * x, p, q, small, big;

	p = 0x1.4771fcp-14f;
	p = sg_fmaf(p, z, -0x1.a3515ep-11f);
	p = sg_fmaf(p, z, 0x1.53f224p-8f);
	p = sg_fmaf(p, z, -0x1.b7f71ap-6f);
	p = sg_fmaf(p, z, 0x1.ce2ce6p-4f);
	p = sg_fmaf(p, z, -0x1.81273ep-2f);
	p = sg_fmaf(p, z, 0x1.06eba8p-3f);
	small = sg_fmaf(p, x, x);
	/* 1 - erf is exp of a polynomial; past 4 the result is 1 */
	a = a > 4.0f ? 4.0f : a;
	q = 0x1.1d26d6p-23f;
	q = sg_fmaf(q, a, -0x1.8bfc34p-16f);
	q = sg_fmaf(q, a, 0x1.db32f0p-12f);
	q = sg_fmaf(q, a, -0x1.163d96p-8f);
	q = sg_fmaf(q, a, 0x1.9e70c4p-6f);
	q = sg_fmaf(q, a, -0x1.bc8f08p-4f);
	q = sg_fmaf(q, a, -0x1.4428eep-1f);
	q = sg_fmaf(q, a, -0x1.212eeap+0f);
	q = sg_fmaf(q, a, 0x1.9c6e24p-13f);
	big = sg_copysignf(1.0f - sg_expf(q), x);
	return a < 1.0f ? small : x != x ? x : big;
}

/* sine (shift 0) or cosine (shift 1) of r + q quarter turns, |r| <= pi/4 */
SG_HD float sg_quarter(float r, uint32_t q)
{
	float z = r * r, s, c, v;

	s = 0x1.7c090ep-19f;
	s = sg_fmaf(s, z, -0x1.a0590ep-13f);
	s = sg_fmaf(s, z, 0x1.111174p-7f);
	s = sg_fmaf(s, z, -0x1.555556p-3f);
	s = sg_fmaf(s * z, r, r);
	c = -0x1.3577ecp-22f;
	c = sg_fmaf(c, z, 0x1.a06f74p-16f);
	c = sg_fmaf(c, z, -0x1.6c175cp-10f);
	c = sg_fmaf(c, z, 0x1.555556p-5f);
	c = sg_fmaf(c * z, z, sg_fmaf(z, -0.5f, 1.0f));
	v = q & 1 ? c : s;
	return sg_f32_of(sg_f32_bits(v) ^ (q & 2) << 30);
}

/* Sine of x + shift quarter turns, exact reduction while |x| < 2^22: the
 * products are exact in the fma, and pi/2 is carried to 75 bits. */
SG_HD float sg_sin_near(float x, uint32_t shift)
{
	float t = sg_fmaf(x, 0x1.45f306p-1f, SG_ROUND_MAGIC), n = t - SG_ROUND_MAGIC, r;

	r = sg_fmaf(n, -0x1.921fb6p+0f, x);
	r = sg_fmaf(n, 0x1.777a5cp-25f, r);
	r = sg_fmaf(n, 0x1.ee59dap-50f, r);
	/* the sign of zero */
	return x == 0.0f && !(shift & 1) ? x : sg_quarter(r, sg_f32_bits(t) + shift);
}

/* The same for large x: the product with the digits of 2/pi that matter, in
 * fixed point (Payne, Hanek 1983). Two integer bits, 62 of fraction. */
SG_HD float sg_sin_far(float x, uint32_t shift)
{
	const uint64_t w0 = 0xa2f9836e4e441529u, w1 = 0xfc2757d1f534ddc0u, w2 = 0xdb6295993c439041u;
	uint32_t u = sg_f32_bits(x), e = u >> 23 & 255, q, s;
	uint64_t m = (u & 0x007fffffu) | 0x00800000u, a, b, c, hi, lo, prod;
	int64_t v;
	float vh, r;

	if (e == 255)
		return x - x;
	s = e - 150 + 62;	/* first bit wanted of 64 zeros followed by 2/pi; e >= 148 */
	a = s < 64 ? 0 : s < 128 ? w0 : w1;
	b = s < 64 ? w0 : s < 128 ? w1 : w2;
	c = s < 64 ? w1 : s < 128 ? w2 : 0xfe5163abdebbc561u;
	s &= 63;
	hi = s ? a << s | b >> (64 - s) : a;
	lo = s ? b << s | c >> (64 - s) : b;
	prod = m * hi + ((m * (lo >> 32)) >> 32);
	q = (uint32_t)((prod + ((uint64_t)1 << 61)) >> 62);
	v = (int64_t)(prod - ((uint64_t)q << 62));
	vh = (float)v;
	r = sg_fmaf(vh, -0x1.777a5cp-25f, (float)(v - (int64_t)vh) * 0x1.921fb6p+0f);
	r = sg_fmaf(vh, 0x1.921fb6p+0f, r) * 0x1p-62f;
	if (u >> 31) {
		r = -r;
		q = 0u - q;
	}
	return sg_quarter(r, q + shift);
}

/* The branch is only taken beyond four million radians; a loop that must
 * vectorise and knows its range calls sg_sin_near. */
SG_HD float sg_sinf(float x)
{
	return sg_fabsf(x) < 0x1p22f ? sg_sin_near(x, 0) : sg_sin_far(x, 0);
}

SG_HD float sg_cosf(float x)
{
	return sg_fabsf(x) < 0x1p22f ? sg_sin_near(x, 1) : sg_sin_far(x, 1);
}

SG_HD float sg_sigmoidf(float x)
{
	return 1.0f / (1.0f + sg_expf(-x));
}
SG_C_END
#endif
