/* Two axes in the middle changed about: y[N,B,A,R] = x[N,A,B,R]. */
#include "kernels/cpu.h"

struct swap { float *y; const float *x; size_t A, B, R; };

static void run(void *arg, size_t lo, size_t hi, unsigned worker)
{
	const struct swap *s = arg;

	(void)worker;
	for (size_t i = lo; i < hi; i++)
		for (size_t a = 0; a < s->A; a++)
			for (size_t b = 0; b < s->B; b++)
				memcpy(s->y + ((i * s->B + b) * s->A + a) * s->R, s->x + ((i * s->A + a) * s->B + b) * s->R,
				       s->R * sizeof(float));
}

int SG_CPU(swap_axes)(struct sg_device *d, float *y, const float *x, size_t N, size_t A, size_t B, size_t R)
{
	sg_pool_for(d->pool, N, grain_rows(A * B * R, 8192), run, &(struct swap){ y, x, A, B, R });
	return 0;
}
