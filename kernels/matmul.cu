/*
 * Linear maps. One product serves all three, C = A B with A and B read through
 * strides. Each element of C is one chain of fma over k in increasing order, kept
 * by one thread: tiles cut rows and columns only, so neither the size of a tile
 * nor the number of SMs shows in a result. The next tiles are on their way from
 * memory while one is multiplied.
 *
 * Weights that are not f32 are widened in panels that stay in the second cache; a
 * panel that cuts k continues the chain from what stands in C, which is exact.
 */
#include "base/quant.h"
#include "kernels/cuda.cuh"

struct gemm {
	size_t M, N, K;
	const float *a, *b;	/* a[i * ars + k * aks], b[k * bks + j * bjs]; one stride of each is 1 */
	size_t ars, aks, bks, bjs;
	float *c;		/* rows of ldc */
	size_t ldc;
	bool add;
	const float *bias;
};

/* SG_THREADS threads have a tile of TM x TN each, one of BK steps is in shared memory. */
struct large { enum { BM = 128, BN = 128, BK = 16, TM = 8, TN = 8 }; };
struct small { enum { BM = 32, BN = 32, BK = 32, TM = 2, TN = 2 }; };

/*
 * A BK x W tile whose element (k, w) is at p[k * ks + w * ws], through registers:
 * neighbouring threads read along the stride that is 1. Outside there are zeros.
 */
template <int W, int BK> struct stage {
	enum { EACH = W * BK / SG_THREADS };
	float v[EACH];

	__device__ static void place(unsigned n, bool along_k, unsigned *k, unsigned *w)
	{
		*k = along_k ? n % BK : n / W;
		*w = along_k ? n / BK : n % W;
	}

	__device__ void fetch(const float *p, size_t ks, size_t ws, size_t k0, size_t K, size_t w0, size_t N)
	{
		unsigned k, w;

		SG_UNROLL
		for (int i = 0; i < EACH; i++) {
			place(threadIdx.x + (unsigned)i * SG_THREADS, ks == 1, &k, &w);
			v[i] = k0 + k < K && w0 + w < N ? p[(k0 + k) * ks + (w0 + w) * ws] : 0;
		}
	}

	__device__ void store(float (*s)[W + 4], bool along_k)
	{
		unsigned k, w;

		SG_UNROLL
		for (int i = 0; i < EACH; i++) {
			place(threadIdx.x + (unsigned)i * SG_THREADS, along_k, &k, &w);
			s[k][w] = v[i];
		}
	}
};

/* The sums of a thread. Its columns are fours that stand apart, so that the threads
 * of a warp read neighbouring fours of a row. */
template <class T> struct sums {
	enum { FOUR = T::TN < 4 ? T::TN : 4, ACROSS = T::BN / T::TN };
	float acc[T::TM][T::TN];

	__device__ static unsigned row(int i)
	{
		return threadIdx.x / ACROSS * T::TM + (unsigned)i;
	}

	__device__ static unsigned column(int j)
	{
		return (unsigned)(j / FOUR * FOUR * ACROSS) + threadIdx.x % ACROSS * FOUR + (unsigned)(j % FOUR);
	}

	__device__ void step(const float *a, const float *b)
	{
		float x[T::TM], y[T::TN];

		SG_UNROLL
		for (int i = 0; i < T::TM; i++)
			x[i] = a[row(i)];
		SG_UNROLL
		for (int j = 0; j < T::TN; j++)
			y[j] = b[column(j)];
		SG_UNROLL
		for (int i = 0; i < T::TM; i++)
			SG_UNROLL
			for (int j = 0; j < T::TN; j++)
				acc[i][j] = sg_fmaf(x[i], y[j], acc[i][j]);
	}
};

template <class T> __global__ static void __launch_bounds__(SG_THREADS, 2) product(struct gemm g)
{
	__shared__ __align__(16) float sa[T::BK][T::BM + 4], sb[T::BK][T::BN + 4];
	size_t wide = (g.N + T::BN - 1) / T::BN;
	size_t m0 = blockIdx.x / wide * T::BM, n0 = blockIdx.x % wide * T::BN;
	stage<T::BM, T::BK> ta;
	stage<T::BN, T::BK> tb;
	sums<T> s;

	SG_UNROLL
	for (int i = 0; i < T::TM; i++)
		SG_UNROLL
		for (int j = 0; j < T::TN; j++) {
			bool in = g.add && m0 + s.row(i) < g.M && n0 + s.column(j) < g.N;

			s.acc[i][j] = in ? g.c[(m0 + s.row(i)) * g.ldc + n0 + s.column(j)] : 0;
		}
	ta.fetch(g.a, g.aks, g.ars, 0, g.K, m0, g.M);
	tb.fetch(g.b, g.bks, g.bjs, 0, g.K, n0, g.N);
	for (size_t k0 = 0; k0 < g.K; k0 += T::BK) {
		ta.store(sa, g.aks == 1);
		tb.store(sb, g.bks == 1);
		__syncthreads();
		ta.fetch(g.a, g.aks, g.ars, k0 + T::BK, g.K, m0, g.M);
		tb.fetch(g.b, g.bks, g.bjs, k0 + T::BK, g.K, n0, g.N);
		if (g.K - k0 >= T::BK) {
			SG_UNROLL
			for (unsigned k = 0; k < T::BK; k++)
				s.step(sa[k], sb[k]);
		} else {
			for (unsigned k = 0; k < g.K - k0; k++)
				s.step(sa[k], sb[k]);
		}
		__syncthreads();
	}
	SG_UNROLL
	for (int i = 0; i < T::TM; i++)
		SG_UNROLL
		for (int j = 0; j < T::TN; j++)
			if (m0 + s.row(i) < g.M && n0 + s.column(j) < g.N) {
				float v = s.acc[i][j], *c = g.c + (m0 + s.row(i)) * g.ldc + n0 + s.column(j);

				*c = g.bias ? v + g.bias[n0 + s.column(j)] : v;
			}
}

template <class T> static size_t tiles(const struct gemm *g)
{
	return ((g->M + T::BM - 1) / T::BM) * ((g->N + T::BN - 1) / T::BN);
}

/* Small tiles where large ones would leave SMs idle or be mostly empty. */
static int run(struct sg_device *d, struct gemm g)
{
	bool few = g.M <= 48 || g.N <= 48 || tiles<large>(&g) < (size_t)sg_cuda(d)->sms;
	size_t n = few ? tiles<small>(&g) : tiles<large>(&g);

	if (!n)
		return 0;
	if (n >= (size_t)1 << 31)
		return sg_fail(SG_E_UNSUPPORTED, "cuda: a product of %zu x %zu is too large", g.M, g.N);
	if (few)
		SG_RUN_BLOCK(sg_cuda(d), (unsigned)n, SG_THREADS, product<small>, g);
	else
		SG_RUN_BLOCK(sg_cuda(d), (unsigned)n, SG_THREADS, product<large>, g);
	return 0;
}

/* Rows of a weight that make a panel, at least one. */
static size_t panel_rows(size_t D)
{
	return SG_MAX(SG_PANEL / SG_MAX(D, 1), 1);
}

/* Rows lo .. of w, widened; *n of them: all when w is f32 already. */
static int panel(struct sg_device *d, const float **out, size_t *n, const struct sg_mat *w, size_t lo, size_t E, size_t D)
{
	void *room;

	*n = E - lo;
	*out = (const float *)w->data + lo * D;
	if (w->dtype == SG_F32)
		return 0;
	*n = SG_MIN(*n, panel_rows(D));
	SG_TRY(sg_cuda_room(d, &room, *n * D * sizeof(float)));
	*out = (const float *)room;
	return sg_cuda_widen(d, (float *)room, w, lo * D, *n * D);
}

int sg_cuda_linear_fwd(struct sg_device *d, float *y, const float *x, const struct sg_mat *w, const float *bias, size_t N,
		       size_t E, size_t D, bool add)
{
	struct gemm g = { .M = N, .K = D, .a = x, .ars = D, .aks = 1, .bks = 1, .bjs = D, .ldc = E, .add = add };

	SG_TRY(sg_cuda_check_mat(w, D, "matrix product"));
	for (size_t lo = 0; lo < E; lo += g.N) {
		SG_TRY(panel(d, &g.b, &g.N, w, lo, E, D));
		g.c = y + lo;
		g.bias = bias ? bias + lo : NULL;
		SG_TRY(run(d, g));
	}
	return 0;
}

int sg_cuda_linear_dx(struct sg_device *d, float *dx, const float *dy, const struct sg_mat *w, size_t N, size_t E,
		      size_t D, bool add)
{
	struct gemm g = { .M = N, .N = D, .ars = E, .aks = 1, .bks = D, .bjs = 1, .c = dx, .ldc = D, .add = add };
	size_t lo = 0;

	SG_TRY(sg_cuda_check_mat(w, D, "matrix product"));
	do {
		SG_TRY(panel(d, &g.b, &g.K, w, lo, E, D));
		g.a = dy + lo;
		SG_TRY(run(d, g));
		g.add = true;
		lo += g.K;
	} while (lo < E);
	return 0;
}

/* Column sums, a chain over rows each */
__global__ static void bias_columns(float *db, const float *dy, size_t N, size_t E)
{
	size_t j = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
	float s;

	if (j >= E)
		return;
	s = db[j];
	for (size_t i = 0; i < N; i++)
		s = s + dy[i * E + j];
	db[j] = s;
}

int sg_cuda_linear_dw(struct sg_device *d, float *dw, float *dbias, const float *dy, const float *x, size_t N, size_t E,
		      size_t D)
{
	struct gemm g = { .M = E, .N = D, .K = N, .a = dy, .b = x, .ars = 1, .aks = E, .bks = D, .bjs = 1,
			  .c = dw, .ldc = D, .add = true };

	if (dbias)
		SG_RUN(sg_cuda(d), (unsigned)((E + 63) / 64), 64, bias_columns, dbias, dy, N, E);
	return run(d, g);
}
