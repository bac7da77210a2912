/* Rounding to the half types: every value comes back, ties go to even. */
#include "base/dtype.h"
#include "tests/test.h"
#include <math.h>

typedef float widen_fn(uint16_t h);
typedef uint16_t round_fn(float f);

/* Every finite value, and between it and its neighbour just below, at and just above
 * the middle. */
static bool agrees(widen_fn *widen, round_fn *round, uint16_t inf)
{
	for (uint32_t sign = 0; sign < 2; sign++)
		for (uint32_t h = 0; h < inf; h++) {
			uint16_t lo = (uint16_t)(h | sign << 15), hi = (uint16_t)(lo + 1);
			float a = widen(lo), b = widen(hi), mid;

			if (round(a) != lo)
				return false;
			if (h + 1 == inf)
				b = 2 * a - widen((uint16_t)(lo - 1));	/* where the next one would be */
			if (isinf(b))
				continue;
			mid = a + (b - a) / 2;
			if (round(mid) != (lo & 1 ? hi : lo))
				return false;
			if (round(nextafterf(mid, a)) != lo || round(nextafterf(mid, b)) != hi)
				return false;
		}
	return true;
}

TEST(dtype_f16)
{
	CHECK(agrees(sg_f32_from_f16, sg_f16_from_f32, 0x7c00));
	CHECK(sg_f16_from_f32(INFINITY) == 0x7c00 && sg_f16_from_f32(-INFINITY) == 0xfc00);
	CHECK(sg_f16_from_f32(1e30f) == 0x7c00 && sg_f16_from_f32(1e-30f) == 0 && sg_f16_from_f32(-1e-30f) == 0x8000);
	CHECK(isnan(sg_f32_from_f16(sg_f16_from_f32(NAN))));
}

TEST(dtype_bf16)
{
	CHECK(agrees(sg_f32_from_bf16, sg_bf16_from_f32, 0x7f80));
	CHECK(sg_bf16_from_f32(INFINITY) == 0x7f80 && sg_bf16_from_f32(3.4e38f) == 0x7f80);
	CHECK(isnan(sg_f32_from_bf16(sg_bf16_from_f32(NAN))));
}

TEST(dtype_store)
{
	unsigned char b[12];
	struct sg_mat m = { .data = b, .dtype = SG_F32, .rows = 1, .cols = 3 };
	static const enum sg_dtype types[] = { SG_F32, SG_F16, SG_BF16 };

	for (size_t k = 0; k < SG_LEN(types); k++) {
		m.dtype = types[k];
		for (size_t i = 0; i < 3; i++)
			sg_store_f32(b, types[k], i, 1.5f * (float)(i + 1));
		for (size_t i = 0; i < 3; i++)
			CHECK(sg_mat_at(&m, i) == 1.5f * (float)(i + 1));
	}
}
