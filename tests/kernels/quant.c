/*
 * Quantised and paired matrices give the bits of the same matrix in f32, packed
 * in order: in products both ways and in rows of a table, on every instruction set.
 */
#include "base/error.h"
#include "base/quant.h"
#include "tests/kernels/kt.h"

static const enum sg_dtype types[] = {
	SG_F32, SG_F16, SG_BF16,
#define X(name, block, size) SG_##name,
	SG_QTYPES(X)
#undef X
};

/* The same numbers as f32, in order. */
static struct sg_mat plain(struct kt *t, const struct sg_mat *w)
{
	struct sg_mat was = *w;
	float *out = kt_in(t, w->rows * w->cols, 1), *host = NULL;

	was.data = kt_was(t, w->data);
	host = malloc(w->rows * w->cols * sizeof(float));
	if (!host)
		abort();
	for (size_t r = 0; r < w->rows; r++)
		sg_mat_widen(host + r * w->cols, &was, r);
	memcpy((float *)(uintptr_t)kt_was(t, out), host, w->rows * w->cols * sizeof(float));
	t->d.be->put(&t->d, out, host, w->rows * w->cols * sizeof(float));
	free(host);
	return (struct sg_mat){ .data = out, .dtype = SG_F32, .rows = w->rows, .cols = w->cols };
}

static void product(struct kt *t, enum sg_dtype dtype, size_t N, size_t E, size_t D, size_t pair)
{
	struct sg_mat w = kt_mat(t, dtype, E, D, 0.5f), f;
	float *x = kt_in(t, N * D, 1), *dy = kt_in(t, N * E, 1);
	float *y = kt_out(t, N * E), *want = kt_out(t, N * E), *dx = kt_out(t, N * D), *dwant = kt_out(t, N * D);

	w.pair = pair;
	f = plain(t, &w);
	kt_done(t, SG_CALL(&t->d, linear_fwd, y, x, &w, NULL, N, E, D, false), "linear_fwd");
	kt_done(t, SG_CALL(&t->d, linear_dx, dx, dy, &w, N, E, D, false), "linear_dx");
	kt_done(t, SG_CALL(&t->d, linear_fwd, want, x, &f, NULL, N, E, D, false), "linear_fwd f32");
	kt_done(t, SG_CALL(&t->d, linear_dx, dwant, dy, &f, N, E, D, false), "linear_dx f32");
	if (memcmp(kt_got(t, y), kt_got(t, want), N * E * sizeof(float)))
		kt_limit(t, sg_dtypes[dtype].name, 1, 0);
	if (memcmp(kt_got(t, dx), kt_got(t, dwant), N * D * sizeof(float)))
		kt_limit(t, sg_dtypes[dtype].name, 2, 0);
	kt_clear(t);
}

KT_TEST(quant_linear)
{
	/* few rows, few columns, blocked; with and without a rest in every direction */
	static const struct { size_t N, E, D; } sizes[] = {
		{ 1, 40, 256 }, { 7, 17, 512 }, { 29, 4, 256 }, { 61, 130, 768 },
	};

	for (size_t m = 0; m < SG_LEN(types); m++) {
		for (size_t i = 0; i < SG_LEN(sizes); i++)
			product(t, types[m], sizes[i].N, sizes[i].E, sizes[i].D, 0);
		if (sg_dtypes[types[m]].block == 32) {
			product(t, types[m], 30, 100, 32, 0);
			product(t, types[m], 5, 70, 288, 0);
			product(t, types[m], 64, 97, 672, 0);
		}
	}
}

KT_TEST(quant_pairs)
{
	static const struct { size_t N, E, pair; } sizes[] = { { 2, 64, 4 }, { 40, 192, 32 }, { 40, 66, 33 }, { 40, 6, 1 } };

	for (size_t m = 0; m < SG_LEN(types); m++)
		for (size_t i = 0; i < SG_LEN(sizes); i++)
			if (kt_cpu_only(t))
				product(t, types[m], sizes[i].N, sizes[i].E, 256, sizes[i].pair);
	if (kt_cpu_only(t))
		product(t, SG_F32, 40, 6, 1, 3);
}

KT_TEST(quant_rows)
{
	enum { V = 9, D = 512 };
	static const int32_t ids[] = { 8, 0, 3, 3 };

	for (size_t m = 0; m < SG_LEN(types); m++) {
		struct sg_mat w = kt_mat(t, types[m], V, D, 1), f = plain(t, &w);
		float *out = kt_out(t, SG_LEN(ids) * D);
		int32_t *at = kt_ints(t, ids, SG_LEN(ids));

		kt_done(t, SG_CALL(&t->d, embed_fwd, out, &w, at, SG_LEN(ids), D), "embed_fwd");
		for (size_t i = 0; i < SG_LEN(ids); i++)
			if (memcmp(kt_got(t, out) + i * D, kt_was(t, f.data) + (size_t)ids[i] * D, D * sizeof(float)))
				kt_limit(t, sg_dtypes[types[m]].name, 1, 0);
		kt_clear(t);
	}
}

/* A row that ends within a block is refused, not read past. */
KT_TEST(quant_cut)
{
	struct sg_mat w = kt_mat(t, SG_Q4_K, 2, 256, 1);
	float *y = kt_out(t, 4), *x = kt_in(t, 64, 1);
	int32_t id = 0, *at = kt_ints(t, &id, 1);

	if (SG_CALL(&t->d, linear_fwd, y, x, &w, NULL, 2, 2, 32, false) != -SG_E_UNSUPPORTED ||
	    SG_CALL(&t->d, embed_fwd, y, &w, at, 1, 32) != -SG_E_UNSUPPORTED)
		kt_limit(t, "a cut block", 1, 0);
	kt_clear(t);
}
