/*
 * Forms of Phi against twins: matrices written out from the definition in double
 * precision, and central differences, which are exact for what is linear in each number.
 */
#include "tests/test.h"
#include "base/rng.h"
#include "graft/phiform.h"
#include <math.h>

enum { MOST = 12, NUMBERS = 512 };

struct made {
	struct sg_phiform f;
	struct sg_phiform_tensor s[SG_PHI_TENSORS];
	size_t n, count[SG_PHI_TENSORS];
	float v[SG_PHI_TENSORS][NUMBERS], *t[SG_PHI_TENSORS];
	float phi[MOST * MOST];
};

static int make(struct made *m, const char *name, size_t r, size_t inner, size_t tile, size_t codes, size_t levels)
{
	SG_TRY(sg_phiform_init(&m->f, name, r, inner, tile, codes, levels));
	m->n = sg_phiform_tensors(m->s, &m->f);
	for (size_t i = 0; i < m->n; i++) {
		m->count[i] = (m->s[i].rows ? m->s[i].rows : 1) * m->s[i].cols;
		m->t[i] = m->v[i];
	}
	sg_phiform_start(m->t, &m->f, 3, 5);
	return 0;
}

static const float *const *in(const struct made *m)
{
	return (const float *const *)m->t;
}

static void shake(struct made *m)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; !m->s[i].frozen && k < m->count[i]; k++)
			m->t[i][k] += sg_rng_uniform(9, i, k) - 0.5f;
	sg_phiform_dense(m->phi, &m->f, in(m));
}

static double off(const struct made *m, const double *twin)
{
	double worst = 0;

	for (size_t i = 0; i < m->f.r * m->f.r; i++)
		worst = SG_MAX(worst, fabs((double)m->phi[i] - twin[i]));
	return worst;
}

static const struct { const char *name; size_t r, inner, tile, codes, levels; } all[] = {
	{ "dense", 5, 0, 0, 0, 1 }, { "diagonal", 5, 0, 0, 0, 1 }, { "upper", 5, 0, 0, 0, 1 }, { "hadamard", 5, 2, 0, 0, 1 },
	{ "walsh", 8, 0, 0, 0, 1 }, { "checker", 5, 0, 0, 0, 1 }, { "lowrank", 5, 2, 0, 0, 1 }, { "blocks", 7, 0, 3, 0, 1 },
	{ "kronecker", 6, 2, 0, 0, 1 }, { "codebook", 5, 0, 2, 4, 2 },
};

TEST(every_form_is_zero_at_the_start_and_has_numbers_that_move_it)
{
	CHECK(SG_LEN(all) == SG_PHI_KINDS);
	for (size_t i = 0; i < SG_LEN(all); i++) {
		float d[SG_PHI_TENSORS][NUMBERS], *to[SG_PHI_TENSORS], one[MOST * MOST], sum = 0;
		struct made m = { .n = 0 };

		PASS(make(&m, all[i].name, all[i].r, all[i].inner, all[i].tile, all[i].codes, all[i].levels));
		PASS(sg_phiform_check(&m.f, in(&m)));
		memset(m.phi, 1, sizeof(m.phi));
		sg_phiform_dense(m.phi, &m.f, in(&m));
		for (size_t k = 0; k < m.f.r * m.f.r; k++) {
			CHECK(m.phi[k] == 0);
			one[k] = sg_rng_uniform(1, 1, k) - 0.5f;
		}
		for (size_t k = 0; k < m.n; k++)
			to[k] = d[k];
		sg_phiform_grad(to, &m.f, one, in(&m));
		for (size_t k = 0; k < m.n; k++)
			for (size_t j = 0; !m.s[k].frozen && j < m.count[k]; j++)
				sum += fabsf(d[k][j]);
		CHECK(sum > 0);
	}
}

TEST(gradients_of_every_form_are_central_differences)
{
	for (size_t i = 0; i < SG_LEN(all); i++) {
		float d[SG_PHI_TENSORS][NUMBERS], *to[SG_PHI_TENSORS], g[MOST * MOST];
		struct made m = { .n = 0 };

		PASS(make(&m, all[i].name, all[i].r, all[i].inner, all[i].tile, all[i].codes, all[i].levels));
		shake(&m);
		for (size_t k = 0; k < m.f.r * m.f.r; k++)
			g[k] = sg_rng_uniform(1, 1, k) - 0.5f;
		for (size_t k = 0; k < m.n; k++)
			to[k] = d[k];
		sg_phiform_grad(to, &m.f, g, in(&m));
		for (size_t k = 0; k < m.n; k++)
			for (size_t j = 0; !m.s[k].frozen && j < m.count[k]; j++) {
				float old = m.t[k][j], h = 0.25f, up = 0, down = 0;
				double fd = 0;

				for (int side = 0; side < 2; side++) {
					m.t[k][j] = side ? old - h : old + h;
					if (side)
						down = m.t[k][j];
					else
						up = m.t[k][j];
					sg_phiform_dense(m.phi, &m.f, in(&m));
					for (size_t e = 0; e < m.f.r * m.f.r; e++)
						fd += (side ? -1 : 1) * (double)g[e] * (double)m.phi[e];
				}
				m.t[k][j] = old;
				fd /= (double)up - (double)down;
				CHECK(fabs(fd - (double)d[k][j]) < 4e-6 * (1 + fabs(fd)));
			}
	}
}

TEST(a_diagonal_an_upper_triangle_and_blocks_are_where_they_belong)
{
	for (int kind = 0; kind < 3; kind++) {
		static const char *const name[] = { "diagonal", "upper", "blocks" };
		double twin[49] = { 0 };
		struct made m = { .n = 0 };
		size_t at = 0;

		PASS(make(&m, name[kind], 7, 0, 3, 0, 1));
		shake(&m);
		for (size_t i = 0; i < 7; i++)
			for (size_t j = 0; j < 7; j++)
				if (kind == 0 ? i == j : kind == 1 ? i <= j : i / 3 == j / 3)
					twin[i * 7 + j] = (double)m.t[0][at++];
		CHECK(at == m.count[0]);
		CHECK(off(&m, twin) == 0);
	}
}

TEST(products_are_what_their_factors_make)
{
	struct made h = { .n = 0 }, l = { .n = 0 };
	double twin[25], low[25];

	PASS(make(&h, "hadamard", 5, 2, 0, 0, 1));
	PASS(make(&l, "lowrank", 5, 2, 0, 0, 1));
	shake(&h);
	shake(&l);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 5; j++) {
			double p = 0, q = 0, o = 0;

			for (size_t k = 0; k < 2; k++) {
				p += (double)h.t[0][i * 2 + k] * (double)h.t[1][k * 5 + j];
				q += (double)h.t[2][i * 2 + k] * (double)h.t[3][k * 5 + j];
				o += (double)l.t[0][i * 2 + k] * (double)l.t[1][k * 5 + j];
			}
			twin[i * 5 + j] = p * q;
			low[i * 5 + j] = o;
		}
	CHECK(off(&h, twin) < 2e-7);
	CHECK(off(&l, low) < 2e-7);
}

static int sign(size_t a, size_t b)
{
	return __builtin_popcountll(a & b) % 2 ? -1 : 1;
}

TEST(walsh_is_hadamard_matrices_around_a_diagonal)
{
	double twin[64];
	struct made m = { .n = 0 };

	PASS(make(&m, "walsh", 8, 0, 0, 0, 1));
	shake(&m);
	for (size_t i = 0; i < 8; i++)
		for (size_t j = 0; j < 8; j++) {
			double s = 0;

			for (size_t k = 0; k < 8; k++)
				s += sign(i, k) * (double)m.t[0][k] * sign(k, j);
			twin[i * 8 + j] = s / 8;
		}
	CHECK(off(&m, twin) < 2e-7);
	FAILS(REFUSED, make(&m, "walsh", 6, 0, 0, 0, 1));
}

TEST(checker_is_identity_ones_and_a_chessboard)
{
	double twin[25];
	struct made m = { .n = 0 };

	PASS(make(&m, "checker", 5, 0, 0, 0, 1));
	shake(&m);
	CHECK(m.count[0] == 3);
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 5; j++)
			twin[i * 5 + j] = (i == j) * (double)m.t[0][0] + (double)m.t[0][1] + pow(-1, i + j) * (double)m.t[0][2];
	CHECK(off(&m, twin) < 2e-7);
}

TEST(kronecker_is_a_sum_of_products)
{
	double twin[36] = { 0 };
	struct made m = { .n = 0 };

	PASS(make(&m, "kronecker", 6, 2, 0, 0, 1));
	shake(&m);
	CHECK(m.f.a == 2 && m.f.b == 3);
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < 2; i++)
			for (size_t j = 0; j < 2; j++)
				for (size_t x = 0; x < 3; x++)
					for (size_t y = 0; y < 3; y++)
						twin[(i * 3 + x) * 6 + j * 3 + y] +=
							(double)m.t[0][k * 4 + i * 2 + j] * (double)m.t[1][k * 9 + x * 3 + y];
	CHECK(off(&m, twin) < 2e-7);
	FAILS(REFUSED, make(&m, "kronecker", 5, 0, 0, 0, 1));
}

TEST(a_codebook_of_one_matrix_of_ones_gives_indicator_tiles)
{
	double twin[25];
	struct made m = { .n = 0 };

	PASS(make(&m, "codebook", 5, 0, 2, 1, 1));
	shake(&m);
	for (size_t i = 0; i < m.count[0]; i++)
		m.t[0][i] = 1;
	sg_phiform_dense(m.phi, &m.f, in(&m));
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < 5; j++)
			twin[i * 5 + j] = (double)m.t[1][i / 2 * 3 + j / 2];
	CHECK(m.count[1] == 9);
	CHECK(off(&m, twin) == 0);
}

TEST(a_code_that_is_none_is_refused)
{
	static const float bad[] = { -1, 4, 0.5f, NAN, INFINITY };
	struct made m = { .n = 0 };

	PASS(make(&m, "codebook", 5, 0, 2, 4, 2));
	for (size_t i = 0; i < SG_LEN(bad); i++) {
		m.t[2][17] = bad[i];
		FAILS(REFUSED, sg_phiform_check(&m.f, in(&m)));
	}
	m.t[2][17] = 3;
	PASS(sg_phiform_check(&m.f, in(&m)));
	FAILS(USAGE, make(&m, "round", 5, 0, 0, 0, 1));
	FAILS(REFUSED, make(&m, "codebook", 5, 0, 2, 10, 1));
	FAILS(REFUSED, make(&m, "lowrank", 5, 6, 0, 0, 1));
	FAILS(REFUSED, make(&m, "blocks", 5, 0, 6, 0, 1));
}

/* --- the nearest matrix ------------------------------------------------------------- */

static double distance(const struct made *m, const double *phi)
{
	double s = 0;

	for (size_t i = 0; i < m->f.r * m->f.r; i++)
		s += pow((double)m->phi[i] - phi[i], 2);
	return sqrt(s);
}

TEST(a_matrix_of_a_form_is_its_own_nearest)
{
	for (size_t i = 0; i < SG_LEN(all); i++) {
		double phi[MOST * MOST];
		struct made m = { .n = 0 }, n = { .n = 0 };

		if (!strcmp(all[i].name, "codebook"))
			continue;
		PASS(make(&m, all[i].name, all[i].r, all[i].inner, all[i].tile, all[i].codes, all[i].levels));
		shake(&m);
		if (m.f.kind == SG_PHI_HADAMARD) {	/* a product of which only one factor is looked for */
			for (size_t k = 0; k < m.count[2]; k++)
				m.t[2][k] = 0.5f;
			for (size_t k = 0; k < m.count[3]; k++)
				m.t[3][k] = 1;
			sg_phiform_dense(m.phi, &m.f, in(&m));
		}
		for (size_t k = 0; k < m.f.r * m.f.r; k++)
			phi[k] = (double)m.phi[k];
		PASS(make(&n, all[i].name, all[i].r, all[i].inner, all[i].tile, all[i].codes, all[i].levels));
		PASS(sg_phiform_fit(n.t, &n.f, phi));
		sg_phiform_dense(n.phi, &n.f, in(&n));
		CHECK(distance(&n, phi) < 2e-6);
	}
}

TEST(the_nearest_matrix_cannot_be_improved_by_moving_any_number)
{
	for (size_t i = 0; i < SG_LEN(all); i++) {
		double phi[MOST * MOST], least;
		struct made m = { .n = 0 };

		PASS(make(&m, all[i].name, all[i].r, all[i].inner, all[i].tile, all[i].codes, all[i].levels));
		if (m.f.kind == SG_PHI_HADAMARD || m.f.kind == SG_PHI_CODEBOOK)
			continue;	/* not the nearest, see below */
		for (size_t k = 0; k < m.f.r * m.f.r; k++)
			phi[k] = (double)sg_rng_uniform(4, i, k) - 0.5;
		PASS(sg_phiform_fit(m.t, &m.f, phi));
		sg_phiform_dense(m.phi, &m.f, in(&m));
		least = distance(&m, phi);
		for (size_t k = 0; k < m.n; k++)
			for (size_t j = 0; j < m.count[k]; j++)
				for (int side = -1; side < 2; side += 2) {
					float old = m.t[k][j];

					m.t[k][j] = old + (float)side * 1e-2f;
					sg_phiform_dense(m.phi, &m.f, in(&m));
					CHECK(distance(&m, phi) > least - 1e-6);
					m.t[k][j] = old;
				}
	}
}

TEST(codes_find_the_directions_of_tiles_and_levels_code_what_is_left)
{
	double phi[64], last = INFINITY;
	struct made m = { .n = 0 };

	/* every tile is a multiple of one of two matrices */
	for (size_t i = 0; i < 8; i++)
		for (size_t j = 0; j < 8; j++) {
			size_t tile = i / 2 * 4 + j / 2, in_tile = i % 2 * 2 + j % 2;
			static const double code[2][4] = { { 1, -2, 0.5, 3 }, { -1, 0, 2, 1 } };

			phi[i * 8 + j] = code[tile % 3 == 0][in_tile] * ((double)tile - 7.25);
		}
	PASS(make(&m, "codebook", 8, 0, 2, 2, 1));
	PASS(sg_phiform_fit(m.t, &m.f, phi));
	PASS(sg_phiform_check(&m.f, in(&m)));
	sg_phiform_dense(m.phi, &m.f, in(&m));
	CHECK(distance(&m, phi) < 1e-4);
	for (size_t k = 0; k < 64; k++)
		phi[k] = (double)sg_rng_uniform(4, 1, k) - 0.5;
	for (size_t levels = 1; levels <= 4; levels++) {
		PASS(make(&m, "codebook", 8, 0, 2, 3, levels));
		PASS(sg_phiform_fit(m.t, &m.f, phi));
		sg_phiform_dense(m.phi, &m.f, in(&m));
		CHECK(distance(&m, phi) < 0.8 * last);
		last = distance(&m, phi);
	}
}
