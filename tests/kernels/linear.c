#include "base/error.h"
#include "base/fmath.h"
#include "tests/kernels/kt.h"

/* Error of a chain of k roundings with random signs, with room to spare. */
#define LIMIT 2e-6

static const struct { size_t N, E, D; } sizes[] = {
	{ 1, 1, 1 }, { 1, 40, 7 }, { 2, 33, 70 }, { 7, 17, 31 }, { 5, 64, 400 },
	{ 13, 16, 67 }, { 29, 4, 50 }, { 64, 8, 130 }, { 37, 97, 5 }, { 61, 129, 83 },
	{ 97, 67, 331 }, { 26, 70, 661 }, { 200, 70, 64 }, { 3, 5, 0 }, { 0, 5, 4 },
};

/* The weight itself, or a view of one stored as [D, ld] from some column on. */
static struct sg_mat weight(struct kt *t, enum sg_dtype dtype, size_t E, size_t D, bool turned)
{
	size_t ld = E + 5;
	struct sg_mat w = turned ? kt_mat(t, dtype, D, ld, 0.5f) : kt_mat(t, dtype, E, D, 0.5f);

	if (turned) {
		w.rows = E;
		w.cols = D;
		w.ld = ld;
		w.turned = true;
	}
	return w;
}

static void fwd(struct kt *t, size_t N, size_t E, size_t D, enum sg_dtype dtype, bool bias, bool add, bool turned)
{
	float *x = kt_in(t, N * D, 1), *y, *b = kt_in(t, E, 1);
	struct sg_mat w = weight(t, dtype, E, D, turned), was;
	double *want = NULL;

	y = add ? kt_inout(t, N * E, 1) : kt_out(t, N * E);
	kt_done(t, SG_CALL(&t->d, linear_fwd, y, x, &w, bias ? b : NULL, N, E, D, add), "linear_fwd");
	if (!kt_ref(t))
		goto out;
	want = kt_doubles(N * E);
	was = w;
	was.data = kt_was(t, w.data);
	for (size_t i = 0; i < N * E; i++) {
		want[i] = (bias ? (double)kt_was(t, b)[i % E] : 0) + (add ? (double)kt_was(t, y)[i] : 0);
		for (size_t k = 0; k < D; k++)
			want[i] += (double)kt_was(t, x)[i / E * D + k] * (double)sg_mat_at(&was, i % E * D + k);
	}
	kt_limit(t, "linear_fwd", kt_err(kt_got(t, y), want, N * E), LIMIT);
out:
	free(want);
	kt_clear(t);
}

KT_TEST(linear_fwd)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++)
		for (unsigned m = 0; m < 8; m++) {
			static const enum sg_dtype type[] = { SG_F32, SG_F16, SG_BF16, SG_F32 };

			if (m < 4 || kt_cpu_only(t))
				fwd(t, sizes[i].N, sizes[i].E, sizes[i].D, type[m & 3], m & 1, m & 2, m >= 4);
		}
}

static void dx(struct kt *t, size_t N, size_t E, size_t D, enum sg_dtype dtype, bool add, bool turned)
{
	float *dy = kt_in(t, N * E, 1), *out;
	struct sg_mat w = weight(t, dtype, E, D, turned), was;
	double *want = NULL;

	out = add ? kt_inout(t, N * D, 1) : kt_out(t, N * D);
	kt_done(t, SG_CALL(&t->d, linear_dx, out, dy, &w, N, E, D, add), "linear_dx");
	if (!kt_ref(t))
		goto out;
	want = kt_doubles(N * D);
	was = w;
	was.data = kt_was(t, w.data);
	for (size_t i = 0; i < N * D; i++) {
		want[i] = add ? (double)kt_was(t, out)[i] : 0;
		for (size_t e = 0; e < E; e++)
			want[i] += (double)kt_was(t, dy)[i / D * E + e] * (double)sg_mat_at(&was, e * D + i % D);
	}
	kt_limit(t, "linear_dx", kt_err(kt_got(t, out), want, N * D), LIMIT);
out:
	free(want);
	kt_clear(t);
}

KT_TEST(linear_dx)
{
	static const enum sg_dtype type[] = { SG_F32, SG_F16, SG_BF16 };

	for (size_t i = 0; i < SG_LEN(sizes); i++)
		for (unsigned m = 0; m < 6; m++)
			if (m < 3 || kt_cpu_only(t))
				dx(t, sizes[i].N, sizes[i].E, sizes[i].D, type[m % 3], m == 1 || m == 5, m >= 3);
}

static void dw(struct kt *t, size_t N, size_t E, size_t D, bool bias)
{
	float *dy = kt_in(t, N * E, 1), *x = kt_in(t, N * D, 1);
	float *out = kt_inout(t, E * D, 1), *db = kt_inout(t, E, 1);
	double *want = NULL, *wantb = NULL;

	kt_done(t, SG_CALL(&t->d, linear_dw, out, bias ? db : NULL, dy, x, N, E, D), "linear_dw");
	if (!kt_ref(t))
		goto out;
	want = kt_doubles(E * D);
	wantb = kt_doubles(E);
	for (size_t i = 0; i < E * D; i++) {
		want[i] = (double)kt_was(t, out)[i];
		for (size_t n = 0; n < N; n++)
			want[i] += (double)kt_was(t, dy)[n * E + i / D] * (double)kt_was(t, x)[n * D + i % D];
	}
	for (size_t e = 0; e < E; e++) {
		wantb[e] = (double)kt_was(t, db)[e];
		for (size_t n = 0; bias && n < N; n++)
			wantb[e] += (double)kt_was(t, dy)[n * E + e];
	}
	kt_limit(t, "linear_dw", kt_err(kt_got(t, out), want, E * D), LIMIT);
	kt_limit(t, "linear_dw bias", kt_err(kt_got(t, db), wantb, E), LIMIT);
out:
	free(want);
	free(wantb);
	kt_clear(t);
}

KT_TEST(linear_dw)
{
	for (size_t i = 0; i < SG_LEN(sizes); i++)
		dw(t, sizes[i].N, sizes[i].E, sizes[i].D, i & 1);
}

/* The definition itself: one chain of fma over k, bias last; and rows do not
 * depend on how many there are. */
static void chain(struct kt *t, bool turned)
{
	enum { N = 61, E = 75, D = 700 };
	float *x = kt_in(t, N * D, 1), *y = kt_inout(t, N * E, 1), *b = kt_in(t, E, 1), *z = kt_out(t, N * E);
	struct sg_mat w = weight(t, SG_F32, E, D, turned), was = w;
	const float *hx, *hy;

	kt_done(t, SG_CALL(&t->d, linear_fwd, y, x, &w, b, N, E, D, true), "linear_fwd");
	hx = kt_was(t, x);
	was.data = kt_was(t, w.data);
	hy = kt_was(t, y);
	for (size_t i = 0; kt_ref(t) && i < N * E; i++) {
		float s = hy[i];

		for (size_t k = 0; k < D; k++)
			s = sg_fmaf(hx[i / E * D + k], sg_mat_at(&was, i % E * D + k), s);
		s = s + kt_was(t, b)[i % E];
		if (s != kt_got(t, y)[i])
			kt_limit(t, "chain", 1, 0);
	}
	/* the same rows in batches of 1, 2, 30 and the rest */
	t->d.be->put(&t->d, z, hy, sizeof(float) * N * E);
	for (size_t at = 0, n = 1; at < N; at += n, n = at == 1 ? 2 : at == 3 ? 30 : N - at)
		kt_done(t, SG_CALL(&t->d, linear_fwd, z + at * E, x + at * D, &w, b, n, E, D, true), "rows");
	if (memcmp(kt_got(t, z), kt_got(t, y), sizeof(float) * N * E))
		kt_limit(t, "batch split", 1, 0);
	kt_clear(t);
}

KT_TEST(linear_chain)
{
	chain(t, false);
	if (kt_cpu_only(t))
		chain(t, true);
}

KT_TEST(linear_dtype)
{
	float *y = kt_out(t, 4), *x = kt_in(t, 4, 1);
	struct sg_mat w = { .data = x, .dtype = SG_I8, .rows = 2, .cols = 2 };

	if (SG_CALL(&t->d, linear_fwd, y, x, &w, NULL, 2, 2, 2, false) != -SG_E_UNSUPPORTED)
		kt_limit(t, "a dtype that cannot be multiplied", 1, 0);
	kt_clear(t);
}
