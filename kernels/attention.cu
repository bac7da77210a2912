/*
 * Causal attention inside segments; attention.c has the formulas and the order of
 * every sum. A block has SIDE queries (or keys) of one head, its own tokens, and goes
 * over the keys (or queries), the other tokens, in tiles of SIDE; scores are computed
 * as often as they are needed and never stored whole. Heads are read in pieces of
 * WIDTH channels, so any width fits; the chain over channels runs on from piece to
 * piece. Sums over tokens stand in the output between tiles. What the mask forbids
 * is not added: adding 0 would turn a sum of -0.
 *
 * A thread has GROUP own tokens against one other token (scores), or against one
 * channel at a time (sums): group = thread / SIDE, lane = thread % SIDE.
 */
#include "kernels/cuda.cuh"

#define SIDE  32
#define WIDTH 64
#define GROUP 4		/* SG_THREADS / SIDE groups of them are SIDE */

struct attn {
	float *out, *lse_out, *dq, *dk, *dv, *delta;
	const float *q, *k, *v, *o, *dout, *lse;
	const int32_t *begin;
	size_t N, H, G, K, past;
	float scale;
	struct sg_cuda_fault *fault;
};

/* Rows of one head: token i at p + i * step. */
struct rows { const float *p; size_t step; };

typedef float channels[WIDTH][SIDE];		/* [channel][own token] */
typedef float pairs[SIDE][SIDE + 4];		/* [other token][own token] */
struct __align__(16) tiles {	/* so that four neighbours are one load */
	channels own, own2;
	float other[SIDE][WIDTH + 1];		/* [other token][channel] */
	pairs p, p2;
	float m[SIDE], sum[SIDE];
	unsigned ok[SIDE];			/* of an other token: bit i, it goes with own token i */
};

__device__ static inline unsigned group(void) { return threadIdx.x / SIDE * GROUP; }
__device__ static inline unsigned lane(void) { return threadIdx.x % SIDE; }

__device__ static inline struct rows head(const float *p, size_t heads, size_t h, size_t K)
{
	struct rows r = { p + h * K, heads * K };

	return r;
}

__device__ static void load_own(channels own, struct rows r, size_t lo, size_t N, size_t c0, size_t K)
{
	for (unsigned n = threadIdx.x; n < SIDE * WIDTH; n += SG_THREADS) {
		unsigned i = n / WIDTH, c = n % WIDTH;

		own[c][i] = lo + i < N && c0 + c < K ? r.p[(lo + i) * r.step + c0 + c] : 0;
	}
}

__device__ static void load_other(struct tiles *s, struct rows r, size_t at, size_t N, size_t c0, size_t K)
{
	for (unsigned n = threadIdx.x; n < SIDE * WIDTH; n += SG_THREADS) {
		unsigned i = n / WIDTH, c = n % WIDTH;

		s->other[i][c] = at + i < N && c0 + c < K ? r.p[(at + i) * r.step + c0 + c] : 0;
	}
}

/* dot[i] = own token group + i . other token lane. Own tokens that fit are loaded
 * for the first tile only. */
__device__ static void dots(float dot[GROUP], struct tiles *s, channels own, struct rows mine, size_t lo,
			    struct rows other, size_t at, size_t N, size_t K, bool first)
{
	for (int i = 0; i < GROUP; i++)
		dot[i] = 0;
	for (size_t c0 = 0; c0 < K; c0 += WIDTH) {
		unsigned n = (unsigned)SG_MIN(K - c0, (size_t)WIDTH);

		if (first || K > WIDTH)
			load_own(own, mine, lo, N, c0, K);
		load_other(s, other, at, N, c0, K);
		__syncthreads();
		for (unsigned c = 0; c < n; c++) {
			float x = s->other[lane()][c];

			SG_UNROLL
			for (int i = 0; i < GROUP; i++)
				dot[i] = sg_fmaf(own[c][group() + i], x, dot[i]);
		}
		__syncthreads();
	}
}

/* The sums of this thread: its own tokens, channels lane and lane + SIDE of the piece. */
template <bool FULL>
__device__ static void sums_of(float *out, size_t step, const struct tiles *s, const pairs p, size_t lo, size_t N,
			       size_t left, bool first)
{
	float acc[WIDTH / SIDE][GROUP];

	SG_UNROLL
	for (int h = 0; h < WIDTH / SIDE; h++)
		SG_UNROLL
		for (int i = 0; i < GROUP; i++) {
			size_t c = lane() + h * SIDE;

			acc[h][i] = first || c >= left || lo + group() + i >= N ? 0 : out[i * step + c];
		}
	for (unsigned j = 0; j < SIDE; j++) {
		unsigned ok = FULL ? 0 : s->ok[j] >> group();
		float pair[GROUP];

		SG_UNROLL
		for (int i = 0; i < GROUP; i++)
			pair[i] = p[j][group() + i];
		SG_UNROLL
		for (int h = 0; h < WIDTH / SIDE; h++) {
			float x = s->other[j][lane() + h * SIDE];

			SG_UNROLL
			for (int i = 0; i < GROUP; i++) {
				float v = sg_fmaf(pair[i], x, acc[h][i]);

				acc[h][i] = FULL || ok >> i & 1 ? v : acc[h][i];
			}
		}
	}
	SG_UNROLL
	for (int h = 0; h < WIDTH / SIDE; h++)
		SG_UNROLL
		for (int i = 0; i < GROUP; i++)
			if (lane() + h * SIDE < left && lo + group() + i < N)
				out[i * step + lane() + h * SIDE] = acc[h][i];
}

/* out[own token][c] = chain over the other tokens of pair * other[c], from 0 or on */
template <bool FULL>
__device__ static void gather_as(float *out, size_t step, struct tiles *s, const pairs p, struct rows other, size_t lo,
				 size_t at, size_t N, size_t K, bool first)
{
	for (size_t c0 = 0; c0 < K; c0 += WIDTH) {
		load_other(s, other, at, N, c0, K);
		__syncthreads();
		sums_of<FULL>(out + (lo + group()) * step + c0, step, s, p, lo, N, K - c0, first);
		__syncthreads();
	}
}

__device__ static void gather(float *out, size_t step, struct tiles *s, const pairs p, struct rows other, size_t lo,
			      size_t at, size_t N, size_t K, bool first, bool full)
{
	if (full)
		gather_as<true>(out, step, s, p, other, lo, at, N, K, first);
	else
		gather_as<false>(out, step, s, p, other, lo, at, N, K, first);
}

/* What this thread has written, times or by a factor of each own token. */
__device__ static void finish(float *out, size_t step, size_t lo, size_t N, size_t K, float times, const float *by)
{
	for (size_t c = lane(); c < K; c += SIDE)
		for (unsigned i = group(); i < group() + GROUP; i++)
			if (lo + i < N) {
				float *p = out + (lo + i) * step + c;

				*p = by ? *p / by[i] : *p * times;
			}
}

/* Does query i see key j? */
__device__ static inline bool sees(const struct attn *a, size_t i, size_t j)
{
	return i < a->N && j <= i && (int64_t)a->begin[i] <= (int64_t)j;
}

/* Fills s->ok for own queries lo and keys at, or the other way round; true when all
 * pairs that count are granted. */
__device__ static bool mask(struct tiles *s, const struct attn *a, size_t lo, size_t at, bool own_queries)
{
	size_t q = own_queries ? lo : at, k = own_queries ? at : lo, last = SG_MIN(q + SIDE, a->N) - 1;

	if (k + SIDE <= q + 1 && a->begin[last] <= (int64_t)k && (own_queries || q + SIDE <= a->N))
		return true;
	if (threadIdx.x < SIDE) {
		size_t other = at + threadIdx.x;
		unsigned bits = 0;

		for (unsigned i = 0; i < SIDE; i++)
			bits |= (unsigned)(own_queries ? sees(a, lo + i, other) : sees(a, other, lo + i)) << i;
		s->ok[threadIdx.x] = bits;
	}
	__syncthreads();
	return false;
}

__device__ static inline bool granted(const struct tiles *s, int i, bool full)
{
	return full || s->ok[lane()] >> (group() + i) & 1;
}

/* First key of the first query; a begin that is none was reported. */
__device__ static size_t first_key(const struct attn *a, size_t lo)
{
	int32_t b = a->begin[lo];

	return b < 0 || (size_t)b > lo ? lo : (size_t)b;
}

__global__ static void check(struct attn a)
{
	for (SG_EACH(i, a.N))
		if (a.begin[i] != (int64_t)i && (!i || a.begin[i] != a.begin[i - 1]))
			sg_fault(a.fault, SG_BAD_SEGMENT, i, a.begin[i], 0);
}

/* ---- forward ---- */

/* s->m[i]: the largest score of own query i */
__device__ static void maxima(const struct attn *a, struct tiles *s, struct rows q, struct rows k, size_t lo)
{
	size_t start = first_key(a, lo), end = SG_MIN(lo + SIDE, a->N);
	float m[GROUP], dot[GROUP];

	for (int i = 0; i < GROUP; i++)
		m[i] = -__builtin_inff();
	for (size_t at = start; at < end; at += SIDE) {
		bool full = mask(s, a, lo, at, true);

		dots(dot, s, s->own, q, lo, k, at, a->N, a->K, at == start);
		for (int i = 0; i < GROUP; i++) {
			float x = a->scale * dot[i];

			if (granted(s, i, full))
				m[i] = x > m[i] ? x : m[i];
		}
		__syncthreads();
	}
	for (int i = 0; i < GROUP; i++)
		s->p[lane()][group() + i] = m[i];
	__syncthreads();
	if (threadIdx.x < SIDE) {
		float most = -__builtin_inff();

		for (unsigned j = 0; j < SIDE; j++)
			most = s->p[j][threadIdx.x] > most ? s->p[j][threadIdx.x] : most;
		s->m[threadIdx.x] = most;
		s->sum[threadIdx.x] = 0;
	}
	__syncthreads();
}

/* s->sum[i] runs on over the tile's keys */
__device__ static void add_up(struct tiles *s, bool full)
{
	unsigned i = threadIdx.x;

	if (i < SIDE) {
		float sum = s->sum[i];

		for (unsigned j = 0; j < SIDE; j++)
			if (full || s->ok[j] >> i & 1)
				sum = sum + s->p[j][i];
		s->sum[i] = sum;
	}
}

__global__ static void __launch_bounds__(SG_THREADS) fwd(struct attn a)
{
	__shared__ struct tiles s;
	/* late queries see the most keys: they go first */
	size_t lo = ((a.N + SIDE - 1) / SIDE - 1 - blockIdx.x / a.H) * SIDE, h = blockIdx.x % a.H, g = h / (a.H / a.G);
	size_t start = first_key(&a, lo), end = SG_MIN(lo + SIDE, a.N);
	struct rows q = head(a.q, a.H, h, a.K), k = head(a.k, a.G, g, a.K), v = head(a.v, a.G, g, a.K);
	float dot[GROUP], *out = a.out + h * a.K;

	maxima(&a, &s, q, k, lo);
	for (size_t at = start; at < end; at += SIDE) {
		bool full = mask(&s, &a, lo, at, true);

		dots(dot, &s, s.own, q, lo, k, at, a.N, a.K, at == start);
		for (int i = 0; i < GROUP; i++)
			s.p[lane()][group() + i] = sg_expf(a.scale * dot[i] - s.m[group() + i]);
		__syncthreads();
		add_up(&s, full);
		gather(out, a.H * a.K, &s, s.p, v, lo, at, a.N, a.K, at == start, full);
	}
	finish(out, a.H * a.K, lo, a.N, a.K, 0, s.sum);
	if (threadIdx.x < SIDE && lo + threadIdx.x < a.N)
		a.lse_out[(lo + threadIdx.x) * a.H + h] = s.m[threadIdx.x] + sg_logf(s.sum[threadIdx.x]);
}

static int prepare(struct sg_device *d, struct attn *a)
{
	if (!a->G || !a->H || a->H % a->G)
		return sg_fail(SG_E_UNSUPPORTED, "%zu query heads do not share %zu key heads", a->H, a->G);
	a->scale = sg_rsqrtf((float)a->K);
	a->fault = sg_cuda(d)->fault;
	if (a->begin)
		SG_RUN(sg_cuda(d), sg_blocks(a->N), SG_THREADS, check, *a);
	return 0;
}

/* A block for each SIDE tokens of each head. */
static unsigned blocks(size_t N, size_t heads)
{
	return (unsigned)((N + SIDE - 1) / SIDE * heads);
}

int sg_cuda_attn_fwd(struct sg_device *d, float *out, float *lse, const float *q, const float *k, const float *v,
		     const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	struct attn a = { .out = out, .lse_out = lse, .q = q, .k = k, .v = v, .begin = begin,
			  .N = N, .H = H, .G = G, .K = K };

	SG_TRY(prepare(d, &a));
	SG_RUN_BLOCK(sg_cuda(d), blocks(N, H), SG_THREADS, fwd, a);
	return 0;
}

/* ---- forward, few queries over a long past ---- */

#define PIECE 1024
#define ADDER (SG_THREADS - 32)		/* threads before this one have channels, this one the sum */

/* A block has one query of one head; its scores stand in `room`. */
__global__ static void next(struct attn a, float *room)
{
	__shared__ float e[PIECE], best[SG_THREADS], total;
	size_t i = blockIdx.x / a.H, h = blockIdx.x % a.H, n = a.past + i + 1, K = a.K;
	struct rows k = head(a.k, a.G, h / (a.H / a.G), K), v = head(a.v, a.G, h / (a.H / a.G), K);
	const float *q = a.q + (i * a.H + h) * K;
	float *s = room + blockIdx.x * (a.past + a.N), *out = a.out + (i * a.H + h) * K, m, sum = 0;
	unsigned t = threadIdx.x;

	for (size_t j = t; j < n; j += SG_THREADS) {
		float dot = 0;

		for (size_t c = 0; c < K; c++)
			dot = sg_fmaf(q[c], k.p[j * k.step + c], dot);
		s[j] = a.scale * dot;
	}
	__syncthreads();
	m = sg_block_max(best, s, n);
	for (size_t at = 0; at < n; at += PIECE) {
		unsigned some = (unsigned)SG_MIN(n - at, (size_t)PIECE);

		for (unsigned j = t; j < some; j += SG_THREADS)
			e[j] = sg_expf(s[at + j] - m);
		__syncthreads();
		for (unsigned j = 0; t == ADDER && j < some; j++)
			sum = sum + e[j];
		for (size_t c = t; t < ADDER && c < K; c += ADDER) {
			float acc = at ? out[c] : 0;

			for (unsigned j = 0; j < some; j++)
				acc = sg_fmaf(e[j], v.p[(at + j) * v.step + c], acc);
			out[c] = acc;
		}
		__syncthreads();
	}
	if (t == ADDER)
		total = sum;
	__syncthreads();
	for (size_t c = t; t < ADDER && c < K; c += ADDER)
		out[c] = out[c] / total;
}

int sg_cuda_attn_next(struct sg_device *d, float *out, const float *q, const float *k, const float *v, size_t past,
		      size_t N, size_t H, size_t G, size_t K)
{
	struct attn a = { .out = out, .q = q, .k = k, .v = v, .N = N, .H = H, .G = G, .K = K, .past = past };
	void *room;

	SG_TRY(prepare(d, &a));
	SG_TRY(sg_cuda_room(d, &room, N * H * (past + N) * sizeof(float)));
	SG_RUN_BLOCK(sg_cuda(d), (unsigned)(N * H), SG_THREADS, next, a, (float *)room);
	return 0;
}

/* ---- backward ---- */

__global__ static void deltas(struct attn a)
{
	for (SG_EACH(i, a.N * a.H)) {
		float s = 0;

		for (size_t c = 0; c < a.K; c++)
			s = sg_fmaf(a.dout[i * a.K + c], a.o[i * a.K + c], s);
		a.delta[i] = s;
	}
}

__global__ static void __launch_bounds__(SG_THREADS) queries(struct attn a)
{
	__shared__ struct tiles s;
	size_t lo = ((a.N + SIDE - 1) / SIDE - 1 - blockIdx.x / a.H) * SIDE, h = blockIdx.x % a.H, g = h / (a.H / a.G);
	size_t start = first_key(&a, lo), end = SG_MIN(lo + SIDE, a.N);
	struct rows q = head(a.q, a.H, h, a.K), dout = head(a.dout, a.H, h, a.K);
	struct rows k = head(a.k, a.G, g, a.K), v = head(a.v, a.G, g, a.K);
	float dot[GROUP], dp[GROUP], lse[GROUP], delta[GROUP], *dq = a.dq + h * a.K;

	for (int i = 0; i < GROUP; i++) {
		size_t token = SG_MIN(lo + group() + i, a.N - 1);

		lse[i] = a.lse[token * a.H + h];
		delta[i] = a.delta[token * a.H + h];
	}
	for (size_t at = start; at < end; at += SIDE) {
		bool full = mask(&s, &a, lo, at, true);

		dots(dot, &s, s.own, q, lo, k, at, a.N, a.K, at == start);
		dots(dp, &s, s.own2, dout, lo, v, at, a.N, a.K, at == start);
		for (int i = 0; i < GROUP; i++)
			s.p[lane()][group() + i] = sg_expf(sg_fmaf(a.scale, dot[i], -lse[i])) * (dp[i] - delta[i]);
		__syncthreads();
		gather(dq, a.H * a.K, &s, s.p, k, lo, at, a.N, a.K, at == start, full);
	}
	finish(dq, a.H * a.K, lo, a.N, a.K, a.scale, NULL);
}

/* Own keys against the queries of one head from their own token on. */
__device__ static void keys_of_head(const struct attn *a, struct tiles *s, size_t lo, size_t g, size_t h, bool first)
{
	struct rows q = head(a->q, a->H, h, a->K), dout = head(a->dout, a->H, h, a->K);
	struct rows k = head(a->k, a->G, g, a->K), v = head(a->v, a->G, g, a->K);
	float *dk = a->dk + g * a->K, *dv = a->dv + g * a->K, dot[GROUP], dp[GROUP];
	size_t step = a->G * a->K;

	for (size_t at = lo; at < a->N && a->begin[at] < (int64_t)(lo + SIDE); at += SIDE) {
		bool full = mask(s, a, lo, at, false), start = first && at == lo;
		size_t token = SG_MIN(at + lane(), a->N - 1);
		float lse = a->lse[token * a->H + h], delta = a->delta[token * a->H + h];

		dots(dot, s, s->own, k, lo, q, at, a->N, a->K, start);
		dots(dp, s, s->own2, v, lo, dout, at, a->N, a->K, start);
		for (int i = 0; i < GROUP; i++) {
			float p = sg_expf(sg_fmaf(a->scale, dot[i], -lse));

			s->p2[lane()][group() + i] = p;
			s->p[lane()][group() + i] = p * (dp[i] - delta);
		}
		__syncthreads();
		gather(dk, step, s, s->p, q, lo, at, a->N, a->K, start, full);
		gather(dv, step, s, s->p2, dout, lo, at, a->N, a->K, start, full);
	}
}

__global__ static void __launch_bounds__(SG_THREADS) keys(struct attn a)
{
	__shared__ struct tiles s;
	size_t lo = blockIdx.x / a.G * SIDE, g = blockIdx.x % a.G, each = a.H / a.G;

	for (size_t h = g * each; h < (g + 1) * each; h++)
		keys_of_head(&a, &s, lo, g, h, h == g * each);
	finish(a.dk + g * a.K, a.G * a.K, lo, a.N, a.K, a.scale, NULL);
}

int sg_cuda_attn_bwd(struct sg_device *d, float *dq, float *dk, float *dv, const float *dout, const float *out,
		     const float *lse, const float *q, const float *k, const float *v, const int32_t *begin, size_t N,
		     size_t H, size_t G, size_t K)
{
	struct attn a = { .dq = dq, .dk = dk, .dv = dv, .q = q, .k = k, .v = v, .o = out, .dout = dout, .lse = lse,
			  .begin = begin, .N = N, .H = H, .G = G, .K = K };
	void *room;

	SG_TRY(prepare(d, &a));
	SG_TRY(sg_cuda_room(d, &room, SG_MAX(N * H, 1) * sizeof(float)));
	a.delta = (float *)room;
	SG_RUN(sg_cuda(d), sg_blocks(N * H), SG_THREADS, deltas, a);
	SG_RUN_BLOCK(sg_cuda(d), blocks(N, H), SG_THREADS, queries, a);
	if (dk)
		SG_RUN_BLOCK(sg_cuda(d), blocks(N, G), SG_THREADS, keys, a);
	return 0;
}
