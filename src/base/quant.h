#ifndef SG_BASE_QUANT_H
#define SG_BASE_QUANT_H
#include "base/dtype.h"
#if defined(__F16C__) && !defined(__cplusplus)
# include <immintrin.h>
#endif
SG_C_BEGIN
/*
 * Quantised weights, as GGUF stores them. A block holds 32 or 256 elements as
 * small whole numbers q with f16 scales; in f16 d and m, 6-bit or 8-bit s and t:
 *
 *	Q8_0  d, i8 q[32]                                    d q
 *	Q4_0  d, u4 q[32]                                    d (q - 8)
 *	Q4_1  d, m, u4 q[32]                                 d q + m
 *	Q5_0  d, u1 h[32], u4 q[32]                          d (q + 16 h - 16)
 *	Q5_1  d, m, u1 h[32], u4 q[32]                       d (q + 16 h) + m
 *	Q4_K  d, m, u6 s[8] and t[8], u4 q[256]              (d s) q - (m t)
 *	Q5_K  d, m, u6 s[8] and t[8], u1 h[256], u4 q[256]   (d s) (q + 16 h) - (m t)
 *	Q6_K  u4 q[256], u2 h[256], i8 s[16], d              (d s) (q + 16 h - 32)
 *
 * Each product and sum is one f32 operation, rounded as written and never fused,
 * so every reader gets the same bits. All types are read by granules of 32
 * elements: what rows can be cut into, whatever the type. The code is
 * such that a compiler makes vectors of it for whatever instruction set a file is
 * compiled for.
 */
#define SG_GRANULE 32

SG_HD float sg_quant_f16(const unsigned char *p)
{
	uint16_t h;

	memcpy(&h, p, sizeof(h));
#if defined(__F16C__) && !defined(__cplusplus)
	return _cvtsh_ss(h);
#else
	return sg_f32_from_f16(h);
#endif
}

/* 6-bit scale and minimum j of 8 from the 12 bytes that hold them. */
SG_HD void sg_quant_k(int *scale, int *min, const unsigned char *s, size_t j)
{
	if (j < 4) {
		*scale = s[j] & 63;
		*min = s[j + 4] & 63;
	} else {
		*scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
		*min = s[j + 4] >> 4 | s[j] >> 6 << 4;
	}
}

/*
 * The 16 bytes of nibbles at qs into 32 floats: the low halves first, then the high
 * ones, the fifth bit of element i being bit i of `high`. `value` is what becomes of
 * such a number q. Vectors of eight, each lane computed as one scalar would be:
 * compilers make poor ones of the plain loop. C++, that is a GPU, takes the loop.
 */
#if defined(__cplusplus)
#define SG_QUANT_NIBBLES(out, qs, high, value) do { \
	for (int i_ = 0; i_ < 32; i_++) { \
		float q = (float)(((qs)[i_ & 15] >> (i_ & 16 ? 4 : 0) & 15) | (int)((high) >> i_ & 1) << 4); \
		(out)[i_] = (value); \
	} \
} while (0)
#else
typedef unsigned char sg_quant_u8 __attribute__((vector_size(8)));
typedef int sg_quant_i32 __attribute__((vector_size(32)));
typedef float sg_quant_f32 __attribute__((vector_size(32)));

#define SG_QUANT_NIBBLES(out, qs, high, value) do { \
	for (int i_ = 0; i_ < 16; i_ += 8) { \
		sg_quant_u8 b_; \
		memcpy(&b_, (qs) + i_, sizeof(b_)); \
		SG_QUANT_8((out) + i_, b_ & 15, (high) >> i_, value); \
		SG_QUANT_8((out) + 16 + i_, b_ >> 4, (high) >> (16 + i_), value); \
	} \
} while (0)
#define SG_QUANT_8(out, bytes, high, value) do { \
	const sg_quant_i32 at_ = { 0, 1, 2, 3, 4, 5, 6, 7 }; \
	sg_quant_i32 q_ = __builtin_convertvector(bytes, sg_quant_i32) | ((int)((high) & 255) >> at_ & 1) << 4; \
	sg_quant_f32 q = __builtin_convertvector(q_, sg_quant_f32), v_ = (value); \
	memcpy((out), &v_, sizeof(v_)); \
} while (0)
#endif

SG_HD uint32_t sg_quant_u32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

SG_HD void sg_quant_q8_0(float *__restrict__ out, const unsigned char *b)
{
	float d = sg_quant_f16(b);
	const signed char *q = (const signed char *)b + 2;

	for (int i = 0; i < SG_GRANULE; i++)
		out[i] = d * (float)q[i];
}

SG_HD void sg_quant_q4_0(float *__restrict__ out, const unsigned char *b)
{
	float d = sg_quant_f16(b);

	SG_QUANT_NIBBLES(out, b + 2, 0u, d * (q - 8.0f));
}

SG_HD void sg_quant_q4_1(float *__restrict__ out, const unsigned char *b)
{
	float d = sg_quant_f16(b), m = sg_quant_f16(b + 2);

	SG_QUANT_NIBBLES(out, b + 4, 0u, d * q + m);
}

SG_HD void sg_quant_q5_0(float *__restrict__ out, const unsigned char *b)
{
	float d = sg_quant_f16(b);
	uint32_t high = sg_quant_u32(b + 2);

	SG_QUANT_NIBBLES(out, b + 6, high, d * (q - 16.0f));
}

SG_HD void sg_quant_q5_1(float *__restrict__ out, const unsigned char *b)
{
	float d = sg_quant_f16(b), m = sg_quant_f16(b + 2);
	uint32_t high = sg_quant_u32(b + 4);

	SG_QUANT_NIBBLES(out, b + 8, high, d * q + m);
}

SG_HD void sg_quant_q4_k(float *__restrict__ out, const unsigned char *b, size_t j)
{
	const unsigned char *q = b + 16 + j / 2 * 32;
	int shift = j & 1 ? 4 : 0, s, t;
	float d, m;

	sg_quant_k(&s, &t, b + 4, j);
	d = sg_quant_f16(b) * (float)s;
	m = sg_quant_f16(b + 2) * (float)t;
	for (int i = 0; i < SG_GRANULE; i++)
		out[i] = d * (float)(q[i] >> shift & 15) - m;
}

SG_HD void sg_quant_q5_k(float *__restrict__ out, const unsigned char *b, size_t j)
{
	const unsigned char *h = b + 16, *q = b + 48 + j / 2 * 32;
	int shift = j & 1 ? 4 : 0, s, t;
	float d, m;

	sg_quant_k(&s, &t, b + 4, j);
	d = sg_quant_f16(b) * (float)s;
	m = sg_quant_f16(b + 2) * (float)t;
	for (int i = 0; i < SG_GRANULE; i++)
		out[i] = d * (float)((q[i] >> shift & 15) | (h[i] >> j & 1) << 4) - m;
}

SG_HD void sg_quant_q6_k(float *__restrict__ out, const unsigned char *b, size_t j)
{
	const unsigned char *q = b + j / 4 * 64 + j % 2 * 32, *h = b + 128 + j / 4 * 32;
	const signed char *s = (const signed char *)b + 192 + 2 * j;
	int shift = j & 2 ? 4 : 0, up = 2 * (int)(j % 4);
	float d = sg_quant_f16(b + 208), scale[SG_GRANULE];

	for (int i = 0; i < 16; i++) {
		scale[i] = d * (float)s[0];
		scale[16 + i] = d * (float)s[1];
	}
	for (int i = 0; i < SG_GRANULE; i++)
		out[i] = scale[i] * ((float)((q[i] >> shift & 15) | (h[i] >> up & 3) << 4) - 32.0f);
}

/* Granules and bytes of a block; a GPU cannot see the table. */
SG_HD size_t sg_quant_granules(enum sg_dtype type)
{
	switch (type) {
#define X(name, block, size) case SG_##name: return (block) / SG_GRANULE;
	SG_QTYPES(X)
#undef X
	default: return 1;
	}
}

SG_HD size_t sg_quant_size(enum sg_dtype type)
{
	switch (type) {
#define X(name, block, size) case SG_##name: return (size);
	SG_QTYPES(X)
#undef X
	default: return 0;
	}
}

/* out[32] = granule g of packed data, that is elements 32 g to 32 g + 31. */
SG_HD void sg_quant_granule(float *__restrict__ out, const void *data, enum sg_dtype type, size_t g)
{
	size_t each = sg_quant_granules(type), j = g % each;
	const unsigned char *b = (const unsigned char *)data + g / each * sg_quant_size(type);

	switch (type) {
	case SG_Q8_0: sg_quant_q8_0(out, b); break;
	case SG_Q4_0: sg_quant_q4_0(out, b); break;
	case SG_Q4_1: sg_quant_q4_1(out, b); break;
	case SG_Q5_0: sg_quant_q5_0(out, b); break;
	case SG_Q5_1: sg_quant_q5_1(out, b); break;
	case SG_Q4_K: sg_quant_q4_k(out, b, j); break;
	case SG_Q5_K: sg_quant_q5_k(out, b, j); break;
	case SG_Q6_K: sg_quant_q6_k(out, b, j); break;
	default: memset(out, 0, SG_GRANULE * sizeof(float)); break;
	}
}

/* Are all scales of n elements finite? Then so is every element: no product of
 * an f16 and the small numbers beside it leaves the range of f32. */
bool sg_quant_finite(const void *data, enum sg_dtype type, size_t n);
SG_C_END
#endif
