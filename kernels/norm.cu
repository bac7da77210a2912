/*
 * Root mean square norm and layer norm; norm.c and layernorm.c have the formulas.
 * Sixteen threads have a row: thread l the elements l, l + 16, ..., so that sums
 * have their shape and each element is read and written by one thread.
 */
#include "kernels/cuda.cuh"

#define ROWS (SG_THREADS / SG_LANES)	/* of a block */

struct norm {
	float *y, *mean_out, *rstd_out, *dw, *db;
	const float *x, *w, *b, *dy, *mean, *rstd;
	float eps;
	size_t N, D;
	bool add;
};

static unsigned blocks(size_t N)
{
	return (unsigned)((N + ROWS - 1) / ROWS);
}

/* This thread's row; rows past the end take part in barriers only: they have no elements. */
#define ROW(a) \
	__shared__ float join[SG_THREADS]; \
	size_t row = (size_t)blockIdx.x * ROWS + threadIdx.x / SG_LANES; \
	size_t l = threadIdx.x % SG_LANES, D = row < (a).N ? (a).D : 0, at = row * (a).D
#define LANE(k) size_t k = l; k < D; k += SG_LANES

__global__ static void rms_fwd(struct norm a)
{
	ROW(a);
	const float *x = a.x + at;
	float s = 0, r;

	for (LANE(k))
		s = sg_fmaf(x[k], x[k], s);
	r = sg_rsqrtf(sg_lanes_join(join, s) / (float)a.D + a.eps);
	if (!l && row < a.N)
		a.rstd_out[row] = r;
	for (LANE(k))
		a.y[at + k] = a.w ? x[k] * r * a.w[k] : x[k] * r;
}

__global__ static void rms_bwd(struct norm a)
{
	ROW(a);
	const float *x = a.x + at, *dy = a.dy + at;
	float s = 0, r = row < a.N ? a.rstd[row] : 0, f;

	for (LANE(k))
		s = sg_fmaf(a.w ? dy[k] * a.w[k] : dy[k], x[k], s);
	f = -(r * r * r * (sg_lanes_join(join, s) / (float)a.D));
	for (LANE(k)) {
		float g = a.w ? dy[k] * a.w[k] : dy[k], v = sg_fmaf(f, x[k], r * g);

		a.y[at + k] = a.add ? a.y[at + k] + v : v;
	}
}

__global__ static void layer_fwd(struct norm a)
{
	ROW(a);
	const float *x = a.x + at;
	float s = 0, m, r;

	for (LANE(k))
		s = s + x[k];
	m = sg_lanes_join(join, s) / (float)a.D;
	s = 0;
	for (LANE(k)) {
		float c = x[k] - m;

		s = sg_fmaf(c, c, s);
	}
	r = sg_rsqrtf(sg_lanes_join(join, s) / (float)a.D + a.eps);
	if (!l && row < a.N) {
		a.mean_out[row] = m;
		a.rstd_out[row] = r;
	}
	for (LANE(k))
		a.y[at + k] = sg_fmaf((x[k] - m) * r, a.w ? a.w[k] : 1.0f, a.b ? a.b[k] : 0.0f);
}

__global__ static void layer_bwd(struct norm a)
{
	ROW(a);
	const float *x = a.x + at, *dy = a.dy + at;
	float m = row < a.N ? a.mean[row] : 0, r = row < a.N ? a.rstd[row] : 0, sum = 0, dot = 0, mg, mgz;

	for (LANE(k)) {
		float g = a.w ? dy[k] * a.w[k] : dy[k], z = (x[k] - m) * r;

		sum = sum + g;
		dot = sg_fmaf(g, z, dot);
	}
	mg = sg_lanes_join(join, sum) / (float)a.D;
	mgz = sg_lanes_join(join, dot) / (float)a.D;
	for (LANE(k)) {
		float g = a.w ? dy[k] * a.w[k] : dy[k], z = (x[k] - m) * r, v = r * sg_fmaf(-mgz, z, g - mg);

		a.y[at + k] = a.add ? a.y[at + k] + v : v;
	}
}

/* Gradients of a column, chains over tokens. mean NULL: no mean is taken away. */
__global__ static void params(struct norm a)
{
	size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
	float dw, db;

	if (k >= a.D)
		return;
	dw = a.dw ? a.dw[k] : 0;
	db = a.db ? a.db[k] : 0;
	for (size_t i = 0; i < a.N; i++) {
		float x = a.x[i * a.D + k], dy = a.dy[i * a.D + k];

		dw = sg_fmaf(dy, (a.mean ? x - a.mean[i] : x) * a.rstd[i], dw);
		db = db + dy;
	}
	if (a.dw)
		a.dw[k] = dw;
	if (a.db)
		a.db[k] = db;
}

int sg_cuda_rmsnorm_fwd(struct sg_device *d, float *y, float *rstd, const float *x, const float *w, float eps, size_t N,
			size_t D)
{
	struct norm a = { .y = y, .rstd_out = rstd, .x = x, .w = w, .eps = eps, .N = N, .D = D };

	SG_RUN_BLOCK(sg_cuda(d), blocks(N), SG_THREADS, rms_fwd, a);
	return 0;
}

int sg_cuda_rmsnorm_bwd(struct sg_device *d, float *dx, float *dw, const float *dy, const float *x, const float *w,
			const float *rstd, size_t N, size_t D, bool add)
{
	struct norm a = { .y = dx, .dw = dw, .x = x, .w = w, .dy = dy, .rstd = rstd, .N = N, .D = D, .add = add };

	/* dw first: dx may overwrite dy */
	if (dw)
		SG_RUN(sg_cuda(d), (unsigned)((D + 63) / 64), 64, params, a);
	SG_RUN_BLOCK(sg_cuda(d), blocks(N), SG_THREADS, rms_bwd, a);
	return 0;
}

int sg_cuda_layernorm_fwd(struct sg_device *d, float *y, float *mean, float *rstd, const float *x, const float *w,
			  const float *b, float eps, size_t N, size_t D)
{
	struct norm a = { .y = y, .mean_out = mean, .rstd_out = rstd, .x = x, .w = w, .b = b, .eps = eps,
			  .N = N, .D = D };

	SG_RUN_BLOCK(sg_cuda(d), blocks(N), SG_THREADS, layer_fwd, a);
	return 0;
}

int sg_cuda_layernorm_bwd(struct sg_device *d, float *dx, float *dw, float *db, const float *dy, const float *x,
			  const float *w, const float *mean, const float *rstd, size_t N, size_t D, bool add)
{
	struct norm a = { .y = dx, .dw = dw, .db = db, .x = x, .w = w, .dy = dy, .mean = mean, .rstd = rstd,
			  .N = N, .D = D, .add = add };

	if (dw || db)
		SG_RUN(sg_cuda(d), (unsigned)((D + 63) / 64), 64, params, a);
	SG_RUN_BLOCK(sg_cuda(d), blocks(N), SG_THREADS, layer_bwd, a);
	return 0;
}
