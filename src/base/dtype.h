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

/*
 * A matrix or vector in memory, borrowed, in its stored dtype. rows x cols,
 * row-major, packed where ld is 0; a vector has rows = 1. Else it is a view of
 * a larger matrix whose rows hold ld elements, and element (r, c) is at
 *	c * ld + r				turned: stored as its transpose
 *	(r / group * gap + r % group) * ld + c	rows in groups, gap rows apart
 *	r * ld + c				group 0
 * The operations of the CPU take packed matrices and turned ones; sg_mat_pack
 * makes the first of any.
 */
struct sg_mat {
	const void *data;
	enum sg_dtype dtype;
	size_t rows, cols;
	size_t ld, group, gap;
	bool turned;
};

/* Where element i, counted row by row, is stored. */
static inline size_t sg_mat_index(const struct sg_mat *m, size_t i)
{
	size_t r, c;

	if (!m->ld)
		return i;
	r = i / m->cols;
	c = i % m->cols;
	if (m->turned)
		return c * m->ld + r;
	return (m->group ? r / m->group * m->gap + r % m->group : r) * m->ld + c;
}

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
	const unsigned char *p = (const unsigned char *)m->data + sg_mat_index(m, i) * sg_dtypes[m->dtype].size;
	uint16_t h;
	float f;

	if (m->dtype == SG_F32) {
		memcpy(&f, p, sizeof(f));
		return f;
	}
	memcpy(&h, p, sizeof(h));
	return m->dtype == SG_BF16 ? sg_f32_from_bf16(h) : sg_f32_from_f16(h);
}

/* The elements of m one after another, and back to where m's are in `stored`. */
static inline void sg_mat_pack(void *out, const struct sg_mat *m)
{
	size_t size = sg_dtypes[m->dtype].size;

	for (size_t i = 0; i < m->rows * m->cols; i++)
		memcpy((char *)out + i * size, (const char *)m->data + sg_mat_index(m, i) * size, size);
}

static inline void sg_mat_unpack(void *stored, const struct sg_mat *m, const void *packed)
{
	size_t size = sg_dtypes[m->dtype].size;

	for (size_t i = 0; i < m->rows * m->cols; i++)
		memcpy((char *)stored + sg_mat_index(m, i) * size, (const char *)packed + i * size, size);
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
