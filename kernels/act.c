/*
 * Activations and gated units. With s = sigmoid(x), P and p the normal
 * distribution and density, c = sqrt(2/pi), t = tanh(c (x + 0.044715 x^3)):
 *   silu       x s                 s + x s (1 - s)
 *   gelu       x P(x)              P(x) + x p(x)
 *   gelu_tanh  x (1 + t) / 2       (1 + t) / 2 + x (1 - t^2) c (1 + 3 * 0.044715 x^2) / 2
 */
#include "kernels/cpu.h"

#define GRAIN 4096

static inline float act_none(float x) { return x; }
static inline float der_none(float x) { (void)x; return 1; }
static inline float act_relu(float x) { return x < 0 ? 0 : x; }
static inline float der_relu(float x) { return x > 0 ? 1 : 0; }
static inline float act_silu(float x) { return x * sg_sigmoidf(x); }

static inline float der_silu(float x)
{
	float s = sg_sigmoidf(x);

	return sg_fmaf(x * s, 1.0f - s, s);
}

static inline float normal_cdf(float x)
{
	return sg_fmaf(0.5f, sg_erff(x * 0x1.6a09e6p-1f), 0.5f);
}

static inline float act_gelu(float x) { return x * normal_cdf(x); }

static inline float der_gelu(float x)
{
	return sg_fmaf(x * 0x1.988454p-2f, sg_expf(-0.5f * (x * x)), normal_cdf(x));
}

static inline float gelu_t(float x)
{
	return sg_tanhf(0x1.988454p-1f * sg_fmaf(0.044715f * (x * x), x, x));
}

static inline float act_gelu_tanh(float x) { return x * sg_fmaf(0.5f, gelu_t(x), 0.5f); }

static inline float der_gelu_tanh(float x)
{
	float t = gelu_t(x), u = 0x1.988454p-2f * sg_fmaf(0.134145f, x * x, 1.0f);

	return sg_fmaf(x * u, sg_fmaf(-t, t, 1.0f), sg_fmaf(0.5f, t, 0.5f));
}

struct act { float *y, *z; const float *x, *u, *dy; };

/* Outputs may be inputs: each element stands alone. */
#define LOOP(name, kind, body) \
	static void name##_##kind(void *arg, size_t lo, size_t hi, unsigned w) \
	{ \
		const struct act *a = arg; \
		const float *x = a->x, *u = a->u, *dy = a->dy; \
		float *y = a->y, *z = a->z; \
		(void)w; \
		(void)u; \
		(void)dy; \
		(void)z; \
		_Pragma("GCC ivdep") \
		for (size_t i = lo; i < hi; i++) { body; } \
	}
#define LOOPS(kind) \
	LOOP(fwd, kind, y[i] = act_##kind(x[i])) \
	LOOP(bwd, kind, y[i] = dy[i] * der_##kind(x[i])) \
	LOOP(gfwd, kind, y[i] = act_##kind(x[i]) * u[i]) \
	LOOP(gbwd, kind, \
	     float g = dy[i]; float xi = x[i]; float ui = u[i]; \
	     y[i] = g * ui * der_##kind(xi); z[i] = g * act_##kind(xi))
LOOPS(none)
LOOPS(silu)
LOOPS(gelu)
LOOPS(gelu_tanh)
LOOPS(relu)

enum { FWD, BWD, GFWD, GBWD };
#define ROW(id, kind) [id] = { fwd_##kind, bwd_##kind, gfwd_##kind, gbwd_##kind }
static const sg_pool_fn table[][4] = {
	ROW(SG_ACT_NONE, none), ROW(SG_ACT_SILU, silu), ROW(SG_ACT_GELU, gelu),
	ROW(SG_ACT_GELU_TANH, gelu_tanh), ROW(SG_ACT_RELU, relu),
};

static int run(struct sg_device *d, int what, enum sg_act act, size_t n, struct act a)
{
	if ((size_t)act >= SG_LEN(table))
		return sg_fail(SG_E_UNSUPPORTED, "no such activation: %d", (int)act);
	sg_pool_for(d->pool, n, GRAIN, table[act][what], &a);
	return 0;
}

int SG_CPU(act_fwd)(struct sg_device *d, float *y, const float *x, enum sg_act act, size_t n)
{
	return run(d, FWD, act, n, (struct act){ .y = y, .x = x });
}

int SG_CPU(act_bwd)(struct sg_device *d, float *dx, const float *dy, const float *x,
		    enum sg_act act, size_t n)
{
	return run(d, BWD, act, n, (struct act){ .y = dx, .x = x, .dy = dy });
}

int SG_CPU(glu_fwd)(struct sg_device *d, float *y, const float *gate, const float *up,
		    enum sg_act act, size_t n)
{
	return run(d, GFWD, act, n, (struct act){ .y = y, .x = gate, .u = up });
}

int SG_CPU(glu_bwd)(struct sg_device *d, float *dgate, float *dup, const float *dy,
		    const float *gate, const float *up, enum sg_act act, size_t n)
{
	return run(d, GBWD, act, n, (struct act){ .y = dgate, .z = dup, .x = gate, .u = up, .dy = dy });
}
