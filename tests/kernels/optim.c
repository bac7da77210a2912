#include "base/fmath.h"
#include "tests/kernels/kt.h"
#include <math.h>

static void adamw(struct kt *t, size_t n)
{
	const float lr = 1e-2f, b1 = 0.9f, b2 = 0.95f, eps = 1e-8f, decay = 0.1f, gs = 0.5f;
	float *w = kt_inout(t, n, 1), *m = kt_inout(t, n, 0), *v = kt_inout(t, n, 0), *g = kt_in(t, n, 1);
	double *want = kt_doubles(n);
	int rc = 0;

	for (int64_t s = 1; s <= 20 && rc >= 0; s++)
		rc = SG_CALL(&t->d, adamw, w, m, v, g, gs, lr, b1, b2, eps, decay, s, n);
	kt_done(t, rc, "adamw");
	for (size_t i = 0; kt_ref(t) && i < n; i++) {
		double x = (double)kt_was(t, w)[i], gi = (double)kt_was(t, g)[i] * 0.5, mi = 0, vi = 0;

		for (int s = 1; s <= 20; s++) {
			mi = (double)b1 * mi + (1 - (double)b1) * gi;
			vi = (double)b2 * vi + (1 - (double)b2) * gi * gi;
			x -= (double)lr * (double)decay * x;
			x -= (double)lr * (mi / (1 - pow((double)b1, s))) /
			     (sqrt(vi / (1 - pow((double)b2, s))) + (double)eps);
		}
		want[i] = x;
	}
	if (kt_ref(t))
		kt_limit(t, "adamw", kt_err(kt_got(t, w), want, n), 1e-6);
	free(want);
	kt_clear(t);
}

KT_TEST(adamw)
{
	adamw(t, 1);
	adamw(t, 37);
	adamw(t, 20011);
}

static void sumsq(struct kt *t, size_t n)
{
	float *x = kt_in(t, n, 3), *keep = kt_out(t, 2);
	double out = -1, want = 0;
	int rc = SG_CALL(&t->d, sumsq, &out, x, n);

	/* into a buffer, so that its bits are compared as any output's are */
	t->d.be->put(&t->d, keep, &out, sizeof(out));
	kt_done(t, rc, "sumsq");
	for (size_t c = 0; c < n; c += 4096) {
		double s = 0;

		for (size_t i = c; i < n && i < c + 4096; i++)
			s += (double)kt_was(t, x)[i] * (double)kt_was(t, x)[i];
		want += s;
	}
	if (out != want)
		kt_limit(t, "sumsq", 1, 0);
	kt_clear(t);
}

KT_TEST(sumsq)
{
	static const size_t n[] = { 0, 1, 4095, 4096, 4097, 40000, 32768, 100003 };

	for (size_t i = 0; i < SG_LEN(n); i++)
		sumsq(t, n[i]);
}
