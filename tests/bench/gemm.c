/*
 * Our matrix product beside OpenBLAS's, in turn, a few runs each, so that both see the
 * same machine: GF/s of the median run and of the best, and their ratio. Built and
 * started by gemm.sh; not part of `make check`. BLAS is loaded at run time.
 */
#include "kernels/kernels.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rng.h"
#include <dlfcn.h>
#include <time.h>

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
		      const float *b, int ldb, float beta, float *c, int ldc);

enum { ROW_MAJOR = 101, NO = 111, YES = 112, RUNS = 200, BURST = 8 };

static sgemm_fn *sgemm;
static void (*set_threads)(int);

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* y[M,N] = x[M,K] w[N,K]^T ("fwd") or x[M,K] w[K,N] ("dx") */
static void blas(float *y, const float *x, const float *w, int M, int N, int K, bool fwd)
{
	sgemm(ROW_MAJOR, NO, fwd ? YES : NO, M, N, K, 1, x, K, w, fwd ? K : N, 0, y, N);
}

static void ours(struct sg_device *d, float *y, const float *x, const float *w, int M, int N, int K, bool fwd)
{
	struct sg_mat m = { .data = w, .dtype = SG_F32, .rows = (size_t)(fwd ? N : K), .cols = (size_t)(fwd ? K : N) };

	if (fwd)
		SG_CALL(d, linear_fwd, y, x, &m, NULL, (size_t)M, (size_t)N, (size_t)K, false);
	else
		SG_CALL(d, linear_dx, y, x, &m, (size_t)M, (size_t)K, (size_t)N, false);
}

static void one(int who, struct sg_device *d, float *y, const float *x, const float *w, int M, int N, int K, bool fwd)
{
	if (!who)
		ours(d, y, x, w, M, N, K, fwd);
	else if (sgemm)
		blas(y, x, w, M, N, K, fwd);
}

/*
 * BURST timed runs after one that is not. The pause before them lets the other
 * side's threads go to sleep: they spin for a while after their last product, and
 * on as many processors as threads that would be measured instead.
 */
static void burst(double *t, int who, struct sg_device *d, float *y, const float *x, const float *w, int M, int N,
		  int K, bool fwd)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	one(who, d, y, x, w, M, N, K, fwd);
	for (int i = 0; i < BURST; i++) {
		double s = sg_clock();

		one(who, d, y, x, w, M, N, K, fwd);
		t[i] = sg_clock() - s;
	}
}

static void bench(struct sg_device *d, unsigned threads, int M, int K, int N, bool fwd)
{
	static double t[2][RUNS];
	double flop = 2.0 * M * N * K, med[2], best[2];
	int runs = (int)(3e10 / flop);
	float *x = malloc(sizeof(float) * (size_t)M * (size_t)K), *w = malloc(sizeof(float) * (size_t)K * (size_t)N);
	float *y = malloc(sizeof(float) * (size_t)M * (size_t)N);

	runs = SG_MIN(SG_MAX(runs, 9), RUNS);
	if (!x || !w || !y)
		abort();
	sg_rng_normal(x, (size_t)M * (size_t)K, 1, 1);
	sg_rng_normal(w, (size_t)K * (size_t)N, 1, 2);
	runs -= runs % BURST;
	for (int r = 0; r < runs; r += BURST)
		for (int who = 0; who < 2; who++)
			burst(t[who] + r, who, d, y, x, w, M, N, K, fwd);
	for (int who = 0; who < 2; who++) {
		qsort(t[who], (size_t)runs, sizeof(double), order);
		med[who] = flop / t[who][runs / 2] * 1e-9;
		best[who] = flop / t[who][0] * 1e-9;
	}
	printf("%-3s %4dx%4dx%5d %u thread%s  sg %6.1f (best %6.1f)", fwd ? "fwd" : "dx", M, K, N, threads,
	       threads > 1 ? "s" : " ", med[0], best[0]);
	if (sgemm)
		printf("  blas %6.1f (best %6.1f)  ratio %.2f (best %.2f)", med[1], best[1],
		       med[0] / med[1], best[0] / best[1]);
	printf("\n");
	fflush(stdout);
	free(x);
	free(w);
	free(y);
}

int main(int argc, char **argv)
{
	static const int shape[][3] = { { 512, 576, 1536 }, { 1024, 768, 3072 }, { 1024, 3072, 768 } };
	static const int skinny[][3] = { { 1, 576, 1536 }, { 4, 768, 3072 }, { 1024, 768, 16 }, { 1024, 16, 768 } };
	void *h = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	char *(*config)(void);

	if (h) {
		sgemm = (sgemm_fn *)dlsym(h, "cblas_sgemm");
		set_threads = (void (*)(int))dlsym(h, "openblas_set_num_threads");
		config = (char *(*)(void))dlsym(h, "openblas_get_config");
		printf("# %s\n", config ? config() : argv[1]);
	} else {
		printf("# no BLAS: %s\n", argc > 1 ? dlerror() : "none given");
	}
	for (unsigned threads = 1; threads <= 2; threads++) {
		struct sg_device d;

		if (sg_device_open(&d, "cpu", threads) < 0) {
			fprintf(stderr, "%s\n", sg_error_message());
			return 1;
		}
		if (set_threads)
			set_threads((int)threads);
		for (size_t i = 0; i < SG_LEN(shape); i++)
			for (int fwd = 1; fwd >= 0; fwd--)
				bench(&d, threads, shape[i][0], shape[i][1], shape[i][2], fwd);
		for (size_t i = 0; argc > 2 && i < SG_LEN(skinny); i++)
			bench(&d, threads, skinny[i][0], skinny[i][1], skinny[i][2], true);
		sg_device_close(&d);
	}
	return 0;
}
