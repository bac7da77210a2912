/*
 * Causal attention inside segments. For query i of head h, keys j = begin .. i:
 *   s[j] = scale (q . k[j])    m = max s    e[j] = exp(s[j] - m)    S = sum e
 *   out = (sum e[j] v[j]) / S               lse = m + log S
 * and backward, from what was kept (Dao and others 2022):
 *   p[j] = exp(fma(scale, q . k[j], -lse))  D = dout . out
 *   ds[j] = p[j] (dout . v[j] - D)          dq = scale (sum ds[j] k[j])
 *   dk[j] = scale (sum ds q)                dv[j] = sum p dout
 * Each dot and each sum is one chain of fma in increasing index (S: of plain
 * additions); dk and dv run over the heads of their group in order and inside
 * a head over the queries. Backward goes twice over the scores, once for
 * queries and once for keys: nobody adds to what another thread writes.
 *
 * NR queries (or keys) stand side by side in the lanes of registers, so that
 * no sum is ever cut. Scores above the diagonal are computed and not used.
 */
#include "kernels/tile.h"

#define CHUNK 768	/* rows of scores held at once in the backward */

/* NR tokens at most, all of one segment */
struct block { size_t lo, n, begin, end; };

/* Rows of heads: [N, heads, K] with room for whole registers behind a row. */
struct rows { const float *p; size_t step, width; };

struct attn {
	float *out, *lse_out, *dq, *dk, *dv, *delta;
	const float *lse;
	struct rows q, k, v, o, dout;
	struct block *block;
	size_t nblock, H, G, K;
	size_t past;		/* of attn_next: keys before the first query's own */
	float scale;
	struct sg_pool *pool;
};

static const float *row(const struct rows *r, size_t token, size_t head)
{
	return r->p + token * r->step + head * r->width;
}

/* Lanes: NR rows of one head from token lo on as [K][NR], zeros after n. */
static void pack_lanes(float *dst, const struct rows *r, size_t lo, size_t n, size_t head, size_t K)
{
	for (size_t j = 0; j < NR; j += VL)
		SG_CPU(pack_rows)(dst + j, NR, row(r, SG_MIN(lo + j, lo + n - 1), head), SG_F32, r->step,
				  j < n ? SG_MIN(n - j, VL) : 0, VL, K, 0);
}

/* s[i][lane] = dot of row lo + i with the lane, i < n */
static void scores(float *s, const struct rows *r, size_t lo, size_t n, size_t head,
		   const float *lanes, size_t K)
{
	for (size_t i = 0; i < n; i += MR) {
		struct tile t = {
			.a = row(r, lo + i, head), .ars = r->step, .aks = 1,
			.b = lanes, .ldb = NR, .kc = K, .c = s + i * NR, .ldc = NR, .first = true,
		};

		SG_CPU(tile)(&t, SG_MIN(n - i, MR), NR);
	}
}

/* c[lane][..K] += chain over i < n of s[i][lane] * row lo + i, for m lanes from
 * `lane` on; `first` starts the chain at 0. */
static void gather(float *c, size_t ldc, const float *s, size_t lane, size_t m, const struct rows *r,
		   size_t lo, size_t n, size_t head, size_t K, bool first)
{
	for (size_t j = 0; j < K; j += NR) {
		struct tile t = {
			.a = s + lane, .ars = 1, .aks = NR,
			.b = row(r, lo, head) + j, .ldb = r->step, .kc = n,
			.c = c + lane * ldc + j, .ldc = ldc, .first = first,
		};

		SG_CPU(tile)(&t, m, SG_MIN(K - j, NR));
	}
}

/* The same for queries in the lanes: a lane takes the diagonal rows up to its own. */
static void gather_lower(float *c, size_t ldc, const float *s, size_t n, const struct rows *r,
			 size_t lo, size_t head, size_t K)
{
	for (size_t i = 0; i < n; i += MR) {
		size_t m = SG_MIN(n - i, MR);

		gather(c, ldc, s, i, m, r, lo, i, head, K, false);
		for (size_t k = i; k < i + m; k++)
			gather(c, ldc, s + i * NR, k, 1, r, lo + i, k - i + 1, head, K, false);
	}
}

/* And for keys in the lanes: a lane takes the rows from its own on. */
static void gather_upper(float *c, size_t ldc, const float *s, size_t n, const struct rows *r,
			 size_t lo, size_t head, size_t K, bool first)
{
	for (size_t i = 0; i < n; i += MR) {
		size_t m = SG_MIN(n - i, MR), e = i + m;

		for (size_t k = i; k < e; k++)
			gather(c, ldc, s + k * NR, k, 1, r, lo + k, e - k, head, K, first);
		gather(c, ldc, s + e * NR, i, m, r, lo + e, n - e, head, K, false);
	}
}

/* ---- forward ---- */

/* s becomes exp(scale s - m); rows from `full` on are the diagonal. */
static void softmax(float *s, float *m, float *sum, size_t full, size_t n, float scale)
{
	for (size_t i = 0; i < NR; i++) {
		m[i] = -__builtin_inff();
		sum[i] = 0;
	}
	for (size_t j = 0; j < full; j++)
		for (size_t i = 0; i < NR; i++) {
			float x = scale * s[j * NR + i];

			s[j * NR + i] = x;
			m[i] = x > m[i] ? x : m[i];
		}
	for (size_t j = 0; j < n; j++)
		for (size_t i = 0; i < NR; i++) {
			float x = i < j ? -__builtin_inff() : scale * s[(full + j) * NR + i];

			s[(full + j) * NR + i] = x;
			m[i] = x > m[i] ? x : m[i];
		}
	/* above the diagonal this adds exp(-inf) = 0: nothing */
	for (size_t j = 0; j < full + n; j++)
		for (size_t i = 0; i < NR; i++) {
			float e = sg_expf(s[j * NR + i] - m[i]);

			s[j * NR + i] = e;
			sum[i] += e;
		}
}

static void fwd_block(const struct attn *a, const struct block *b, size_t h, float *own)
{
	size_t K = a->K, g = h / (a->H / a->G), full = b->lo - b->begin, ldo = a->H * K;
	float *lanes = own, *s = own + K * NR, m[NR], sum[NR];
	float *out = a->out + b->lo * ldo + h * K;

	pack_lanes(lanes, &a->q, b->lo, b->n, h, K);
	scores(s, &a->k, b->begin, full + b->n, g, lanes, K);
	softmax(s, m, sum, full, b->n, a->scale);
	for (size_t i = 0; i < b->n; i += MR)
		gather(out, ldo, s, i, SG_MIN(b->n - i, MR), &a->v, b->begin, full, g, K, true);
	gather_lower(out, ldo, s + full * NR, b->n, &a->v, b->lo, g, K);
	for (size_t i = 0; i < b->n; i++) {
		for (size_t c = 0; c < K; c++)
			out[i * ldo + c] = out[i * ldo + c] / sum[i];
		a->lse_out[(b->lo + i) * a->H + h] = m[i] + sg_logf(sum[i]);
	}
}

/* Late blocks see the most keys: they go first. */
static void fwd(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct attn *a = arg;

	for (; lo < hi; lo++)
		fwd_block(a, &a->block[a->nblock - 1 - lo / a->H], lo % a->H, sg_pool_own(a->pool, w));
}

/* ---- forward, one query over a long past: keys in the lanes ---- */

static void next_row(const struct attn *a, size_t i, size_t h, float *own)
{
	size_t K = a->K, g = h / (a->H / a->G), n = a->past + i + 1;
	float *lanes = own, *s = own + K * NR, *out = a->out + (i * a->H + h) * K;
	float m = -__builtin_inff(), sum = 0;

	for (size_t j = 0; j < n; j += NR) {
		struct tile t = {
			.a = row(&a->q, i, h), .ars = 1, .aks = 1,
			.b = lanes, .ldb = NR, .kc = K, .c = s + j, .ldc = NR, .first = true,
		};

		pack_lanes(lanes, &a->k, j, SG_MIN(n - j, NR), g, K);
		SG_CPU(tile)(&t, 1, NR);
	}
	for (size_t j = 0; j < n; j++) {
		s[j] = a->scale * s[j];
		m = s[j] > m ? s[j] : m;
	}
	for (size_t j = 0; j < n; j++)
		s[j] = sg_expf(s[j] - m);
	for (size_t j = 0; j < n; j++)
		sum += s[j];
	for (size_t c = 0; c < K; c += NR) {
		struct tile t = {
			.a = s, .ars = 1, .aks = 1, .b = row(&a->v, 0, g) + c, .ldb = a->v.step, .kc = n,
			.c = out + c, .ldc = K, .first = true,
		};

		SG_CPU(tile)(&t, 1, SG_MIN(K - c, NR));
	}
	for (size_t c = 0; c < K; c++)
		out[c] = out[c] / sum;
}

static void next(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct attn *a = arg;

	for (; lo < hi; lo++)
		next_row(a, lo / a->H, lo % a->H, sg_pool_own(a->pool, w));
}

/* ---- backward, queries in the lanes ---- */

/* s, dp of n rows become ds */
static void ds_queries(float *s, const float *dp, size_t n, const float *lse, const float *delta, float scale)
{
	for (size_t j = 0; j < n; j++)
		for (size_t i = 0; i < NR; i++)
			s[j * NR + i] = sg_expf(sg_fmaf(scale, s[j * NR + i], -lse[i])) *
					(dp[j * NR + i] - delta[i]);
}

static void query_block(const struct attn *a, const struct block *b, size_t h, float *own)
{
	size_t K = a->K, g = h / (a->H / a->G), full = b->lo - b->begin, ldq = a->H * K;
	float *q = own, *dout = q + K * NR, *s = dout + K * NR, *dp = s + CHUNK * NR;
	float *dq = a->dq + b->lo * ldq + h * K, lse[NR] = { 0 }, delta[NR] = { 0 };

	pack_lanes(dout, &a->dout, b->lo, b->n, h, K);
	pack_lanes(q, &a->o, b->lo, b->n, h, K);
	for (size_t c = 0; c < K; c++)
		for (size_t i = 0; i < NR; i++)
			delta[i] = sg_fmaf(dout[c * NR + i], q[c * NR + i], delta[i]);
	for (size_t i = 0; i < b->n; i++) {
		lse[i] = a->lse[(b->lo + i) * a->H + h];
		a->delta[(b->lo + i) * a->H + h] = delta[i];
	}
	pack_lanes(q, &a->q, b->lo, b->n, h, K);
	for (size_t j = 0; j < full || !j; j += CHUNK) {
		size_t n = SG_MIN(full - j, CHUNK);

		scores(s, &a->k, b->begin + j, n, g, q, K);
		scores(dp, &a->v, b->begin + j, n, g, dout, K);
		ds_queries(s, dp, n, lse, delta, a->scale);
		for (size_t i = 0; i < b->n; i += MR)
			gather(dq, ldq, s, i, SG_MIN(b->n - i, MR), &a->k, b->begin + j, n, g, K, !j);
	}
	scores(s, &a->k, b->lo, b->n, g, q, K);
	scores(dp, &a->v, b->lo, b->n, g, dout, K);
	ds_queries(s, dp, b->n, lse, delta, a->scale);
	gather_lower(dq, ldq, s, b->n, &a->k, b->lo, g, K);
	for (size_t i = 0; i < b->n; i++)
		for (size_t c = 0; c < K; c++)
			dq[i * ldq + c] = dq[i * ldq + c] * a->scale;
}

static void queries(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct attn *a = arg;

	for (; lo < hi; lo++)
		query_block(a, &a->block[a->nblock - 1 - lo / a->H], lo % a->H, sg_pool_own(a->pool, w));
}

/* ---- backward, keys in the lanes ---- */

/* s, dp of the queries lo .. lo + n become p, ds */
static void ds_keys(const struct attn *a, float *s, float *dp, size_t lo, size_t n, size_t h)
{
	for (size_t j = 0; j < n; j++) {
		float lse = a->lse[(lo + j) * a->H + h], delta = a->delta[(lo + j) * a->H + h];

		for (size_t i = 0; i < NR; i++) {
			float p = sg_expf(sg_fmaf(a->scale, s[j * NR + i], -lse));

			s[j * NR + i] = p;
			dp[j * NR + i] = p * (dp[j * NR + i] - delta);
		}
	}
}

static void key_block(const struct attn *a, const struct block *b, size_t g, float *own)
{
	size_t K = a->K, each = a->H / a->G, ld = a->G * K, end = b->lo + b->n;
	float *k = own, *v = k + K * NR, *s = v + K * NR, *dp = s + CHUNK * NR;
	float *dk = a->dk + b->lo * ld + g * K, *dv = a->dv + b->lo * ld + g * K;

	pack_lanes(k, &a->k, b->lo, b->n, g, K);
	pack_lanes(v, &a->v, b->lo, b->n, g, K);
	for (size_t h = g * each; h < (g + 1) * each; h++) {
		bool first = h == g * each;

		scores(s, &a->q, b->lo, b->n, h, k, K);
		scores(dp, &a->dout, b->lo, b->n, h, v, K);
		ds_keys(a, s, dp, b->lo, b->n, h);
		gather_upper(dk, ld, dp, b->n, &a->q, b->lo, h, K, first);
		gather_upper(dv, ld, s, b->n, &a->dout, b->lo, h, K, first);
		for (size_t i = end; i < b->end; i += CHUNK) {
			size_t n = SG_MIN(b->end - i, CHUNK);

			scores(s, &a->q, i, n, h, k, K);
			scores(dp, &a->dout, i, n, h, v, K);
			ds_keys(a, s, dp, i, n, h);
			for (size_t j = 0; j < b->n; j += MR) {
				size_t m = SG_MIN(b->n - j, MR);

				gather(dk, ld, dp, j, m, &a->q, i, n, h, K, false);
				gather(dv, ld, s, j, m, &a->dout, i, n, h, K, false);
			}
		}
	}
	for (size_t j = 0; j < b->n; j++)
		for (size_t c = 0; c < K; c++)
			dk[j * ld + c] = dk[j * ld + c] * a->scale;
}

static void keys(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct attn *a = arg;

	for (; lo < hi; lo++)
		key_block(a, &a->block[lo / a->G], lo % a->G, sg_pool_own(a->pool, w));
}

/* ---- preparation ---- */

/* Blocks of NR tokens from each segment's start. Returns the longest segment. */
static size_t make_blocks(struct attn *a, const int32_t *begin, size_t N)
{
	size_t most = 0, end;

	a->nblock = 0;
	for (size_t lo = 0; lo < N; lo = end) {
		for (end = lo + 1; end < N && begin[end] == begin[lo]; end++)
			;
		most = SG_MAX(most, end - lo);
		for (size_t i = lo; i < end; i += NR)
			a->block[a->nblock++] = (struct block){ i, SG_MIN(end - i, NR), lo, end };
	}
	return most;
}

static int check(const int32_t *begin, size_t N, size_t H, size_t G)
{
	if (!G || !H || H % G)
		return sg_fail(SG_E_UNSUPPORTED, "%zu query heads do not share %zu key heads", H, G);
	for (size_t i = 0; i < N; i++) {
		int64_t b = begin[i];

		if (b != (int64_t)i && (!i || b != begin[i - 1]))
			return sg_fail(SG_E_CORRUPT, "token %zu belongs to no segment: begin %d", i, (int)b);
	}
	return 0;
}

struct widen { float *dst; const float *src; size_t K, width; };

static void widen_rows(void *arg, size_t lo, size_t hi, unsigned w)
{
	const struct widen *p = arg;

	(void)w;
	for (; lo < hi; lo++) {
		memcpy(p->dst + lo * p->width, p->src + lo * p->K, p->K * sizeof(float));
		memset(p->dst + lo * p->width + p->K, 0, (p->width - p->K) * sizeof(float));
	}
}

/* A tile reads whole registers: rows of another width are copied to one. */
static struct rows as_rows(struct attn *a, float **room, const float *p, size_t N, size_t heads)
{
	size_t width = (a->K + VL - 1) / VL * VL;
	struct rows r = { p, heads * a->K, a->K };

	if (width != a->K) {
		struct widen arg = { *room, p, a->K, width };

		sg_pool_for(a->pool, N * heads, 64, widen_rows, &arg);
		r = (struct rows){ *room, heads * width, width };
		*room += N * heads * width;
	}
	return r;
}

/* Scratch shared by all: the blocks, then what as_rows needs for `rows` rows, then delta. */
static int reserve(struct attn *a, const int32_t *begin, size_t N, size_t rows, float **room, bool bwd)
{
	size_t width = (a->K + VL - 1) / VL * VL, most, own;
	size_t copies = width == a->K ? 0 : rows * width, blocks = N * sizeof(struct block);

	SG_TRY(sg_pool_scratch(a->pool, 0, blocks + (copies + N * a->H) * sizeof(float)));
	a->block = sg_pool_shared(a->pool);
	most = make_blocks(a, begin, N);
	own = bwd ? 2 * (a->K + CHUNK) : a->K + most;
	SG_TRY(sg_pool_scratch(a->pool, own * NR * sizeof(float), 0));
	*room = (float *)((char *)sg_pool_shared(a->pool) + blocks);
	a->delta = *room + copies;
	return 0;
}

int SG_CPU(attn_fwd)(struct sg_device *d, float *out, float *lse, const float *q, const float *k,
		     const float *v, const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	struct attn a = { .out = out, .lse_out = lse, .H = H, .G = G, .K = K, .pool = d->pool };
	float *room;

	SG_TRY(check(begin, N, H, G));
	SG_TRY(reserve(&a, begin, N, N * G, &room, false));
	a.scale = sg_rsqrtf((float)K);
	a.q = (struct rows){ q, H * K, K };
	a.k = (struct rows){ k, G * K, K };
	a.v = as_rows(&a, &room, v, N, G);
	sg_pool_for(d->pool, a.nblock * H, 1, fwd, &a);
	return 0;
}

int SG_CPU(attn_next)(struct sg_device *d, float *out, const float *q, const float *k, const float *v,
		      size_t past, size_t N, size_t H, size_t G, size_t K)
{
	struct attn a = { .out = out, .H = H, .G = G, .K = K, .past = past, .pool = d->pool };
	size_t width = (K + VL - 1) / VL * VL, T = past + N;
	float *room;

	if (!G || !H || H % G)
		return sg_fail(SG_E_UNSUPPORTED, "%zu query heads do not share %zu key heads", H, G);
	SG_TRY(sg_pool_scratch(d->pool, (K * NR + T + NR) * sizeof(float),
			       width == K ? 0 : T * G * width * sizeof(float)));
	room = sg_pool_shared(d->pool);
	a.scale = sg_rsqrtf((float)K);
	a.q = (struct rows){ q, H * K, K };
	a.k = (struct rows){ k, G * K, K };
	a.v = as_rows(&a, &room, v, T, G);
	sg_pool_for(d->pool, N * H, 1, next, &a);
	return 0;
}

int SG_CPU(attn_bwd)(struct sg_device *d, float *dq, float *dk, float *dv, const float *dout,
		     const float *out, const float *lse, const float *q, const float *k,
		     const float *v, const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	struct attn a = { .dq = dq, .dk = dk, .dv = dv, .lse = lse, .H = H, .G = G, .K = K, .pool = d->pool };
	float *room;

	SG_TRY(check(begin, N, H, G));
	SG_TRY(reserve(&a, begin, N, N * (2 * H + G), &room, true));
	a.scale = sg_rsqrtf((float)K);
	a.o = (struct rows){ out, H * K, K };
	a.v = (struct rows){ v, G * K, K };
	a.q = as_rows(&a, &room, q, N, H);
	a.k = as_rows(&a, &room, k, N, G);
	a.dout = as_rows(&a, &room, dout, N, H);
	sg_pool_for(d->pool, a.nblock * H, 1, queries, &a);
	if (dk)
		sg_pool_for(d->pool, a.nblock * G, 1, keys, &a);
	return 0;
}
