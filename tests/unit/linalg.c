#include "tests/test.h"
#include "base/rng.h"
#include "graft/linalg.h"
#include <math.h>

static double draw(uint64_t stream, size_t i)
{
	return (double)sg_rng_uniform(3, stream, i) - 0.5;
}

TEST(singular_values_and_vectors_make_the_matrix_again)
{
	enum { N = 9, M = 6 };
	double a[N * M], u[N * M], v[M * M], s[M];

	/* rank 4: the last two columns are sums of others */
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < M; j++)
			a[i * M + j] = j < 4 ? draw(1, i * M + j) : a[i * M + j - 4] + a[i * M + j - 3];
	memcpy(u, a, sizeof(a));
	sg_svd(s, u, v, N, M);
	CHECK(s[3] > 0.05 && s[4] < 1e-14 && s[5] < 1e-14);
	for (size_t j = 1; j < M; j++)
		CHECK(s[j - 1] >= s[j]);
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < M; j++) {
			double sum = 0;

			for (size_t k = 0; k < M; k++)
				sum += u[i * M + k] * v[j * M + k];
			CHECK(fabs(sum - a[i * M + j]) < 1e-14);
		}
	for (size_t p = 0; p < M; p++)
		for (size_t q = 0; q < M; q++) {
			double d = 0, e = 0;

			for (size_t i = 0; i < M; i++)
				d += v[i * M + p] * v[i * M + q];
			for (size_t i = 0; i < N; i++)
				e += u[i * M + p] * u[i * M + q];
			CHECK(fabs(d - (p == q)) < 1e-13);
			CHECK(p == q || fabs(e) < 1e-14);
		}
}

TEST(least_squares_finds_the_map_that_made_the_rows_however_they_come)
{
	enum { N = 5, M = 3, ROWS = 333 };
	static float x[ROWS * N], t[ROWS * M];
	struct sg_lsq q = { 0 }, p = { 0 };
	double map[M * N], w[M * N], again[M * N];
	size_t rank = 0;

	for (size_t i = 0; i < M * N; i++)
		map[i] = draw(1, i);
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t j = 0; j < N; j++)
			x[i * N + j] = (float)draw(2, i * N + j);
		for (size_t k = 0; k < M; k++) {
			double s = 0;

			for (size_t j = 0; j < N; j++)
				s += map[k * N + j] * (double)x[i * N + j];
			t[i * M + k] = (float)s;
		}
	}
	PASS(sg_lsq_init(&q, N, M));
	PASS(sg_lsq_init(&p, N, M));
	sg_lsq_add(&q, x, t, ROWS);
	for (size_t i = 0, n; i < ROWS; i += n) {
		n = SG_MIN(1 + i % 7, ROWS - i);
		sg_lsq_add(&p, x + i * N, t + i * M, n);
	}
	PASS(sg_lsq_solve(w, &rank, &q, 1e-6));
	PASS(sg_lsq_solve(again, &rank, &p, 1e-6));
	CHECK(rank == N);
	CHECK(!memcmp(w, again, sizeof(w)));
	for (size_t i = 0; i < M * N; i++)
		CHECK(fabs(w[i] - map[i]) < 1e-6);
	sg_lsq_release(&q);
	sg_lsq_release(&p);
}

TEST(least_squares_with_directions_that_are_not_there_gives_the_smallest_map)
{
	enum { N = 4, ROWS = 100 };
	static float x[ROWS * N], t[ROWS];
	struct sg_lsq q = { 0 };
	double w[N];
	size_t rank = 9;

	/* the first two inputs are one, the last is nothing: t = 2 x0 + x2 */
	for (size_t i = 0; i < ROWS; i++) {
		x[i * N] = x[i * N + 1] = (float)draw(1, i);
		x[i * N + 2] = (float)draw(2, i);
		t[i] = 2 * x[i * N] + x[i * N + 2];
	}
	PASS(sg_lsq_init(&q, N, 1));
	sg_lsq_add(&q, x, t, ROWS);
	PASS(sg_lsq_solve(w, &rank, &q, 1e-6));
	CHECK(rank == 2);
	CHECK(fabs(w[0] - 1) < 1e-6 && fabs(w[1] - 1) < 1e-6 && fabs(w[2] - 1) < 1e-6 && w[3] == 0);
	sg_lsq_release(&q);
	PASS(sg_lsq_init(&q, N, 1));
	PASS(sg_lsq_solve(w, &rank, &q, 1e-6));
	CHECK(rank == 0 && w[0] == 0 && w[3] == 0);
	sg_lsq_release(&q);
}
