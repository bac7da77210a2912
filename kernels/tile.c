#include "kernels/tile.h"

#define INLINE static inline __attribute__((always_inline))

/* mr and nv are constants wherever this is inlined, so acc lives in registers */
INLINE void run(const size_t mr, const size_t nv, const struct tile *t, const size_t ars, const size_t aks)
{
	const float *a = t->a, *b = t->b;
	const size_t ldb = t->ldb, ldc = t->ldc;
	float *c = t->c;
	vf acc[MR][NV];

#pragma GCC unroll 16
	for (size_t i = 0; i < mr; i++)
#pragma GCC unroll 16
		for (size_t j = 0; j < nv; j++)
			acc[i][j] = t->first ? vf_set(0) : vf_load(c + i * ldc + j * VL);
	for (size_t k = t->kc; k; k--) {
		vf bv[NV];

#pragma GCC unroll 16
		for (size_t j = 0; j < nv; j++)
			bv[j] = vf_load(b + j * VL);
#pragma GCC unroll 16
		for (size_t i = 0; i < mr; i++) {
			vf x = vf_set(a[i * ars]);

#pragma GCC unroll 16
			for (size_t j = 0; j < nv; j++)
				acc[i][j] = vf_fma(x, bv[j], acc[i][j]);
		}
		a += aks;
		b += ldb;
	}
	if (t->bias) {
#pragma GCC unroll 16
		for (size_t j = 0; j < nv; j++) {
			vf x = vf_load(t->bias + j * VL);

#pragma GCC unroll 16
			for (size_t i = 0; i < mr; i++)
				acc[i][j] = vf_add(acc[i][j], x);
		}
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < mr; i++)
#pragma GCC unroll 16
		for (size_t j = 0; j < nv; j++)
			vf_store(c + i * ldc + j * VL, acc[i][j]);
}

/* One function for each number of rows and of registers a row. */
#if MR == 12
# define EACH_MR(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv) \
	X(7, nv) X(8, nv) X(9, nv) X(10, nv) X(11, nv) X(12, nv)
#elif MR == 6
# define EACH_MR(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv)
#else
# define EACH_MR(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv)
#endif
#if NV == 2
# define EACH(X) EACH_MR(X, 1) EACH_MR(X, 2)
#else
# define EACH(X) EACH_MR(X, 1) EACH_MR(X, 2) EACH_MR(X, 3) EACH_MR(X, 4)
#endif

#define DEFINE(mr, nv) \
	static void packed_##mr##_##nv(const struct tile *t) { run(mr, nv, t, 1, MR); } \
	static void strided_##mr##_##nv(const struct tile *t) { run(mr, nv, t, t->ars, t->aks); }
EACH(DEFINE)

typedef void (*tile_fn)(const struct tile *t);
#define PACKED(mr, nv) [nv - 1][mr - 1] = packed_##mr##_##nv,
#define STRIDED(mr, nv) [nv - 1][mr - 1] = strided_##mr##_##nv,
static const tile_fn packed[NV][MR] = { EACH(PACKED) };
static const tile_fn strided[NV][MR] = { EACH(STRIDED) };

/* A last column register that is not full goes through a tile of our own. */
static void edge(const struct tile *t, size_t mr, size_t nr, tile_fn fn)
{
	float c[MR * NR] __attribute__((aligned(64))), bias[NR];
	struct tile e = *t;

	if (!t->first)
		for (size_t i = 0; i < mr; i++)
			memcpy(c + i * NR, t->c + i * t->ldc, nr * sizeof(float));
	if (t->bias) {
		memcpy(bias, t->bias, nr * sizeof(float));
		memset(bias + nr, 0, (NR - nr) * sizeof(float));
		e.bias = bias;
	}
	e.c = c;
	e.ldc = NR;
	fn(&e);
	for (size_t i = 0; i < mr; i++)
		memcpy(t->c + i * t->ldc, c + i * NR, nr * sizeof(float));
}

static inline void choose(const struct tile *t, size_t mr, size_t nr, const tile_fn (*table)[MR])
{
	tile_fn fn = table[(nr - 1) / VL][mr - 1];

	if (nr % VL)
		edge(t, mr, nr, fn);
	else
		fn(t);
}

void SG_CPU(tile)(const struct tile *t, size_t mr, size_t nr)
{
	choose(t, mr, nr, strided);
}

void SG_CPU(tile_packed)(const struct tile *t, size_t mr, size_t nr)
{
	choose(t, mr, nr, packed);
}

/* VL elements from one row, widened exactly */
INLINE vf load_as(const void *p, const enum sg_dtype dtype)
{
#if VL == 16
	if (dtype == SG_BF16)
		return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(
				_mm256_loadu_si256((const __m256i *)p)), 16));
	if (dtype == SG_F16)
		return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif VL == 8
	if (dtype == SG_BF16)
		return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(
				_mm_loadu_si128((const __m128i *)p)), 16));
	if (dtype == SG_F16)
		return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
	uint16_t h;

	if (dtype != SG_F32) {
		memcpy(&h, p, sizeof(h));
		return dtype == SG_BF16 ? sg_f32_from_bf16(h) : sg_f32_from_f16(h);
	}
#endif
	return vf_load((const float *)p);
}

static inline float one_as(const void *p, enum sg_dtype dtype)
{
	uint16_t h;
	float f;

	if (dtype == SG_F32) {
		memcpy(&f, p, sizeof(f));
		return f;
	}
	memcpy(&h, p, sizeof(h));
	return dtype == SG_BF16 ? sg_f32_from_bf16(h) : sg_f32_from_f16(h);
}

#if VL == 16
static inline void transpose(vf r[VL])
{
	vf t[16], u[16];

#pragma GCC unroll 16
	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
	}
#define PD(f, a, b) _mm512_castpd_ps(f(_mm512_castps_pd(a), _mm512_castps_pd(b)))
#pragma GCC unroll 16
	for (int i = 0; i < 16; i += 4) {
		u[i] = PD(_mm512_unpacklo_pd, t[i], t[i + 2]);
		u[i + 1] = PD(_mm512_unpackhi_pd, t[i], t[i + 2]);
		u[i + 2] = PD(_mm512_unpacklo_pd, t[i + 1], t[i + 3]);
		u[i + 3] = PD(_mm512_unpackhi_pd, t[i + 1], t[i + 3]);
	}
#undef PD
#pragma GCC unroll 16
	for (int c = 0; c < 4; c++) {
		vf a = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88);
		vf b = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
		vf e = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);
		vf f = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);

		r[c] = _mm512_shuffle_f32x4(a, b, 0x88);
		r[c + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
		r[c + 4] = _mm512_shuffle_f32x4(e, f, 0x88);
		r[c + 12] = _mm512_shuffle_f32x4(e, f, 0xdd);
	}
}

static inline void store_part(float *p, vf a, size_t width)
{
	_mm512_mask_storeu_ps(p, (__mmask16)((1u << width) - 1), a);
}
#elif VL == 8
static inline void transpose(vf r[VL])
{
	vf t[8], u[8];

#pragma GCC unroll 8
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
#pragma GCC unroll 8
	for (int i = 0; i < 8; i += 4) {
		u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
#pragma GCC unroll 8
	for (int c = 0; c < 4; c++) {
		r[c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
		r[c + 4] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
	}
}

static inline void store_part(float *p, vf a, size_t width)
{
	float tmp[VL];

	if (width == 6) {	/* MR: an ordinary panel of the left factor */
		_mm_storeu_ps(p, _mm256_castps256_ps128(a));
		_mm_storel_pi((__m64 *)(p + 4), _mm256_extractf128_ps(a, 1));
		return;
	}
	vf_store(tmp, a);
	memcpy(p, tmp, width * sizeof(float));
}
#endif

INLINE void pack_rows(float *dst, size_t ldd, const unsigned char *src, const enum sg_dtype dtype,
		      size_t lds, size_t rows, size_t width, size_t kc, size_t ahead)
{
	const size_t size = dtype == SG_F32 ? 4 : 2;
	size_t k = 0;

#if VL > 1
	for (; k + VL <= kc; k += VL) {
		vf r[VL];

#pragma GCC unroll 16
		for (size_t i = 0; i < VL; i++)
			r[i] = i < rows ? load_as(src + (i * lds + k) * size, dtype) : vf_set(0);
		if (ahead)
#pragma GCC unroll 16
			for (size_t i = 0; i < VL; i++)
				__builtin_prefetch((const void *)((uintptr_t)(src + k * size) + i * lds * size + ahead), 0, 2);
		transpose(r);
		if (width == VL) {
#pragma GCC unroll 16
			for (size_t i = 0; i < VL; i++)
				vf_store(dst + (k + i) * ldd, r[i]);
		} else {
#pragma GCC unroll 16
			for (size_t i = 0; i < VL; i++)
				store_part(dst + (k + i) * ldd, r[i], width);
		}
	}
#endif
	(void)ahead;
	for (; k < kc; k++)
		for (size_t i = 0; i < width; i++)
			dst[k * ldd + i] = i < rows ? one_as(src + (i * lds + k) * size, dtype) : 0;
}

INLINE void widen(float *dst, const unsigned char *src, const enum sg_dtype dtype, size_t n)
{
	const size_t size = dtype == SG_F32 ? 4 : 2;
	size_t i = 0;

	for (; i + VL <= n; i += VL)
		vf_store(dst + i, load_as(src + i * size, dtype));
	for (; i < n; i++)
		dst[i] = one_as(src + i * size, dtype);
}

void SG_CPU(pack_rows)(float *dst, size_t ldd, const void *src, enum sg_dtype dtype, size_t lds,
		       size_t rows, size_t width, size_t kc, size_t ahead)
{
	if (dtype == SG_BF16)
		pack_rows(dst, ldd, src, SG_BF16, lds, rows, width, kc, ahead);
	else if (dtype == SG_F16)
		pack_rows(dst, ldd, src, SG_F16, lds, rows, width, kc, ahead);
	else
		pack_rows(dst, ldd, src, SG_F32, lds, rows, width, kc, ahead);
}

void SG_CPU(widen)(float *dst, const void *src, enum sg_dtype dtype, size_t n)
{
	if (dtype == SG_BF16)
		widen(dst, src, SG_BF16, n);
	else if (dtype == SG_F16)
		widen(dst, src, SG_F16, n);
	else
		widen(dst, src, SG_F32, n);
}
