#include "base/error.h"
#include "tests/kernels/kt.h"
#include <math.h>

static void run(struct kt *t, size_t N, size_t V, bool grad)
{
	int32_t target[64], *tg;
	float *loss = kt_out(t, N), *x = kt_inout(t, N * V, 4), *scale = kt_in(t, N, 1);
	double *wl, *wd;

	for (size_t i = 0; i < N; i++)
		target[i] = i % 5 == 3 ? -1 : (int32_t)(i * 7 % V);
	tg = kt_ints(t, target, N);
	kt_done(t, SG_CALL(&t->d, xent, loss, x, tg, grad ? scale : NULL, N, V), "xent");
	if (!kt_ref(t)) {
		kt_clear(t);
		return;
	}
	wl = kt_doubles(N);
	wd = kt_doubles(N * V);
	for (size_t i = 0; i < N; i++) {
		const float *r = kt_was(t, x) + i * V;
		double s = 0, k = grad && target[i] >= 0 ? (double)kt_was(t, scale)[i] : 0;

		for (size_t v = 0; v < V; v++)
			s += exp((double)r[v]);
		wl[i] = target[i] < 0 ? 0 : log(s) - (double)r[target[i]];
		for (size_t v = 0; v < V; v++)
			wd[i * V + v] = grad ? k * (exp((double)r[v]) / s - ((int32_t)v == target[i])) : (double)r[v];
	}
	if (V == 1)	/* nothing to choose: no loss, but the reference rounds */
		memset(wl, 0, N * sizeof(*wl));
	kt_limit(t, "xent loss", kt_err(kt_got(t, loss), wl, N), 1e-6);
	if (V > 1)
		kt_limit(t, "xent gradient", kt_err(kt_got(t, x), wd, N * V), V == 2 ? 5e-6 : 3e-7);
	free(wl);
	free(wd);
	kt_clear(t);
}

KT_TEST(xent)
{
	static const size_t V[] = { 1, 2, 17, 1000, 1024, 3001 };

	for (size_t i = 0; i < SG_LEN(V); i++) {
		run(t, 1, V[i], true);
		run(t, 13, V[i], false);
		run(t, 13, V[i], true);
	}
}

/* Logits far from 0 must not overflow, and a sure target costs nothing. */
KT_TEST(xent_far)
{
	int32_t target[] = { 0, 1, 1 }, *tg = kt_ints(t, target, 3);
	float logits[] = { 3e4f, -3e4f, -3e4f, 3e4f, 88, -90 }, one[] = { 1, 1, 1 };
	float *loss = kt_out(t, 3), *x = kt_inout(t, 6, 1), *s = kt_inout(t, 3, 1);
	const float *l;

	t->d.be->put(&t->d, x, logits, sizeof(logits));
	t->d.be->put(&t->d, s, one, sizeof(one));
	kt_done(t, SG_CALL(&t->d, xent, loss, x, tg, s, 3, 2), "xent");
	l = kt_got(t, loss);
	if (l[0] != 0 || l[1] != 0 || fabsf(l[2] - 178) > 1e-4f)
		kt_limit(t, "far logits", 1, 0);
	for (int i = 0; i < 4; i++)
		if (kt_got(t, x)[i] != 0)
			kt_limit(t, "gradient of a sure target", 1, 0);
	kt_clear(t);
}

KT_TEST(xent_range)
{
	int32_t target[] = { 0, 2 }, *tg = kt_ints(t, target, 2);
	float *loss = kt_out(t, 2), *x = kt_inout(t, 4, 1);

	if (kt_answer(t, SG_CALL(&t->d, xent, loss, x, tg, NULL, 2, 2), x) != -SG_E_CORRUPT)
		kt_limit(t, "a target outside the vocabulary", 1, 0);
	kt_clear(t);
}
