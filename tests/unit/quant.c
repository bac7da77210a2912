/* Quantised blocks against what the reference makes of them (tests/golden/quant.py). */
#include "base/quant.h"
#include "base/file.h"
#include "format/tensors.h"
#include "tests/test.h"
#include <math.h>

static const enum sg_dtype types[] = {
#define X(name, block, size) SG_##name,
	SG_QTYPES(X)
#undef X
};

TEST(quant_golden)
{
	const struct sg_tensor_info *raw, *want;
	struct sg_map map = { 0 };
	struct sg_tensors t;
	char name[16];
	float row[1024];

	PASS(sg_map_open(&map, "tests/golden/quant.safetensors"));
	PASS(sg_tensors_parse(&t, map.data, map.size, "quant.safetensors"));
	CHECK(t.n == 2 * SG_LEN(types));
	for (size_t i = 0; i < SG_LEN(types); i++) {
		struct sg_mat m = { .dtype = types[i], .rows = 1, .cols = 1024 };

		snprintf(name, sizeof(name), "%s.raw", sg_dtypes[types[i]].name);
		PASS(sg_tensors_find(&raw, &t, name));
		snprintf(name, sizeof(name), "%s.f32", sg_dtypes[types[i]].name);
		PASS(sg_tensors_find(&want, &t, name));
		CHECK(raw->bytes == sg_mat_bytes(&m) && want->bytes == sizeof(row));
		m.data = raw->data;
		sg_mat_widen(row, &m, 0);
		CHECK(!memcmp(row, want->data, sizeof(row)));
		for (size_t k = 0; k < 1024; k += 37) {
			float v = sg_mat_at(&m, k);

			CHECK(!memcmp(&v, row + k, sizeof(v)));
		}
		CHECK(sg_quant_finite(m.data, types[i], 1024));
	}
	sg_tensors_release(&t);
	sg_map_release(&map);
}

/* One scale that is not finite, wherever it stands, is seen. */
TEST(quant_finite)
{
	static const struct { enum sg_dtype type; size_t at[2]; } scale[] = {
		{ SG_Q8_0, { 0, 0 } }, { SG_Q4_0, { 0, 0 } }, { SG_Q4_1, { 0, 2 } }, { SG_Q5_0, { 0, 0 } },
		{ SG_Q5_1, { 0, 2 } }, { SG_Q4_K, { 0, 2 } }, { SG_Q5_K, { 0, 2 } }, { SG_Q6_K, { 208, 208 } },
	};
	static const uint16_t bad[] = { 0x7c00, 0xfc00, 0x7e00, 0xfc01 };
	unsigned char b[2 * 256];

	CHECK(SG_LEN(scale) == SG_LEN(types));
	for (size_t i = 0; i < SG_LEN(scale); i++)
		for (size_t k = 0; k < 2 * SG_LEN(bad); k++) {
			size_t block = sg_dtypes[scale[i].type].block, size = sg_dtypes[scale[i].type].size;

			memset(b, 0x77, sizeof(b));	/* as scales, large and finite */
			CHECK(sg_quant_finite(b, scale[i].type, 2 * block / (block == 256 ? 2 : 1)));
			memcpy(b + (block == 32 ? size : 0) + scale[i].at[k & 1], &bad[k / 2], 2);
			CHECK(!sg_quant_finite(b, scale[i].type, 2 * block / (block == 256 ? 2 : 1)));
		}
}

TEST(quant_row_order)
{
	float v[12];
	struct sg_mat m = { .data = v, .dtype = SG_F32, .rows = 12, .cols = 1, .pair = 3 };
	/* of two heads: stored rows 2 i + j are rows j * 3 + i */
	static const float want[12] = { 0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11 };
	float got;

	for (int i = 0; i < 12; i++)
		v[i] = (float)i;
	for (size_t r = 0; r < 12; r++) {
		sg_mat_widen(&got, &m, r);
		CHECK(got == want[r] && sg_mat_at(&m, r) == want[r]);
	}
}
