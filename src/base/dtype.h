#ifndef SG_BASE_DTYPE_H
#define SG_BASE_DTYPE_H
#include "base/base.h"
SG_C_BEGIN
/*
 * Element types, named as safetensors and GGUF name them, stored little endian:
 * name, elements of a block, bytes of a block. Types with blocks of more than one
 * element are the quantised ones (base/quant.h); a row is a whole number of blocks.
 */
#define SG_QTYPES(X) \
	X(Q8_0, 32, 34) X(Q4_0, 32, 18) X(Q4_1, 32, 20) X(Q5_0, 32, 22) X(Q5_1, 32, 24) \
	X(Q4_K, 256, 144) X(Q5_K, 256, 176) X(Q6_K, 256, 210)
#define SG_DTYPES(X) \
	X(F32, 1, 4) X(F16, 1, 2) X(BF16, 1, 2) X(F64, 1, 8) X(I64, 1, 8) X(I32, 1, 4) X(I16, 1, 2) X(I8, 1, 1) \
	X(U64, 1, 8) X(U32, 1, 4) X(U16, 1, 2) X(U8, 1, 1) X(BOOL, 1, 1) SG_QTYPES(X)

enum sg_dtype {
#define X(name, block, size) SG_##name,
	SG_DTYPES(X)
#undef X
	SG_DTYPE_COUNT
};

static const struct { const char *name; size_t block, size; } sg_dtypes[SG_DTYPE_COUNT] = {
#define X(name, block, size) { #name, block, size },
	SG_DTYPES(X)
#undef X
};

SG_HD bool sg_dtype_quantised(enum sg_dtype t)
{
	return t >= SG_Q8_0 && t < SG_DTYPE_COUNT;
}

/* Can a weight have it? (such types widen exactly to f32) */
static inline bool sg_dtype_weight(enum sg_dtype t)
{
	return t == SG_F32 || t == SG_F16 || t == SG_BF16 || sg_dtype_quantised(t);
}

/* Bytes of n elements, n a whole number of blocks. */
static inline size_t sg_dtype_bytes(enum sg_dtype t, size_t n)
{
	return n / sg_dtypes[t].block * sg_dtypes[t].size;
}

#define SG_DIMS 4	/* most dimensions of a tensor that the engine handles */

/*
 * A matrix or vector in memory, borrowed, in its stored dtype. rows x cols,
 * row-major, packed where ld is 0; a vector has rows = 1. Else it is a view of
 * a larger matrix whose rows hold ld elements, and element (r, c) is at
 *	c * ld + r				turned: stored as its transpose
 *	(r / group * gap + r % group) * ld + c	rows in groups, gap rows apart
 *	r * ld + c				group 0
 * Before all that, rows may lie in another order: with `pair` not 0, of each
 * 2 * pair rows (a head), row j * pair + i with j < 2 stands where 2 * i + j
 * would, as the llama architecture of GGUF has its q and k.
 * The operations of the CPU take packed matrices, paired or not, and turned ones;
 * sg_mat_pack makes a packed one, in order, of any.
 */
struct sg_mat {
	const void *data;
	enum sg_dtype dtype;
	size_t rows, cols;
	size_t ld, group, gap;
	bool turned;
	size_t pair;
};

static inline size_t sg_mat_row(const struct sg_mat *m, size_t r)
{
	size_t h = m->pair, in;

	if (!h)
		return r;
	in = r % (2 * h);
	return r - in + (in < h ? 2 * in : 2 * (in - h) + 1);
}

/* Bytes of it packed. */
static inline size_t sg_mat_bytes(const struct sg_mat *m)
{
	return sg_dtype_bytes(m->dtype, m->rows * m->cols);
}

/* Where element i, counted row by row, is stored. */
static inline size_t sg_mat_index(const struct sg_mat *m, size_t i)
{
	size_t r, c;

	if (!m->ld && !m->pair)
		return i;
	r = sg_mat_row(m, i / m->cols);
	c = i % m->cols;
	if (!m->ld)
		return r * m->cols + c;
	if (m->turned)
		return c * m->ld + r;
	return (m->group ? r / m->group * m->gap + r % m->group : r) * m->ld + c;
}

/* One element widened exactly to f32 (F32, F16, BF16 only). */
SG_HD float sg_f32_from_bf16(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

SG_HD float sg_f32_from_f16(uint16_t h)
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

/* Element i of packed data of a quantised type (quant.c). */
float sg_quant_at(const void *data, enum sg_dtype dtype, size_t i);
/* out[cols] = row r widened (quant.c): the way to read more than a few elements. */
void sg_mat_widen(float *out, const struct sg_mat *m, size_t r);

/* Element i in order of rows. */
static inline float sg_mat_at(const struct sg_mat *m, size_t i)
{
	const unsigned char *p;
	uint16_t h;
	float f;

	i = sg_mat_index(m, i);
	if (sg_dtype_quantised(m->dtype))
		return sg_quant_at(m->data, m->dtype, i);
	p = (const unsigned char *)m->data + i * sg_dtypes[m->dtype].size;
	if (m->dtype == SG_F32) {
		memcpy(&f, p, sizeof(f));
		return f;
	}
	memcpy(&h, p, sizeof(h));
	return m->dtype == SG_BF16 ? sg_f32_from_bf16(h) : sg_f32_from_f16(h);
}

/* The elements of m one after another, and back to where m's are in `stored`.
 * Quantised blocks go as they are; such a matrix is not turned. */
static inline void sg_mat_pack(void *out, const struct sg_mat *m)
{
	size_t size = sg_dtypes[m->dtype].size, row = sg_dtype_bytes(m->dtype, m->cols);
	char *p = (char *)out;	/* C++ reads this too */

	if (!m->turned) {
		for (size_t r = 0; r < m->rows; r++, p += row)
			memcpy(p, (const char *)m->data + sg_dtype_bytes(m->dtype, sg_mat_index(m, r * m->cols)), row);
		return;
	}
	for (size_t i = 0; i < m->rows * m->cols; i++, p += size)
		memcpy(p, (const char *)m->data + sg_mat_index(m, i) * size, size);
}

static inline void sg_mat_unpack(void *stored, const struct sg_mat *m, const void *packed)
{
	size_t size = sg_dtypes[m->dtype].size, block = sg_dtypes[m->dtype].block;

	for (size_t i = 0; i < m->rows * m->cols / block; i++)
		memcpy((char *)stored + sg_mat_index(m, i * block) / block * size, (const char *)packed + i * size, size);
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
