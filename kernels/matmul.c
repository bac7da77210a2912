/*
 * Linear maps. One product serves all three, C = A B with A and B read through
 * strides, and it has three shapes: few rows (decoding, small dw), few columns
 * (low-rank factors), and the rest, which is blocked for the caches as Goto
 * and van de Geijn (2008) do. Threads and blocks only ever cut rows and
 * columns apart; along k each sum stays one chain.
 */
#include "kernels/tile.h"
#include "base/quant.h"

#define KC     512	/* along k: a panel of B, KC x NR, is read from the second cache at worst */
#define MGROUP 16	/* panels of A a task runs over: they stay in the second */
#define NGROUP 8	/* panels of B a task runs over */
#define MSTEP  ((size_t)MR * 192)	/* rows packed at once */
#define NSTEP  ((size_t)NR * 128)	/* columns packed at once */

struct gemm {
	size_t M, N, K;
	const float *a;		/* a[i * ars + k * aks] */
	size_t ars, aks;
	const void *b;		/* b[k * bks + j * bjs] in dtype, one stride is 1 */
	enum sg_dtype dtype;
	size_t bks, bjs;
	size_t pair;		/* order of the rows of b as a matrix, see struct sg_mat */
	bool strips;		/* these rows are columns here, and to be found one by one */
	float *c;		/* packed rows of N */
	bool add;
	const float *bias;
	struct sg_pool *pool;
	/* of the block at hand */
	float *pa, *pb;
	size_t m0, mc, n0, nc, k0, kc;
	size_t npb;		/* panels of B still to pack */
};

static size_t ceil_div(size_t a, size_t b)
{
	return a / b + (a % b != 0);
}

/* Even cuts no longer than `most`. */
static size_t cut(size_t n, size_t most)
{
	return n ? ceil_div(n, ceil_div(n, most)) : 1;
}

/* Steps along k: quantised rows are only cut between granules. */
static size_t step_k(const struct gemm *g)
{
	size_t step = cut(g->K, KC);

	return sg_dtype_quantised(g->dtype) ? ceil_div(step, SG_GRANULE) * SG_GRANULE : step;
}

/* Row r of the matrix that b is, rows being `step` elements apart. */
static const unsigned char *stored_row(const struct gemm *g, size_t r, size_t step)
{
	struct sg_mat m = { .pair = g->pair };

	return (const unsigned char *)g->b + sg_dtype_bytes(g->dtype, sg_mat_row(&m, r) * step);
}

/* Rows of a quantised or paired matrix side by side: a strip of VL rows is widened,
 * then turned, while it is in the first cache. */
static void pack_strips(const struct gemm *g, float *dst, size_t j0, size_t nr, size_t k0, size_t kc)
{
	enum { STRIP = 2 * SG_GRANULE };
	float strip[VL * STRIP] __attribute__((aligned(64)));
	const unsigned char *row[VL];
	size_t whole = ceil_div(nr, NR) * NR;

	for (size_t j = 0; j < whole; j += VL) {
		size_t rows = j < nr ? SG_MIN(nr - j, VL) : 0;
		float *to = dst + j / NR * NR * kc + j % NR;

		for (size_t i = 0; i < rows; i++)
			row[i] = stored_row(g, j0 + j + i, g->bjs);
		for (size_t k = 0; k < kc; k += STRIP) {
			size_t n = SG_MIN(kc - k, STRIP);

			SG_CPU(widen_rows)(strip, STRIP, row, rows, g->dtype, k0 + k, n);
			SG_CPU(pack_rows)(to + k * NR, NR, strip, SG_F32, STRIP, rows, VL, n, 0);
		}
	}
}

/* n columns from j0 of row k, quantised, into panels of ldp floats. */
static void pack_line(const struct gemm *g, float *dst, size_t ldp, size_t j0, size_t n, size_t k)
{
	enum { LINE = 8 * SG_GRANULE };
	float line[LINE] __attribute__((aligned(64)));
	const unsigned char *row = stored_row(g, k, g->bks);

	for (size_t j = 0; j < n; ) {
		size_t from = (j0 + j) / SG_GRANULE * SG_GRANULE;
		size_t all = SG_MIN(ceil_div(j0 + n - from, SG_GRANULE) * SG_GRANULE, LINE);
		size_t end = SG_MIN(n, from + all - j0);

		SG_CPU(widen_rows)(line, 0, &row, 1, g->dtype, from, all);
		for (; j < end; j += NR)
			memcpy(dst + j / NR * ldp, line + (j0 + j - from), SG_MIN(end - j, NR) * sizeof(float));
	}
}

/* Columns j0 .. j0 + nr of k0 .. k0 + kc as panels of [kc][NR], the last one
 * padded with zeros to whole registers. */
static void pack_b(const struct gemm *g, float *dst, size_t j0, size_t nr, size_t k0, size_t kc)
{
	size_t size = sg_dtypes[g->dtype].size, whole = ceil_div(nr, NR) * NR;
	const unsigned char *src;

	if (g->strips) {
		pack_strips(g, dst, j0, nr, k0, kc);
		return;
	}
	if (g->bks == 1 && !g->pair) {
		src = (const unsigned char *)g->b + (k0 + j0 * g->bjs) * size;
		for (size_t j = 0; j < whole; j += VL) {
			size_t rows = j < nr ? SG_MIN(nr - j, VL) : 0;

			SG_CPU(pack_rows)(dst + j / NR * NR * kc + j % NR, NR, src + j * g->bjs * size,
					  g->dtype, g->bjs, rows, VL, kc, NR * g->bjs * size);
		}
		return;
	}
	/* along memory: all panels of a row before the next row */
	for (size_t k = 0; k < kc; k++) {
		src = stored_row(g, k0 + k, g->bks);
		if (sg_dtype_quantised(g->dtype))
			pack_line(g, dst + k * NR, NR * kc, j0, nr, k0 + k);
		for (size_t j = 0; j < whole; j += NR) {
			float *to = dst + j * kc + k * NR;
			size_t n = SG_MIN(nr - j, NR);

			if (!sg_dtype_quantised(g->dtype))
				SG_CPU(widen)(to, src + (j0 + j) * size, g->dtype, n);
			for (; n % VL; n++)
				to[n] = 0;
		}
	}
}

/* Rows i0 .. i0 + mr of k0 .. k0 + kc as [kc][MR]; rows that are missing are never read. */
static void pack_a(const struct gemm *g, float *dst, size_t i0, size_t mr, size_t k0, size_t kc)
{
	const float *src = g->a + i0 * g->ars + k0 * g->aks;

	if (g->aks == 1) {
		SG_CPU(pack_rows)(dst, MR, src, SG_F32, g->ars, mr, MR, kc, 0);
	} else if (mr == MR) {
		for (size_t k = 0; k < kc; k++)
			memcpy(dst + k * MR, src + k * g->aks, MR * sizeof(float));
	} else {
		for (size_t k = 0; k < kc; k++)
			memcpy(dst + k * MR, src + k * g->aks, mr * sizeof(float));
	}
}

static struct tile tile_at(const struct gemm *g, size_t i, size_t j, size_t k0, size_t kc)
{
	return (struct tile){
		.a = g->a + i * g->ars + k0 * g->aks,
		.ars = g->ars,
		.aks = g->aks,
		.ldb = NR,
		.kc = kc,
		.c = g->c + i * g->N + j,
		.ldc = g->N,
		.first = !k0 && !g->add,
		.bias = g->bias && k0 + kc == g->K ? g->bias + j : NULL,
	};
}

/* Few rows: each panel of columns is packed small piece by small piece, used
 * while it is in the first cache, and forgotten. */
static void few_rows(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct gemm *g = arg;
	float *pb = sg_pool_own(g->pool, w);
	size_t step = step_k(g), k0, j, i;

	for (; lo < hi; lo++) {
		size_t nr = SG_MIN(g->N - lo * NR, NR);
		bool direct = g->dtype == SG_F32 && g->bjs == 1 && !g->pair && nr % VL == 0;

		j = lo * NR;
		k0 = 0;
		do {
			size_t kc = SG_MIN(g->K - k0, step);

			if (!direct)
				pack_b(g, pb, j, nr, k0, kc);
			for (i = 0; i < g->M; i += MR) {
				struct tile t = tile_at(g, i, j, k0, kc);

				t.b = direct ? (const float *)g->b + k0 * g->bks + j : pb;
				t.ldb = direct ? g->bks : NR;
				SG_CPU(tile)(&t, SG_MIN(g->M - i, MR), nr);
			}
			k0 += kc;
		} while (k0 < g->K);
	}
}

static void pack_columns(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct gemm *g = arg;

	(void)w;
	for (; lo < hi; lo++)
		pack_b(g, g->pb + lo * NR * g->K, lo * NR, SG_MIN(g->N - lo * NR, NR), 0, g->K);
}

/* Few columns: B is packed whole, A is read where it lies. */
static void few_columns(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct gemm *g = arg;
	size_t step = step_k(g), k0 = 0, j, i, last = SG_MIN(g->M, hi * MR);

	(void)w;
	do {
		size_t kc = SG_MIN(g->K - k0, step);

		for (i = lo * MR; i < last; i += MR)
			for (j = 0; j < g->N; j += NR) {
				struct tile t = tile_at(g, i, j, k0, kc);

				t.b = g->pb + j * g->K + k0 * NR;
				SG_CPU(tile)(&t, SG_MIN(g->M - i, MR), SG_MIN(g->N - j, NR));
			}
		k0 += kc;
	} while (k0 < g->K);
}

/* Panels of B first, then those of A. */
static void pack_block(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct gemm *g = arg;
	size_t e = SG_MIN(hi, g->npb);

	(void)w;
	if (lo < e) {
		pack_b(g, g->pb + lo * NR * g->kc, g->n0 + lo * NR, SG_MIN(g->nc, e * NR) - lo * NR, g->k0, g->kc);
		lo = e;
	}
	for (; lo < hi; lo++) {
		size_t i = (lo - g->npb) * MR;

		pack_a(g, g->pa + i * g->kc, g->m0 + i, SG_MIN(g->mc - i, MR), g->k0, g->kc);
	}
}

static void run_block(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct gemm *g = arg;
	size_t groups = ceil_div(g->mc, (size_t)MGROUP * MR), i, j;

	(void)w;
	for (; lo < hi; lo++) {
		size_t i0 = lo % groups * MGROUP * MR, i1 = SG_MIN(g->mc, i0 + MGROUP * MR);
		size_t j0 = lo / groups * NGROUP * NR, j1 = SG_MIN(g->nc, j0 + NGROUP * NR);

		for (j = j0; j < j1; j += NR)
			for (i = i0; i < i1; i += MR) {
				struct tile t = tile_at(g, g->m0 + i, g->n0 + j, g->k0, g->kc);

				t.a = g->pa + i * g->kc;
				t.b = g->pb + j * g->kc;
				SG_CPU(tile_packed)(&t, SG_MIN(i1 - i, MR), SG_MIN(j1 - j, NR));
			}
	}
}

static int blocked(struct gemm *g)
{
	size_t kstep = step_k(g);
	size_t mstep = SG_MIN(ceil_div(g->M, MR) * MR, MSTEP);
	size_t nstep = SG_MIN(ceil_div(g->N, NR) * NR, NSTEP);

	SG_TRY(sg_pool_scratch(g->pool, 0, (mstep + nstep) * kstep * sizeof(float)));
	g->pb = sg_pool_shared(g->pool);
	g->pa = g->pb + nstep * kstep;
	for (g->n0 = 0; g->n0 < g->N; g->n0 += nstep) {
		g->nc = SG_MIN(g->N - g->n0, nstep);
		g->k0 = 0;
		do {
			g->kc = SG_MIN(g->K - g->k0, kstep);
			g->npb = ceil_div(g->nc, NR);
			for (g->m0 = 0; g->m0 < g->M; g->m0 += mstep) {
				g->mc = SG_MIN(g->M - g->m0, mstep);
				sg_pool_for(g->pool, g->npb + ceil_div(g->mc, MR), 8, pack_block, g);
				g->npb = 0;
				sg_pool_for(g->pool, ceil_div(g->mc, (size_t)MGROUP * MR) *
					    ceil_div(g->nc, (size_t)NGROUP * NR), 1, run_block, g);
			}
			g->k0 += g->kc;
		} while (g->k0 < g->K);
	}
	return 0;
}

static int gemm(struct sg_device *d, struct gemm g)
{
	if (!sg_dtype_weight(g.dtype))
		return sg_fail(SG_E_UNSUPPORTED, "no matrix product with %s weights", sg_dtypes[g.dtype].name);
	if (!g.M || !g.N)
		return 0;
	g.pool = d->pool;
	if (g.M <= 2 * MR) {
		SG_TRY(sg_pool_scratch(d->pool, (size_t)KC * NR * sizeof(float), 0));
		sg_pool_for(d->pool, ceil_div(g.N, NR), 2, few_rows, &g);
		return 0;
	}
	if (g.N <= 2 * NR) {
		SG_TRY(sg_pool_scratch(d->pool, 0, (size_t)2 * NR * g.K * sizeof(float)));
		g.pb = sg_pool_shared(d->pool);
		sg_pool_for(d->pool, ceil_div(g.N, NR), 1, pack_columns, &g);
		sg_pool_for(d->pool, ceil_div(g.M, MR), 8, few_columns, &g);
		return 0;
	}
	return blocked(&g);
}

/* From row to row of a weight, and from column to column. */
static size_t row_step(const struct sg_mat *w, size_t D)
{
	return w->turned ? 1 : w->ld ? w->ld : D;
}

static size_t column_step(const struct sg_mat *w)
{
	return w->turned ? w->ld : 1;
}

/* Rows that are found one by one are whole blocks one after another. */
static int check_rows(const struct sg_mat *w, size_t D)
{
	if (sg_dtype_quantised(w->dtype) && (w->turned || D % sg_dtypes[w->dtype].block ||
					     row_step(w, D) % sg_dtypes[w->dtype].block))
		return sg_fail(SG_E_UNSUPPORTED, "no matrix product with rows of %zu as %s", D, sg_dtypes[w->dtype].name);
	if (w->pair && w->turned)
		return sg_fail(SG_E_UNSUPPORTED, "no matrix product with pairs of rows turned");
	return 0;
}

int SG_CPU(linear_fwd)(struct sg_device *d, float *y, const float *x, const struct sg_mat *w,
		       const float *bias, size_t N, size_t E, size_t D, bool add)
{
	SG_TRY(check_rows(w, D));
	return gemm(d, (struct gemm){
		.M = N, .N = E, .K = D, .c = y, .add = add, .bias = bias,
		.a = x, .ars = D, .aks = 1,
		.b = w->data, .dtype = w->dtype, .bks = column_step(w), .bjs = row_step(w, D),
		.pair = w->pair, .strips = w->pair || sg_dtype_quantised(w->dtype),
	});
}

int SG_CPU(linear_dx)(struct sg_device *d, float *dx, const float *dy, const struct sg_mat *w,
		      size_t N, size_t E, size_t D, bool add)
{
	SG_TRY(check_rows(w, D));
	return gemm(d, (struct gemm){
		.M = N, .N = D, .K = E, .c = dx, .add = add,
		.a = dy, .ars = E, .aks = 1,
		.b = w->data, .dtype = w->dtype, .bks = row_step(w, D), .bjs = column_step(w),
		.pair = w->pair,
	});
}

struct bias { float *db; const float *dy; size_t N, E; };

static void bias_columns(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct bias *b = arg;
	float *restrict db = b->db;

	(void)w;
	for (size_t i = 0; i < b->N; i++) {
		const float *dy = b->dy + i * b->E;

		for (size_t j = lo; j < hi; j++)
			db[j] += dy[j];
	}
}

int SG_CPU(linear_dw)(struct sg_device *d, float *dw, float *dbias, const float *dy, const float *x,
		      size_t N, size_t E, size_t D)
{
	if (dbias)
		sg_pool_for(d->pool, E, 128, bias_columns, &(struct bias){ dbias, dy, N, E });
	return gemm(d, (struct gemm){
		.M = E, .N = D, .K = N, .c = dw, .add = true,
		.a = dy, .ars = 1, .aks = E,
		.b = x, .dtype = SG_F32, .bks = D, .bjs = 1,
	});
}
