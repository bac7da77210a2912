#ifndef SG_KERNELS_ACT_H
#define SG_KERNELS_ACT_H
/*
 * Activations, one element each, for every backend. With s = sigmoid(x), P and p the normal
 * distribution and density, c = sqrt(2/pi), t = tanh(c (x + 0.044715 x^3)):
 *   silu       x s                 s + x s (1 - s)
 *   gelu       x P(x)              P(x) + x p(x)
 *   gelu_tanh  x (1 + t) / 2       (1 + t) / 2 + x (1 - t^2) c (1 + 3 * 0.044715 x^2) / 2
 */
#include "base/fmath.h"

SG_HD float act_none(float x) { return x; }
SG_HD float der_none(float x) { (void)x; return 1; }
SG_HD float act_relu(float x) { return x < 0 ? 0 : x; }
SG_HD float der_relu(float x) { return x > 0 ? 1 : 0; }
SG_HD float act_silu(float x) { return x * sg_sigmoidf(x); }

SG_HD float der_silu(float x)
{
	float s = sg_sigmoidf(x);

	return sg_fmaf(x * s, 1.0f - s, s);
}

SG_HD float normal_cdf(float x)
{
	return sg_fmaf(0.5f, sg_erff(x * 0x1.6a09e6p-1f), 0.5f);
}

SG_HD float act_gelu(float x) { return x * normal_cdf(x); }

SG_HD float der_gelu(float x)
{
	return sg_fmaf(x * 0x1.988454p-2f, sg_expf(-0.5f * (x * x)), normal_cdf(x));
}

SG_HD float gelu_t(float x)
{
	return sg_tanhf(0x1.988454p-1f * sg_fmaf(0.044715f * (x * x), x, x));
}

SG_HD float act_gelu_tanh(float x) { return x * sg_fmaf(0.5f, gelu_t(x), 0.5f); }

SG_HD float der_gelu_tanh(float x)
{
	float t = gelu_t(x), u = 0x1.988454p-2f * sg_fmaf(0.134145f, x * x, 1.0f);

	return sg_fmaf(x * u, sg_fmaf(-t, t, 1.0f), sg_fmaf(0.5f, t, 0.5f));
}
#endif
