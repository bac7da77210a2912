#include "base/quant.h"

float sg_quant_at(const void *data, enum sg_dtype dtype, size_t i)
{
	float v[SG_GRANULE];

	sg_quant_granule(v, data, dtype, i / SG_GRANULE);
	return v[i % SG_GRANULE];
}

void sg_mat_widen(float *out, const struct sg_mat *m, size_t r)
{
	struct sg_mat row = { .dtype = m->dtype, .rows = 1, .cols = m->cols };

	if (m->turned) {
		for (size_t i = 0; i < m->cols; i++)
			out[i] = sg_mat_at(m, r * m->cols + i);
		return;
	}
	row.data = (const char *)m->data + sg_dtype_bytes(m->dtype, sg_mat_index(m, r * m->cols));
	if (m->dtype == SG_F32) {
		memcpy(out, row.data, m->cols * sizeof(float));
	} else if (sg_dtype_quantised(m->dtype)) {
		for (size_t g = 0; g < m->cols / SG_GRANULE; g++)
			sg_quant_granule(out + g * SG_GRANULE, row.data, m->dtype, g);
	} else {
		for (size_t i = 0; i < m->cols; i++)
			out[i] = sg_mat_at(&row, i);
	}
}

static bool finite_f16(const unsigned char *p)
{
	return (p[1] & 0x7c) != 0x7c;
}

bool sg_quant_finite(const void *data, enum sg_dtype type, size_t n)
{
	const unsigned char *b = data;
	size_t size = sg_dtypes[type].size, d = type == SG_Q6_K ? 208 : 0;
	bool two = type == SG_Q4_1 || type == SG_Q5_1 || type == SG_Q4_K || type == SG_Q5_K;

	for (size_t i = 0; i < n / sg_dtypes[type].block; i++, b += size)
		if (!finite_f16(b + d) || (two && !finite_f16(b + 2)))
			return false;
	return true;
}
