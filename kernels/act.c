/* Activations and gated units; act.h has the formulas. */
#include "kernels/act.h"
#include "kernels/cpu.h"

#define GRAIN 4096

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
