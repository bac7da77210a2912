/* Activations and gated units; act.h has the formulas. */
#include "kernels/act.h"
#include "kernels/cuda.cuh"

/* Outputs may be inputs: each element stands alone. */
#define KERNELS(kind) \
	__global__ static void fwd_##kind(float *y, const float *x, size_t n) \
	{ \
		for (SG_EACH(i, n)) \
			y[i] = act_##kind(x[i]); \
	} \
	__global__ static void bwd_##kind(float *dx, const float *dy, const float *x, size_t n) \
	{ \
		for (SG_EACH(i, n)) \
			dx[i] = dy[i] * der_##kind(x[i]); \
	} \
	__global__ static void gfwd_##kind(float *y, const float *x, const float *u, size_t n) \
	{ \
		for (SG_EACH(i, n)) \
			y[i] = act_##kind(x[i]) * u[i]; \
	} \
	__global__ static void gbwd_##kind(float *dx, float *du, const float *dy, const float *x, const float *u, \
					size_t n) \
	{ \
		for (SG_EACH(i, n)) { \
			float g = dy[i], xi = x[i], ui = u[i]; \
			dx[i] = g * ui * der_##kind(xi); \
			du[i] = g * act_##kind(xi); \
		} \
	}
KERNELS(none)
KERNELS(silu)
KERNELS(gelu)
KERNELS(gelu_tanh)
KERNELS(relu)

#define SWITCH(act, n, what, ...) do { \
	switch (act) { \
	case SG_ACT_NONE: SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, what##_none, __VA_ARGS__, n); return 0; \
	case SG_ACT_SILU: SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, what##_silu, __VA_ARGS__, n); return 0; \
	case SG_ACT_GELU: SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, what##_gelu, __VA_ARGS__, n); return 0; \
	case SG_ACT_GELU_TANH: SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, what##_gelu_tanh, __VA_ARGS__, n); return 0; \
	case SG_ACT_RELU: SG_RUN(sg_cuda(d), sg_blocks(n), SG_THREADS, what##_relu, __VA_ARGS__, n); return 0; \
	} \
	return sg_fail(SG_E_UNSUPPORTED, "no such activation: %d", (int)(act)); \
} while (0)

int sg_cuda_act_fwd(struct sg_device *d, float *y, const float *x, enum sg_act act, size_t n)
{
	SWITCH(act, n, fwd, y, x);
}

int sg_cuda_act_bwd(struct sg_device *d, float *dx, const float *dy, const float *x, enum sg_act act, size_t n)
{
	SWITCH(act, n, bwd, dx, dy, x);
}

int sg_cuda_glu_fwd(struct sg_device *d, float *y, const float *gate, const float *up, enum sg_act act, size_t n)
{
	SWITCH(act, n, gfwd, y, gate, up);
}

int sg_cuda_glu_bwd(struct sg_device *d, float *dgate, float *dup, const float *dy, const float *gate, const float *up,
		    enum sg_act act, size_t n)
{
	SWITCH(act, n, gbwd, dgate, dup, dy, gate, up);
}
