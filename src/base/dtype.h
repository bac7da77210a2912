#ifndef SG_BASE_DTYPE_H
#define SG_BASE_DTYPE_H
#include "base/base.h"
SG_C_BEGIN
/* Element types, named as safetensors names them. Stored little endian. */
#define SG_DTYPES(X) \
	X(F32, 4) X(F16, 2) X(BF16, 2) X(F64, 8) X(I64, 8) X(I32, 4) X(I16, 2) X(I8, 1) \
	X(U64, 8) X(U32, 4) X(U16, 2) X(U8, 1) X(BOOL, 1)

enum sg_dtype {
#define X(name, size) SG_##name,
	SG_DTYPES(X)
#undef X
	SG_DTYPE_COUNT
};

static const struct { const char *name; size_t size; } sg_dtypes[SG_DTYPE_COUNT] = {
#define X(name, size) { #name, size },
	SG_DTYPES(X)
#undef X
};

#define SG_DIMS 4	/* most dimensions of a tensor that the engine handles */

/* A matrix or vector in memory, borrowed, in its stored dtype. rows x cols,
 * row-major, packed; a vector has rows = 1. */
struct sg_mat { const void *data; enum sg_dtype dtype; size_t rows, cols; };

/* One element widened exactly to f32 (F32, F16, BF16 only). */
static inline float sg_f32_from_bf16(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

static inline float sg_f32_from_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023, u;
	float f;

	if (e == 31) {
		u = sign | 0x7f800000 | m << 13;
	} else if (e) {
		u = sign | (e + 112) << 23 | m << 13;
	} else {
		f = (float)m * 0x1p-24f;	/* exact: m < 2^10 */
		memcpy(&u, &f, sizeof(u));
		u |= sign;
	}
	memcpy(&f, &u, sizeof(f));
	return f;
}

static inline float sg_mat_at(const struct sg_mat *m, size_t i)
{
	const unsigned char *p = (const unsigned char *)m->data + i * sg_dtypes[m->dtype].size;
	uint16_t h;
	float f;

	if (m->dtype == SG_F32) {
		memcpy(&f, p, sizeof(f));
		return f;
	}
	memcpy(&h, p, sizeof(h));
	return m->dtype == SG_BF16 ? sg_f32_from_bf16(h) : sg_f32_from_f16(h);
}

/* To the nearest, ties to even; too large for f16 becomes infinite. */
static inline uint16_t sg_bf16_from_f32(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | 0x40);	/* NaN stays one */
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline uint16_t sg_f16_from_f32(float f)
{
	uint32_t u, sign;

	memcpy(&u, &f, sizeof(u));
	sign = u >> 16 & 0x8000;
	u &= 0x7fffffff;
	if (u > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (u >= 0x477ff000)
		return (uint16_t)(sign | 0x7c00);
	if (u < 0x38800000) {		/* subnormal: the adder rounds to multiples of 2^-24 */
		memcpy(&f, &u, sizeof(f));
		f += 0.5f;
		memcpy(&u, &f, sizeof(u));
		return (uint16_t)(sign | (u - 0x3f000000));
	}
	return (uint16_t)(sign | (u - 0x38000000 + 0xfff + (u >> 13 & 1)) >> 13);
}

/* f into element i of packed data of type F32, F16 or BF16. */
static inline void sg_store_f32(void *data, enum sg_dtype dtype, size_t i, float f)
{
	unsigned char *p = (unsigned char *)data + i * sg_dtypes[dtype].size;
	uint16_t h = dtype == SG_BF16 ? sg_bf16_from_f32(f) : sg_f16_from_f32(f);

	if (dtype == SG_F32)
		memcpy(p, &f, sizeof(f));
	else
		memcpy(p, &h, sizeof(h));
}
SG_C_END
#endif
