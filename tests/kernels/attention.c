#include "base/fmath.h"
#include "tests/kernels/kt.h"
#include <math.h>

static const struct { size_t H, G, K; size_t seg[6]; } cases[] = {
	{ 1, 1, 1, { 1 } }, { 2, 1, 8, { 5, 1, 2 } }, { 3, 3, 7, { 33, 2 } }, { 4, 2, 16, { 31, 32, 33 } },
	{ 6, 2, 20, { 17, 70 } }, { 2, 2, 64, { 101 } }, { 3, 1, 33, { 1, 64, 13, 40 } }, { 1, 1, 128, { 50 } },
	{ 2, 1, 12, { 850 } },
};

static size_t spread(int32_t *begin, const size_t *seg)
{
	size_t n = 0;

	for (size_t s = 0; s < 6; s++)
		for (size_t i = 0, at = n; i < seg[s]; i++)
			begin[n++] = (int32_t)at;
	return n;
}

static float dotf(const float *a, const float *b, size_t n)
{
	float s = 0;

	for (size_t i = 0; i < n; i++)
		s = sg_fmaf(a[i], b[i], s);
	return s;
}

static double dot(const float *a, const float *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += (double)a[i] * (double)b[i];
	return s;
}

/* The definition in kernels/attention.c, to the bit. */
static void exact_fwd(float *out, float *lse, const float *q, const float *k, const float *v,
		      const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	float scale = sg_rsqrtf((float)K), s[1000];

	for (size_t i = 0; i < N * H; i++) {
		size_t n = i / H, g = i % H / (H / G);
		float m = -INFINITY, sum = 0, *o = out + i * K;

		for (size_t j = (size_t)begin[n]; j <= n; j++) {
			s[j] = scale * dotf(q + i * K, k + (j * G + g) * K, K);
			m = s[j] > m ? s[j] : m;
		}
		for (size_t c = 0; c < K; c++)
			o[c] = 0;
		for (size_t j = (size_t)begin[n]; j <= n; j++) {
			float e = sg_expf(s[j] - m);

			sum += e;
			for (size_t c = 0; c < K; c++)
				o[c] = sg_fmaf(e, v[(j * G + g) * K + c], o[c]);
		}
		for (size_t c = 0; c < K; c++)
			o[c] /= sum;
		lse[i] = m + sg_logf(sum);
	}
}

static void true_fwd(double *out, double *lse, const float *q, const float *k, const float *v,
		     const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	for (size_t i = 0; i < N * H; i++) {
		size_t n = i / H, g = i % H / (H / G);
		double sum = 0;

		for (size_t j = (size_t)begin[n]; j <= n; j++) {
			double e = exp(dot(q + i * K, k + (j * G + g) * K, K) / sqrt((double)K));

			sum += e;
			for (size_t c = 0; c < K; c++)
				out[i * K + c] += e * (double)v[(j * G + g) * K + c];
		}
		for (size_t c = 0; c < K; c++)
			out[i * K + c] /= sum;
		lse[i] = log(sum);
	}
}

static void fwd(struct kt *t, const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	float *out = kt_out(t, N * H * K), *lse = kt_out(t, N * H), *q = kt_in(t, N * H * K, 1.5f);
	float *k = kt_in(t, N * G * K, 1.5f), *v = kt_in(t, N * G * K, 1), *eo, *el;
	int32_t *b = kt_ints(t, begin, N);
	double *want, *wl;

	kt_done(t, SG_CALL(&t->d, attn_fwd, out, lse, q, k, v, b, N, H, G, K), "attn_fwd");
	if (kt_ref(t)) {
		want = kt_doubles(N * H * K);
		wl = kt_doubles(N * H);
		eo = (float *)kt_doubles(N * H * K);
		el = (float *)kt_doubles(N * H);
		true_fwd(want, wl, kt_was(t, q), kt_was(t, k), kt_was(t, v), begin, N, H, G, K);
		kt_limit(t, "attn_fwd", kt_err(kt_got(t, out), want, N * H * K), 1e-6);
		kt_limit(t, "attn_fwd lse", kt_err(kt_got(t, lse), wl, N * H), 1e-6);
		exact_fwd(eo, el, kt_was(t, q), kt_was(t, k), kt_was(t, v), begin, N, H, G, K);
		if (memcmp(eo, kt_got(t, out), N * H * K * sizeof(float)) ||
		    memcmp(el, kt_got(t, lse), N * H * sizeof(float)))
			kt_limit(t, "attn_fwd, bits of the definition", 1, 0);
		free(want);
		free(wl);
		free(eo);
		free(el);
	}
	kt_clear(t);
}

KT_TEST(attn_fwd)
{
	int32_t begin[1000];

	for (size_t i = 0; i < SG_LEN(cases); i++)
		fwd(t, begin, spread(begin, cases[i].seg), cases[i].H, cases[i].G, cases[i].K);
}

/* The last tokens of a segment over kept keys: the bits of the whole segment. */
static void next(struct kt *t, size_t N, size_t last, size_t H, size_t G, size_t K)
{
	float *out = kt_out(t, last * H * K), *q = kt_in(t, N * H * K, 1.5f), *k = kt_in(t, N * G * K, 1.5f);
	float *v = kt_in(t, N * G * K, 1), *eo, *el;
	int32_t begin[1000] = { 0 };
	size_t past = N - last;

	kt_done(t, SG_CALL(&t->d, attn_next, out, q + past * H * K, k, v, past, last, H, G, K), "attn_next");
	if (kt_ref(t)) {
		eo = (float *)kt_doubles(N * H * K);
		el = (float *)kt_doubles(N * H);
		exact_fwd(eo, el, kt_was(t, q), kt_was(t, k), kt_was(t, v), begin, N, H, G, K);
		if (memcmp(eo + past * H * K, kt_got(t, out), last * H * K * sizeof(float)))
			kt_limit(t, "attn_next, bits of the definition", 1, 0);
		free(eo);
		free(el);
	}
	kt_clear(t);
}

KT_TEST(attn_next)
{
	for (size_t i = 0; i < SG_LEN(cases); i++) {
		next(t, 1, 1, cases[i].H, cases[i].G, cases[i].K);
		next(t, 67, 1, cases[i].H, cases[i].G, cases[i].K);
		next(t, 300, 3, cases[i].H, cases[i].G, cases[i].K);
	}
}

struct grads { float *dq, *dk, *dv, *delta; };

static void exact_bwd(struct grads *r, const float *dout, const float *out, const float *lse, const float *q,
		      const float *k, const float *v, const int32_t *begin, size_t N, size_t H, size_t G, size_t K)
{
	float scale = sg_rsqrtf((float)K);

	for (size_t h = 0; h < H; h++)
		for (size_t i = 0; i < N; i++) {
			size_t g = h / (H / G), at = (i * H + h) * K;
			float delta = dotf(dout + at, out + at, K);

			for (size_t j = (size_t)begin[i]; j <= i; j++) {
				size_t kv = (j * G + g) * K;
				float p = sg_expf(sg_fmaf(scale, dotf(k + kv, q + at, K), -lse[i * H + h]));
				float ds = p * (dotf(v + kv, dout + at, K) - delta);

				for (size_t c = 0; c < K; c++) {
					r->dq[at + c] = sg_fmaf(ds, k[kv + c], r->dq[at + c]);
					r->dk[kv + c] = sg_fmaf(ds, q[at + c], r->dk[kv + c]);
					r->dv[kv + c] = sg_fmaf(p, dout[at + c], r->dv[kv + c]);
				}
			}
			for (size_t c = 0; c < K; c++)
				r->dq[at + c] *= scale;
		}
	for (size_t i = 0; i < N * G * K; i++)
		r->dk[i] *= scale;
}

static void true_bwd(double *dq, double *dk, double *dv, const float *dout, const double *out, const double *lse,
		     const float *q, const float *k, const float *v, const int32_t *begin,
		     size_t N, size_t H, size_t G, size_t K)
{
	double scale = 1 / sqrt((double)K);

	for (size_t i = 0; i < N * H; i++) {
		size_t n = i / H, g = i % H / (H / G), at = i * K;
		double delta = 0;

		for (size_t c = 0; c < K; c++)
			delta += (double)dout[at + c] * out[at + c];
		for (size_t j = (size_t)begin[n]; j <= n; j++) {
			size_t kv = (j * G + g) * K;
			double p = exp(scale * dot(k + kv, q + at, K) - lse[i]);
			double ds = scale * p * (dot(v + kv, dout + at, K) - delta);

			for (size_t c = 0; c < K; c++) {
				dq[at + c] += ds * (double)k[kv + c];
				dk[kv + c] += ds * (double)q[at + c];
				dv[kv + c] += p * (double)dout[at + c];
			}
		}
	}
}

static void check_bwd(struct kt *t, struct grads got, const float *dout, const float *out, const float *lse,
		      const float *q, const float *k, const float *v, const int32_t *begin,
		      size_t N, size_t H, size_t G, size_t K, bool kv)
{
	size_t n = N * H * K, m = N * G * K;
	double *o = kt_doubles(n), *l = kt_doubles(N * H), *dq = kt_doubles(n), *dk = kt_doubles(m), *dv = kt_doubles(m);
	struct grads e = { (float *)kt_doubles(n), (float *)kt_doubles(m), (float *)kt_doubles(m), NULL };

	true_fwd(o, l, q, k, v, begin, N, H, G, K);
	true_bwd(dq, dk, dv, dout, o, l, q, k, v, begin, N, H, G, K);
	kt_limit(t, "dq", kt_err(kt_got(t, got.dq), dq, n), 4e-6);
	if (kv) {
		kt_limit(t, "dk", kt_err(kt_got(t, got.dk), dk, m), 4e-6);
		kt_limit(t, "dv", kt_err(kt_got(t, got.dv), dv, m), 4e-6);
	}
	exact_bwd(&e, dout, out, lse, q, k, v, begin, N, H, G, K);
	if (memcmp(e.dq, kt_got(t, got.dq), n * sizeof(float)) ||
	    (kv && memcmp(e.dk, kt_got(t, got.dk), m * sizeof(float))) ||
	    (kv && memcmp(e.dv, kt_got(t, got.dv), m * sizeof(float))))
		kt_limit(t, "attn_bwd, bits of the definition", 1, 0);
	free(o);
	free(l);
	free(dq);
	free(dk);
	free(dv);
	free(e.dq);
	free(e.dk);
	free(e.dv);
}

static void bwd(struct kt *t, const int32_t *begin, size_t N, size_t H, size_t G, size_t K, bool kv)
{
	float *out = kt_inout(t, N * H * K, 1), *lse = kt_inout(t, N * H, 1), *q = kt_in(t, N * H * K, 1);
	float *k = kt_in(t, N * G * K, 1), *v = kt_in(t, N * G * K, 1), *dout = kt_in(t, N * H * K, 1);
	struct grads r = { kt_out(t, N * H * K), kt_out(t, N * G * K), kt_out(t, N * G * K), NULL };
	int32_t *b = kt_ints(t, begin, N);
	int rc = SG_CALL(&t->d, attn_fwd, out, lse, q, k, v, b, N, H, G, K);

	if (rc >= 0)
		rc = SG_CALL(&t->d, attn_bwd, r.dq, kv ? r.dk : NULL, kv ? r.dv : NULL, dout, out, lse,
			     q, k, v, b, N, H, G, K);
	kt_done(t, rc, "attn_bwd");
	if (kt_ref(t))
		check_bwd(t, r, kt_was(t, dout), kt_got(t, out), kt_got(t, lse), kt_was(t, q), kt_was(t, k),
			  kt_was(t, v), begin, N, H, G, K, kv);
	kt_clear(t);
}

KT_TEST(attn_bwd)
{
	int32_t begin[1000];

	for (size_t i = 0; i < SG_LEN(cases); i++)
		bwd(t, begin, spread(begin, cases[i].seg), cases[i].H, cases[i].G, cases[i].K, i != 3);
}

/* A segment's bits do not depend on its neighbours, nor a token's on what follows it. */
KT_TEST(attn_alone)
{
	enum { N = 100, H = 2, K = 10, AT = 37, LEN = 45 };
	int32_t begin[N], alone[LEN];
	float *q = kt_in(t, N * H * K, 1), *k = kt_in(t, N * H * K, 1), *v = kt_in(t, N * H * K, 1);
	float *o1 = kt_out(t, N * H * K), *l1 = kt_out(t, N * H), *o2 = kt_out(t, LEN * H * K), *l2 = kt_out(t, LEN * H);
	int32_t *b1, *b2;
	size_t at = AT * H * K;

	for (int32_t i = 0; i < N; i++)
		begin[i] = i < AT ? 0 : i < 90 ? AT : 90;
	memset(alone, 0, sizeof(alone));
	b1 = kt_ints(t, begin, N);
	b2 = kt_ints(t, alone, LEN);
	kt_done(t, SG_CALL(&t->d, attn_fwd, o1, l1, q, k, v, b1, N, H, H, K), "all");
	kt_done(t, SG_CALL(&t->d, attn_fwd, o2, l2, q + at, k + at, v + at, b2, LEN, H, H, K), "alone");
	if (memcmp(kt_got(t, o1) + at, kt_got(t, o2), LEN * H * K * sizeof(float)) ||
	    memcmp(kt_got(t, l1) + AT * H, kt_got(t, l2), LEN * H * sizeof(float)))
		kt_limit(t, "a segment alone", 1, 0);
	kt_clear(t);
}

/* What lies after a token, nan and infinity included, leaves it alone, forward
 * and (with no gradient from there) backward. */
KT_TEST(attn_future)
{
	enum { N = 90, H = 2, K = 24, FROM = 53 };
	size_t n = N * H * K, keep = FROM * H * K;
	float *q = kt_in(t, n, 1), *k = kt_inout(t, n, 1), *v = kt_inout(t, n, 1), *o = kt_out(t, n), *l = kt_out(t, N * H);
	float *dq = kt_out(t, n), *dout = kt_in(t, n, 1), bad[(N - FROM) * H * K], *first;
	int32_t begin[N] = { 0 }, *b = kt_ints(t, begin, N);

	for (size_t i = 0; i < SG_LEN(bad); i++)
		bad[i] = i % 3 ? INFINITY : NAN;
	first = (float *)kt_doubles(n);
	for (int run = 0; run < 2; run++) {
		int rc = SG_CALL(&t->d, attn_fwd, o, l, q, k, v, b, N, H, H, K);

		if (rc >= 0)
			rc = SG_CALL(&t->d, attn_bwd, dq, NULL, NULL, dout, o, l, q, k, v, b, N, H, H, K);
		kt_done(t, rc, "attention");
		if (run && (memcmp(first, kt_got(t, o), keep * sizeof(float)) ||
			    memcmp(first + keep, kt_got(t, dq), keep * sizeof(float))))
			kt_limit(t, "tokens before the poisoned ones", 1, 0);
		memcpy(first, kt_got(t, o), keep * sizeof(float));
		memcpy(first + keep, kt_got(t, dq), keep * sizeof(float));
		t->d.be->put(&t->d, k + keep, bad, sizeof(bad));
		t->d.be->put(&t->d, v + keep, bad, sizeof(bad));
		t->hash = t->common = 0;	/* the bits of a nan are nobody's promise */
	}
	free(first);
	kt_clear(t);
}
