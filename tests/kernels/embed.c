#include "base/error.h"
#include "tests/kernels/kt.h"

static void fwd(struct kt *t, size_t V, size_t D, enum sg_dtype dtype)
{
	int32_t ids[] = { 0, 2, 2, (int32_t)V - 1, 1, 0, 2 };
	size_t N = SG_LEN(ids);
	float *out = kt_out(t, N * D);
	struct sg_mat w = kt_mat(t, dtype, V, D, 1), was = w;
	int32_t *at = kt_ints(t, ids, N);

	kt_done(t, SG_CALL(&t->d, embed_fwd, out, &w, at, N, D), "embed_fwd");
	was.data = kt_was(t, w.data);
	for (size_t i = 0; i < N * D; i++)
		if (kt_got(t, out)[i] != sg_mat_at(&was, (size_t)ids[i / D] * D + i % D))
			kt_limit(t, "embed_fwd", 1, 0);
	kt_clear(t);
}

KT_TEST(embed_fwd)
{
	static const enum sg_dtype type[] = { SG_F32, SG_F16, SG_BF16 };

	for (size_t m = 0; m < SG_LEN(type); m++) {
		fwd(t, 3, 1, type[m]);
		fwd(t, 11, 37, type[m]);
		fwd(t, 5, 300, type[m]);
	}
}

KT_TEST(embed_range)
{
	int32_t bad[] = { 0, 3, -1 };

	for (int k = 1; k < 3; k++) {
		float *out = kt_out(t, 2 * 4);
		struct sg_mat w = kt_mat(t, SG_F32, 3, 4, 1);
		int32_t ids[] = { 0, bad[k] }, *at = kt_ints(t, ids, 2);

		if (kt_answer(t, SG_CALL(&t->d, embed_fwd, out, &w, at, 2, 4), out) != -SG_E_CORRUPT)
			kt_limit(t, "an id outside the table", 1, 0);
		kt_clear(t);
	}
}

KT_TEST(embed_bwd)
{
	enum { V = 5, D = 131, N = 40 };
	int32_t ids[N], *at;
	float *dw = kt_inout(t, V * D, 1), *dout = kt_in(t, N * D, 1), want[V * D];

	for (int32_t i = 0; i < N; i++)
		ids[i] = i * i % V;
	at = kt_ints(t, ids, N);
	kt_done(t, SG_CALL(&t->d, embed_bwd, dw, dout, at, N, D), "embed_bwd");
	memcpy(want, kt_was(t, dw), sizeof(want));
	for (size_t i = 0; i < N * D; i++)	/* token order, one addition each */
		want[(size_t)ids[i / D] * D + i % D] += kt_was(t, dout)[i];
	if (memcmp(want, kt_got(t, dw), sizeof(want)))
		kt_limit(t, "embed_bwd", 1, 0);
	kt_clear(t);
}

static void pos(struct kt *t, size_t D, enum sg_dtype dtype, size_t first)
{
	int32_t begin[] = { 0, 0, 0, 3, 4, 4 }, *b = kt_ints(t, begin, SG_LEN(begin));
	size_t N = SG_LEN(begin);
	float *x = kt_inout(t, N * D, 1);
	struct sg_mat w = kt_mat(t, dtype, 3 + first, D, 1), was = w;

	kt_done(t, SG_CALL(&t->d, pos_fwd, x, &w, b, first, N, D), "pos_fwd");
	was.data = kt_was(t, w.data);
	for (size_t i = 0; i < N * D; i++) {
		size_t row = first + i / D - (size_t)begin[i / D];

		if (kt_got(t, x)[i] != kt_was(t, x)[i] + sg_mat_at(&was, row * D + i % D))
			kt_limit(t, "pos_fwd", 1, 0);
	}
	kt_clear(t);
}

KT_TEST(pos_fwd)
{
	pos(t, 1, SG_F32, 0);
	pos(t, 37, SG_F16, 2);
	pos(t, 300, SG_BF16, 0);
}

KT_TEST(pos_range)
{
	int32_t begin[] = { 0, 0, 0 }, *b = kt_ints(t, begin, 3);
	float *x = kt_inout(t, 3 * 4, 1);
	struct sg_mat w = kt_mat(t, SG_F32, 3, 4, 1);

	if (kt_answer(t, SG_CALL(&t->d, pos_fwd, x, &w, b, 1, 3, 4), x) != -SG_E_CORRUPT)
		kt_limit(t, "a position past the table", 1, 0);
	kt_clear(t);
}
