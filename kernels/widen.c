/* Quantised rows to f32, compiled for each instruction set; base/quant.h has the layouts. */
#include "kernels/tile.h"
#include "base/quant.h"

#define ONE(name, block, size) \
	static void rows_##name(float *dst, size_t ldd, const unsigned char *const *row, size_t rows, size_t k, size_t n) \
	{ \
		for (size_t i = 0; i < rows; i++) \
			for (size_t g = 0; g < n / SG_GRANULE; g++) \
				sg_quant_granule(dst + i * ldd + g * SG_GRANULE, row[i], SG_##name, \
						 k / SG_GRANULE + g); \
	}
SG_QTYPES(ONE)
#undef ONE

void SG_CPU(widen_rows)(float *dst, size_t ldd, const unsigned char *const *row, size_t rows, enum sg_dtype dtype,
			size_t k, size_t n)
{
	switch (dtype) {
#define ONE(name, block, size) case SG_##name: rows_##name(dst, ldd, row, rows, k, n); break;
	SG_QTYPES(ONE)
#undef ONE
	default:
		for (size_t i = 0; i < rows; i++)
			SG_CPU(widen)(dst + i * ldd, row[i] + k * sg_dtypes[dtype].size, dtype, n);
	}
}
