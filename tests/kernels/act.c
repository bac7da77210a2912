#include "tests/kernels/kt.h"
#include <math.h>

static double f(enum sg_act act, double x)
{
	switch (act) {
	case SG_ACT_NONE: return x;
	case SG_ACT_SILU: return x / (1 + exp(-x));
	case SG_ACT_GELU: return x * 0.5 * erfc(-x / sqrt(2));
	case SG_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
	case SG_ACT_RELU: return x > 0 ? x : 0;
	}
	return NAN;
}

static double df(enum sg_act act, double x)
{
	const double h = 1e-5;

	if (act == SG_ACT_RELU)
		return x > 0;
	return (f(act, x + h) - f(act, x - h)) / (2 * h);
}

static void run(struct kt *t, enum sg_act act, size_t n)
{
	float *y = kt_out(t, n), *dx = kt_out(t, n), *x = kt_in(t, n, 3), *up = kt_in(t, n, 1), *dy = kt_in(t, n, 1);
	float *g = kt_out(t, n), *dg = kt_out(t, n), *du = kt_out(t, n), *same = kt_inout(t, n, 1);
	const float *hx = kt_was(t, x), *hu = kt_was(t, up), *hdy = kt_was(t, dy);
	/* one element alone may sit where the derivative cancels */
	double *w[5], limit = n < 10 ? 2e-6 : 5e-7;
	int rc;

	for (int i = 0; i < 5; i++)
		w[i] = kt_doubles(n);
	rc = SG_CALL(&t->d, act_fwd, y, x, act, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, act_bwd, dx, dy, x, act, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, glu_fwd, g, x, up, act, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, glu_bwd, dg, du, dy, x, up, act, n);
	rc = rc < 0 ? rc : SG_CALL(&t->d, act_fwd, same, same, act, n);
	kt_done(t, rc, "act");
	for (size_t i = 0; kt_ref(t) && i < n; i++) {
		double a = f(act, (double)hx[i]), d = df(act, (double)hx[i]);

		w[0][i] = a;
		w[1][i] = d * (double)hdy[i];
		w[2][i] = a * (double)hu[i];
		w[3][i] = d * (double)hdy[i] * (double)hu[i];
		w[4][i] = a * (double)hdy[i];
	}
	if (kt_ref(t)) {
		kt_limit(t, "act_fwd", kt_err(kt_got(t, y), w[0], n), 2e-7);
		kt_limit(t, "act_bwd", kt_err(kt_got(t, dx), w[1], n), limit);
		kt_limit(t, "glu_fwd", kt_err(kt_got(t, g), w[2], n), 2e-7);
		kt_limit(t, "glu_bwd gate", kt_err(kt_got(t, dg), w[3], n), limit);
		kt_limit(t, "glu_bwd up", kt_err(kt_got(t, du), w[4], n), 2e-7);
		for (size_t i = 0; i < n; i++)
			w[0][i] = f(act, (double)kt_was(t, same)[i]);
		kt_limit(t, "act_fwd in place", kt_err(kt_got(t, same), w[0], n), 2e-7);
	}
	for (int i = 0; i < 5; i++)
		free(w[i]);
	kt_clear(t);
}

KT_TEST(act)
{
	static const enum sg_act all[] = { SG_ACT_NONE, SG_ACT_SILU, SG_ACT_GELU, SG_ACT_GELU_TANH, SG_ACT_RELU };

	for (size_t i = 0; i < SG_LEN(all); i++) {
		run(t, all[i], 1);
		run(t, all[i], 61);
		run(t, all[i], 9001);
	}
}
