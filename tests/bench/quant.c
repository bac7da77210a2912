/*
 * What widening costs: products with quantised weights beside the same product
 * with the weights in f32, interleaved so that both see the same machine. For
 * each type and number of rows: GF/s of both (best run) and the ratio of medians.
 * Built and started by quant.sh; not part of `make check`.
 */
#include "kernels/kernels.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/quant.h"
#include "base/rng.h"

enum { E = 1536, D = 768, RUNS = 15, M_MAX = 1024 };

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double once(struct sg_device *d, const struct sg_mat *w, float *x, float *y, size_t M, bool fwd)
{
	double t = sg_clock();

	if (fwd)
		(void)SG_CALL(d, linear_fwd, y, x, w, NULL, M, E, D, false);
	else
		(void)SG_CALL(d, linear_dx, x, y, w, M, E, D, false);
	return sg_clock() - t;
}

static void compare(struct sg_device *d, const struct sg_mat *q, const struct sg_mat *f, float *x, float *y, size_t M,
		    bool fwd)
{
	double a[RUNS], b[RUNS], flop = 2.0 * (double)M * E * D;

	for (int i = 0; i < RUNS; i++) {
		a[i] = once(d, q, x, y, M, fwd);
		b[i] = once(d, f, x, y, M, fwd);
	}
	qsort(a, RUNS, sizeof(*a), order);
	qsort(b, RUNS, sizeof(*b), order);
	printf("%-5s %-3s M %4zu   %7.1f GF/s   f32 %7.1f GF/s   time %.2f of f32\n", sg_dtypes[q->dtype].name,
	       fwd ? "fwd" : "dx", M, flop / a[0] * 1e-9, flop / b[0] * 1e-9, a[RUNS / 2] / b[RUNS / 2]);
}

int main(int argc, char **argv)
{
	static const size_t rows[] = { 1, 16, 64, 256, 1024 };
	float *x = malloc(sizeof(float) * M_MAX * D), *y = malloc(sizeof(float) * M_MAX * E);
	float *f = malloc(sizeof(float) * E * D);
	unsigned char *q = malloc(sizeof(float) * E * D);
	struct sg_device d;

	if (!x || !y || !f || !q || sg_device_open(&d, "cpu", argc > 1 ? (unsigned)atoi(argv[1]) : 1) < 0) {
		fprintf(stderr, "quant: %s\n", sg_error_message());
		return 128;
	}
	printf("# %s\n", d.fingerprint);
	sg_rng_normal(x, (size_t)M_MAX * D, 1, 1);
	sg_rng_normal(y, (size_t)M_MAX * E, 1, 2);
	for (enum sg_dtype t = SG_Q8_0; t < SG_DTYPE_COUNT; t++) {
		struct sg_mat m = { .data = q, .dtype = t, .rows = E, .cols = D };
		struct sg_mat g = { .data = f, .dtype = SG_F32, .rows = E, .cols = D };

		for (size_t i = 0; i < sg_mat_bytes(&m); i++)	/* scales stay small and finite */
			q[i] = (unsigned char)(sg_rng_u64(3, t, i) & 0x3f);
		for (size_t r = 0; r < E; r++)
			sg_mat_widen(f + r * D, &m, r);
		for (size_t i = 0; i < SG_LEN(rows); i++)
			compare(&d, &m, &g, x, y, rows[i], true);
		compare(&d, &m, &g, x, y, 256, false);
	}
	sg_device_close(&d);
	return 0;
}
