#ifndef SG_KERNELS_TILE_H
#define SG_KERNELS_TILE_H
/*
 * The micro-kernel: a tile of mr x nr sums of products held in registers, each
 * one chain of fma in increasing k. A tile that is cut in k is stored and
 * loaded again between the cuts, which changes no bit.
 */
#include "kernels/cpu.h"
SG_C_BEGIN
#if VL == 16
# define MR 12
# define NV 2
#elif VL == 8
# define MR 6
# define NV 2
#else
# define MR 4
# define NV 4
#endif
#define NR (NV * VL)

/*
 * c[i, j] = chain from 0 (first) or from c over k < kc of a[i * ars + k * aks]
 * * b[k * ldb + j], then + bias[j] unless NULL. mr <= MR rows, nr <= NR columns;
 * b is readable up to the next multiple of VL columns, c is touched inside
 * only. `packed`: the same with ars = 1, aks = MR.
 */
struct tile {
	const float *a;
	size_t ars, aks;
	const float *b;
	size_t ldb, kc;
	float *c;
	size_t ldc;
	bool first;
	const float *bias;
};
void SG_CPU(tile)(const struct tile *t, size_t mr, size_t nr);
void SG_CPU(tile_packed)(const struct tile *t, size_t mr, size_t nr);

/* Rows side by side: dst[k * ldd + r] = src[r * lds + k] for r < rows <= width
 * <= VL, zeros from rows to width, widened from dtype. The memory `ahead` bytes
 * further on is asked for in passing: many short rows defeat the processor's
 * own foresight. */
void SG_CPU(pack_rows)(float *dst, size_t ldd, const void *src, enum sg_dtype dtype, size_t lds,
		       size_t rows, size_t width, size_t kc, size_t ahead);
/* dst[i] = src[i] widened, n elements in sequence, not quantised */
void SG_CPU(widen)(float *dst, const void *src, enum sg_dtype dtype, size_t n);
/* dst[i * ldd ...] = elements k .. k + n of row[i], of any dtype; a quantised one
 * wants whole granules. */
void SG_CPU(widen_rows)(float *dst, size_t ldd, const unsigned char *const *row, size_t rows, enum sg_dtype dtype,
			size_t k, size_t n);
SG_C_END
#endif
