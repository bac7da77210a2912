#include "graft/span.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/test.h"
#include <math.h>

static bool near(double got, double want, double most)
{
	return fabs(got - want) <= most;
}

TEST(span_of_planes)
{
	/* writes e0 and e1; reads e0+e1 and e2 */
	static const float left[4 * 2] = { 1, 0, 0, 2, 0, 0, 0, 0 };
	static const float right[2 * 3] = { 1, 1, 0, 0, 0, 3 };
	/* writes a direction 30 degrees from e0 in the plane of e0 and e2; reads e0 */
	const float left2[4] = { (float)cos(acos(-1.0) / 6), 0, 0.5f, 0 };
	static const float right2[3] = { 5, 0, 0 };
	struct sg_span c = { 0 }, r = { 0 }, c2 = { 0 }, r2 = { 0 };
	double *deg;
	size_t n;

	PASS(sg_span_of(&c, &r, left, right, 4, 2, 3));
	CHECK(c.r == 2 && c.n == 4 && r.r == 2 && r.n == 3);
	PASS(sg_span_of(&c2, &r2, left2, right2, 4, 1, 3));
	CHECK(c2.r == 1 && r2.r == 1);
	PASS(sg_span_angles(&deg, &n, &c, &c2));
	CHECK(n == 1 && near(deg[0], 30, 1e-5));
	free(deg);
	PASS(sg_span_angles(&deg, &n, &r2, &r));
	CHECK(n == 1 && near(deg[0], 45, 1e-9));
	free(deg);
	PASS(sg_span_angles(&deg, &n, &c, &c));
	CHECK(n == 2 && near(deg[0], 0, 1e-5) && near(deg[1], 0, 1e-5));
	free(deg);
	FAILS(ERROR, sg_span_angles(&deg, &n, &c, &r));
	sg_span_release(&c);
	sg_span_release(&r);
	sg_span_release(&c2);
	sg_span_release(&r2);
}

/* Directions that the product does not have are not in the span, however the factors are
 * written; a zero factor spans nothing. */
TEST(span_rank)
{
	static const float left[3 * 3] = { 1, 2, 0, 0, 0, 1, 0, 0, 0 };
	static const float right[3 * 2] = { 1, 0, 1, 0, 0, 0 };
	struct sg_span c = { 0 }, r = { 0 };
	double *deg;
	size_t n;

	PASS(sg_span_of(&c, &r, left, right, 3, 3, 2));
	CHECK(c.r == 1 && r.r == 1 && near(fabs(c.q[0]), 1, 1e-12) && near(fabs(r.q[0]), 1, 1e-12));
	sg_span_release(&c);
	sg_span_release(&r);
	PASS(sg_span_of(&c, &r, (float[6]){ 0 }, right, 3, 2, 2));
	CHECK(c.r == 0 && r.r == 0);
	PASS(sg_span_angles(&deg, &n, &c, &c));
	CHECK(n == 0);
	free(deg);
	sg_span_release(&c);
	sg_span_release(&r);
	FAILS(UNSUPPORTED, sg_span_of(&c, &r, NULL, NULL, 1, SG_SPAN_MAX + 1, 1));
}

/* One plane, two bases of it: no angle; and against a plane that shares one direction. */
TEST(span_random)
{
	enum { N = 40, R = 5 };
	struct sg_span c[2] = { { 0 } }, r[2] = { { 0 } };
	float a[N * R], b[N * R], other[N], right[R * N];
	double *deg;
	size_t n;

	sg_rng_normal(a, N * R, 7, 0);
	sg_rng_normal(right, R * N, 7, 1);
	sg_rng_normal(other, N, 7, 2);
	for (size_t i = 0; i < N; i++)	/* the last direction is another one, the rest are mixed */
		for (size_t k = 0; k < R; k++)
			b[i * R + k] = k == R - 1 ? other[i] : a[i * R + k] * 2 + (k ? a[i * R] : 0);
	PASS(sg_span_of(&c[0], &r[0], a, right, N, R, N));
	PASS(sg_span_of(&c[1], &r[1], b, right, N, R, N));
	PASS(sg_span_angles(&deg, &n, &c[0], &c[1]));
	CHECK(n == R);
	for (size_t i = 0; i + 1 < R; i++)
		CHECK(near(deg[i], 0, 1e-4));
	CHECK(deg[R - 1] > 20 && deg[R - 1] <= 90);
	free(deg);
	PASS(sg_span_angles(&deg, &n, &r[0], &r[1]));
	CHECK(n == R && near(deg[R - 1], 0, 1e-4));
	free(deg);
	for (int i = 0; i < 2; i++) {
		sg_span_release(&c[i]);
		sg_span_release(&r[i]);
	}
}
