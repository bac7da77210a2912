/*
 * Cross-entropy of rows of logits, in place. m the largest logit, S the sum of
 * e[v] = exp(x[v] - m) in the shape of struct lanes:
 *   loss = log S + m - x[target]      dx[v] = e[v] (scale / S) - scale [v = target]
 */
#include "kernels/cpu.h"

#define PIECE 1024	/* a multiple of LANES, so lanes run on from piece to piece */

struct xent { float *loss, *logits; const int32_t *target; const float *scale; size_t V; };

/* out[v] = exp(x[v] - m), in pieces through tmp when out is NULL; their sum */
static float exp_sum(float *out, const float *x, float m, size_t V)
{
	float tmp[PIECE], s[LANES];
	struct lanes a;

	for (int k = 0; k < LANES / VL; k++)
		a.v[k] = vf_set(0);
	for (size_t v = 0; v < V; v += PIECE) {
		size_t n = SG_MIN(V - v, PIECE), i = 0;
		float *e = out ? out + v : tmp;
		const float *p = x + v;

#pragma GCC ivdep
		for (size_t j = 0; j < n; j++)
			e[j] = sg_expf(p[j] - m);
		for (; i + LANES <= n; i += LANES)
			for (int k = 0; k < LANES / VL; k++)
				a.v[k] = vf_add(a.v[k], vf_load(e + i + k * VL));
		if (i == n)
			continue;
		for (int k = 0; k < LANES / VL; k++)
			vf_store(s + k * VL, a.v[k]);
		for (int k = 0; i < n; k++, i++)
			s[k] += e[i];
		for (int k = 0; k < LANES / VL; k++)
			a.v[k] = vf_load(s + k * VL);
	}
	return lanes_join(&a);
}

static void rows(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct xent *a = arg;
	size_t V = a->V;

	(void)w;
	for (size_t i = lo; i < hi; i++) {
		float *x = a->logits + i * V, m, at, sum, f;
		int32_t t = a->target[i];

		if (t < 0) {
			a->loss[i] = 0;
			if (a->scale)
				memset(x, 0, V * sizeof(float));
			continue;
		}
		m = lanes_max(x, V);
		at = x[t];
		sum = exp_sum(a->scale ? x : NULL, x, m, V);
		a->loss[i] = sg_logf(sum) + (m - at);
		if (!a->scale)
			continue;
		f = a->scale[i] / sum;
		for (size_t v = 0; v < V; v++)
			x[v] *= f;
		x[t] -= a->scale[i];
	}
}

int SG_CPU(xent)(struct sg_device *d, float *loss, float *logits, const int32_t *target,
		 const float *scale, size_t N, size_t V)
{
	for (size_t i = 0; i < N; i++)
		if (target[i] >= 0 && (size_t)target[i] >= V)
			return sg_fail(SG_E_CORRUPT, "target %d is outside the vocabulary of %zu",
				       (int)target[i], V);
	sg_pool_for(d->pool, N, grain_rows(V, 8192), rows,
		    &(struct xent){ loss, logits, target, scale, V });
	return 0;
}
