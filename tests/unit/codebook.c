/* Dictionaries of tiles against what is known of matrices that are made up from tiles. */
#include "tests/test.h"
#include "base/error.h"
#include "base/rng.h"
#include "graft/codebook.h"
#include <math.h>

enum { ROWS = 30, COLS = 22, N = ROWS * COLS };

static struct sg_codebook_opts opts(enum sg_dict d, size_t tile)
{
	return (struct sg_codebook_opts){ .dict = d, .signature = SG_SIGNATURE_QUANTIZED, .tile = tile, .codes = 4, .step = 0.1 };
}

static void noise(float *w, uint64_t seed)
{
	sg_rng_normal(w, N, seed, 1);
}

/* Tile (i, j) of width b is number (i + 2 j) % n of n small matrices; edges are cut. */
static void patched(float *w, size_t b, size_t n, bool times)
{
	float tile[8 * 64];

	sg_rng_normal(tile, n * b * b, 7, 2);
	for (size_t r = 0; r < ROWS; r++)
		for (size_t c = 0; c < COLS; c++) {
			size_t k = (r / b + 2 * (c / b)) % n;

			w[r * COLS + c] = tile[k * b * b + r % b * b + c % b] * (times ? (float)(1 + r / b) : 1);
		}
}

static double norm_apart(const float *a, const float *b)
{
	double d = 0, s = 0;

	for (size_t i = 0; i < N; i++) {
		d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
		s += (double)b[i] * (double)b[i];
	}
	return sqrt(d / s);
}

TEST(codebook_of_what_repeats_is_exact_and_small)
{
	struct sg_codebook_report r;
	float w[N], v[N];

	patched(w, 2, 3, false);	/* both sides are even: no tile is cut */
	for (int sign = SG_SIGNATURE_EXACT; sign <= SG_SIGNATURE_QUANTIZED; sign++) {
		struct sg_codebook_opts o = opts(SG_DICT_fixed, 2);

		o.signature = (enum sg_signature)sign;
		o.step = 1e-4;
		PASS(sg_codebook(v, &r, w, ROWS, COLS, &o));
		CHECK(!memcmp(v, w, sizeof(w)) && r.codes == 3 && r.tiles == 15 * 11 && r.l1 == 0 && r.worst == 0);
		CHECK(r.bytes == 3 * 4 * 4 + (15 * 11 * 2 + 7) / 8 && r.raw == sizeof(w));
		CHECK(fabs(r.reuse - (1 - 3.0 / (15 * 11))) < 1e-12);
	}
	{
		struct sg_codebook_opts o = opts(SG_DICT_learned, 2);

		PASS(sg_codebook(v, &r, w, ROWS, COLS, &o));
		CHECK(norm_apart(v, w) < 1e-6 && r.codes == 3);	/* of 4: a fourth would be the same as one of them */
	}
}

/* 30 x 22 in tiles of 4: the lowest and the rightmost are cut. */
TEST(codebook_reaches_the_edges_and_the_report_is_of_what_comes_out)
{
	float w[N], v[N];

	noise(w, 3);
	for (int d = 0; d < SG_DICT_COUNT; d++) {
		struct sg_codebook_opts o = opts((enum sg_dict)d, 4);
		struct sg_codebook_report r;
		double l1 = 0, all = 0, worst = 0, top = 0;

		PASS(sg_codebook(v, &r, w, ROWS, COLS, &o));
		for (size_t i = 0; i < N; i++) {
			l1 += fabs((double)v[i] - (double)w[i]);
			all += fabs((double)w[i]);
			worst = fmax(worst, fabs((double)v[i] - (double)w[i]));
			top = fmax(top, fabs((double)w[i]));
		}
		CHECK(fabs(r.l2 - norm_apart(v, w)) < 1e-9 && fabs(r.l1 - l1 / all) < 1e-9 && fabs(r.worst - worst / top) < 1e-9);
		CHECK(r.bytes > 0 && r.tiles >= 8 * 6 && r.codes >= 1 && r.codes <= r.tiles);
		if (d != SG_DICT_learned)	/* noise repeats nothing: all prototypes are the tiles themselves */
			CHECK(r.l2 < 0.1);
	}
}

TEST(codebook_scales_what_differs_by_a_factor)
{
	struct sg_codebook_opts o = opts(SG_DICT_scaled, 2), plain = opts(SG_DICT_fixed, 2);
	struct sg_codebook_report r, p;
	float w[N], v[N];

	patched(w, 2, 3, true);
	PASS(sg_codebook(v, &r, w, ROWS, COLS, &o));
	CHECK(r.codes == 3 && norm_apart(v, w) < 1e-6);
	PASS(sg_codebook(v, &p, w, ROWS, COLS, &plain));
	CHECK(p.codes > 20 && p.bytes > r.codes);
	memset(w, 0, sizeof(w));
	PASS(sg_codebook(v, &r, w, ROWS, COLS, &o));
	CHECK(r.codes == 1 && r.l1 == 0 && r.l2 == 0 && !memcmp(v, w, sizeof(w)));
}

/* Large tiles that repeat stay whole; noise beside them is split to the end. */
TEST(codebook_keeps_large_tiles_where_they_repeat)
{
	struct sg_codebook_opts o = opts(SG_DICT_hierarchical, 8);
	struct sg_codebook_report r, all;
	float w[16 * 32], v[16 * 32];

	sg_rng_normal(w, SG_LEN(w), 5, 1);
	o.signature = SG_SIGNATURE_EXACT;
	for (size_t i = 0; i < 8; i++)
		for (size_t j = 0; j < 32; j++)
			w[i * 32 + j] = w[i * 32 + j % 8];	/* the upper half: one tile, four times */
	PASS(sg_codebook(v, &r, w, 16, 32, &o));
	CHECK(!memcmp(v, w, sizeof(w)) && r.l1 == 0);
	CHECK(r.tiles == 4 + 64 && r.codes == 1 + 64);	/* 8 x 32 of noise: 64 of 2 x 2 */
	CHECK(r.bytes == (64 + 0) * 4 + 64 * 16 + (64 * 6 + 7) / 8 + 1 + 2);
	o.tile = 2;
	PASS(sg_codebook(v, &all, w, 16, 32, &o));
	CHECK(all.bytes > r.bytes);
}

TEST(codebook_residual_corrects_what_the_coarse_one_left)
{
	struct sg_codebook_report coarse, both;
	struct sg_codebook_opts o = opts(SG_DICT_residual, 8), one = opts(SG_DICT_fixed, 8);
	float w[N], v[N];

	noise(w, 9);
	for (size_t i = 0; i < N; i++)
		w[i] = (float)(i / COLS / 8) + 0.02f * w[i];	/* flat tiles and a little noise */
	o.step = 0.02;
	one.step = 0.08;
	PASS(sg_codebook(v, &coarse, w, ROWS, COLS, &one));
	PASS(sg_codebook(v, &both, w, ROWS, COLS, &o));
	CHECK(both.l2 < coarse.l2 && both.bytes > coarse.bytes);
}

TEST(codebook_learned_gets_better_with_codes_and_is_the_same_again)
{
	struct sg_codebook_opts o = opts(SG_DICT_learned, 2);
	struct sg_codebook_report r;
	float w[N], v[N], again[N];
	double was = INFINITY;

	noise(w, 13);
	for (o.codes = 1; o.codes <= 256; o.codes *= 4) {
		PASS(sg_codebook(v, &r, w, ROWS, COLS, &o));
		CHECK(r.l2 < was && r.codes == SG_MIN(o.codes, 15 * 11));
		was = r.l2;
	}
	PASS(sg_codebook(again, &r, w, ROWS, COLS, &o));
	CHECK(!memcmp(v, again, sizeof(v)) && r.l2 < 1e-6);	/* as many codes as tiles */
}

TEST(codebook_stats_see_sums_only)
{
	struct sg_codebook_opts o = opts(SG_DICT_fixed, 2);
	struct sg_codebook_report r;
	const float w[] = { 1, 2, 2, 1, 5, 5, 3, 4, 4, 3, 5, 5 };	/* [2,6]: 1 2 | 2 1 | 5 5 over 3 4 | 4 3 | 5 5 */
	float v[12];

	o.signature = SG_SIGNATURE_STATS;
	PASS(sg_codebook(v, &r, w, 2, 6, &o));
	CHECK(r.codes == 2);		/* the first two have the same sums, and diagonals of 1 + 4 and 2 + 3 */
	o.signature = SG_SIGNATURE_QUANTIZED;
	PASS(sg_codebook(v, &r, w, 2, 6, &o));
	CHECK(r.codes == 3);
}

TEST(codebook_refuses_what_cannot_be)
{
	struct sg_codebook_report r;
	float w[N] = { 1 };
	struct sg_codebook_opts o = opts(SG_DICT_fixed, 0);

	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o.tile = 65;
	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o = opts(SG_DICT_residual, 6);
	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o = opts(SG_DICT_hierarchical, 6);
	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o = opts(SG_DICT_learned, 2);
	o.codes = 0;
	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o = opts(SG_DICT_fixed, 2);
	o.step = 0;
	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o.step = NAN;
	FAILS(USAGE, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
	o.step = 1;
	w[5] = INFINITY;
	FAILS(REFUSED, sg_codebook(NULL, &r, w, ROWS, COLS, &o));
}
