/*
 * tt: the change of a linear map as a tensor train (Oseledets 2011; Novikov et al.
 * 2015). Outputs and inputs are split into `cores` factors each, o_1 ... and i_1
 * ..., first the slowest, and
 *   dW[(o_1 ...), (i_1 ...)] = G_1[o_1, i_1] G_2[o_2, i_2] ...,
 * a product of matrices r_(k-1) x r_k: the axes of each core stand together, so
 * that ranks of one make a Kronecker product. Ranks are `bond`, or less where less
 * is all. Core k is stored as [o_k r_(k-1), i_k r_k]; the first starts at zero.
 *
 * Core by core, from the last: rows (token, o_(k+1) ..., i_1 ... i_(k-1)) times
 * (i_k, r_k) gives (o_k, r_(k-1)); then o_k moves to the front of the row.
 */
#include "graft/graft.h"
#include "base/error.h"
#include "base/mem.h"
#include <math.h>

enum { CORES = 4 };

struct train {
	size_t d, o[CORES], i[CORES], r[CORES + 1];
	size_t rows[CORES];		/* of core k's product, for each token */
	size_t in[CORES], out[CORES];	/* numbers before and after it, for each token */
};

/* n into d factors as even as its primes allow: the largest prime to the smallest
 * factor. The order is part of the format. */
static void split(size_t *f, size_t d, size_t n)
{
	size_t prime[64], count = 0;

	for (size_t p = 2; n > 1; p++) {
		if (p * p > n)
			p = n;
		for (; n % p == 0; n /= p)
			prime[count++] = p;
	}
	for (size_t k = 0; k < d; k++)
		f[k] = 1;
	while (count--) {
		size_t least = 0;

		for (size_t k = 1; k < d; k++)
			if (f[k] < f[least])
				least = k;
		f[least] *= prime[count];
	}
}

static size_t product(const size_t *f, size_t from, size_t to)
{
	size_t n = 1;

	for (size_t k = from; k < to; k++)
		n *= f[k];
	return n;
}

static struct train train_of(const struct sg_part *p)
{
	size_t bond = (size_t)sg_graft_int(p->g, "bond");
	struct train t = { .d = (size_t)sg_graft_int(p->g, "cores") };

	split(t.o, t.d, p->at.out);
	split(t.i, t.d, p->at.in);
	for (size_t k = 0; k <= t.d; k++) {
		size_t left = product(t.o, 0, k) * product(t.i, 0, k), right = product(t.o, k, t.d) * product(t.i, k, t.d);

		t.r[k] = k && k < t.d ? SG_MIN(bond, SG_MIN(left, right)) : 1;
	}
	for (size_t k = 0; k < t.d; k++) {
		t.rows[k] = product(t.o, k + 1, t.d) * product(t.i, 0, k);
		t.in[k] = t.rows[k] * t.i[k] * t.r[k + 1];
		t.out[k] = t.rows[k] * t.o[k] * t.r[k];
	}
	return t;
}

static int declare(struct sg_part *p, const struct sg_model *m)
{
	int64_t d = sg_graft_int(p->g, "cores"), bond = sg_graft_int(p->g, "bond");
	struct train t;

	(void)m;
	if (d < 2 || d > CORES)
		return sg_fail(SG_E_REFUSED, "tt: cores %lld is not in 2 to %d", (long long)d, CORES);
	if (bond < 1 || bond > 1 << 16)
		return sg_fail(SG_E_REFUSED, "tt: bond %lld is not in 1 to %d", (long long)bond, 1 << 16);
	t = train_of(p);
	for (size_t k = 0; k < t.d; k++) {
		char name[] = { 'G', (char)('1' + k), '\0' };

		SG_TRY(sg_part_tensor(p, k, name, t.o[k] * t.r[k], t.i[k] * t.r[k + 1], false));
	}
	return 0;
}

static int start(struct sg_part *p, const struct sg_model *m, uint64_t seed)
{
	struct train t = train_of(p);

	(void)m;
	for (size_t k = 1; k < t.d; k++)
		SG_TRY(sg_part_normal(p, k, 1.0f / sqrtf((float)(t.i[k] * t.r[k + 1])), seed));
	return sg_part_fill(p, 0, 0);
}

/* The most numbers of a token anywhere on the way. */
static size_t widest(const struct train *t)
{
	size_t n = 0;

	for (size_t k = 0; k < t->d; k++)
		n = SG_MAX(n, SG_MAX(t->in[k], t->out[k]));
	return n;
}

/* inputs of all cores but the last, which takes x; two rooms for what is on its way */
static size_t scratch(const struct sg_part *p)
{
	struct train t = train_of(p);
	size_t n = 2 * widest(&t);

	for (size_t k = 0; k + 1 < t.d; k++)
		n += t.in[k];
	return n;
}

struct room { float *in[CORES], *a, *b; };

static struct room room_of(const struct sg_part *p, const struct train *t)
{
	float *at = p->scratch;
	struct room r = { .a = at };

	at += p->g->cap * widest(t);
	r.b = at;
	at += p->g->cap * widest(t);
	for (size_t k = 0; k + 1 < t->d; k++) {
		r.in[k] = at;
		at += p->g->cap * t->in[k];
	}
	return r;
}

static int fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct sg_part *p = ctx;
	struct train t = train_of(p);
	struct room r = room_of(p, &t);
	const float *in = x;

	(void)keep;
	for (size_t k = t.d; k-- > 0; ) {
		struct sg_mat g = sg_part_mat(p, k);
		float *next = k ? r.in[k - 1] : r.b;

		SG_TRY(SG_CALL(dev, linear_fwd, r.a, in, &g, NULL, N * t.rows[k], g.rows, g.cols, false));
		SG_TRY(SG_CALL(dev, swap_axes, next, r.a, N, t.rows[k], t.o[k], t.r[k]));
		in = next;
	}
	return SG_CALL(dev, add, y, r.b, N * p->at.out);
}

static int bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct sg_part *p = ctx;
	struct train t = train_of(p);
	struct room r = room_of(p, &t);

	for (size_t k = 0; k < t.d; k++) {
		struct sg_mat g = sg_part_mat(p, k);
		const float *in = k + 1 < t.d ? r.in[k] : x;

		SG_TRY(SG_CALL(dev, swap_axes, r.a, dy, N, t.o[k], t.rows[k], t.r[k]));
		if (sg_part_grad(p, k))
			SG_TRY(SG_CALL(dev, linear_dw, sg_part_grad(p, k), NULL, r.a, in, N * t.rows[k], g.rows, g.cols));
		if (k + 1 == t.d)
			return dx ? SG_CALL(dev, linear_dx, dx, r.a, &g, N * t.rows[k], g.rows, g.cols, true) : 0;
		SG_TRY(SG_CALL(dev, linear_dx, r.b, r.a, &g, N * t.rows[k], g.rows, g.cols, false));
		dy = r.b;
	}
	return 0;
}

static int attach(struct sg_part *p, struct sg_model *m)
{
	(void)m;
	return sg_part_join(p, fwd, bwd);
}

/* row [r_k] of the product of the first k cores at one output and input, times core k */
static void times_core(double *out, const double *row, const float *g, const struct train *t, size_t k, size_t o, size_t i)
{
	for (size_t b = 0; b < t->r[k + 1]; b++) {
		out[b] = 0;
		for (size_t a = 0; a < t->r[k]; a++)
			out[b] += row[a] * (double)g[(o * t->r[k] + a) * t->i[k] * t->r[k + 1] + i * t->r[k + 1] + b];
	}
}

static double element(float *const *g, const struct train *t, double *row, double *room, size_t o, size_t i)
{
	row[0] = 1;
	for (size_t k = 0; k < t->d; k++) {
		times_core(room, row, g[k], t, k, o / product(t->o, k + 1, t->d) % t->o[k],
			   i / product(t->i, k + 1, t->d) % t->i[k]);
		memcpy(row, room, t->r[k + 1] * sizeof(*row));
	}
	return row[0];
}

static int delta(struct sg_part *p, float *dw)
{
	struct train t = train_of(p);
	float *g[CORES] = { NULL };
	double *row = NULL;
	size_t most = 1;
	int rc = 0;

	for (size_t k = 0; rc >= 0 && k < t.d; k++) {
		rc = sg_graft_tensor(&g[k], p->g, p->t[k]);
		most = SG_MAX(most, t.r[k]);
	}
	if (rc >= 0)
		rc = SG_NEW(row, 2 * most);
	for (size_t n = 0; rc >= 0 && n < p->at.out * p->at.in; n++)
		dw[n] += (float)element(g, &t, row, row + most, n / p->at.in, n % p->at.in);
	for (size_t k = 0; k < t.d; k++)
		free(g[k]);
	free(row);
	return rc;
}

static const struct sg_hyper hyper[] = {
	{ "cores", "2", "factors of inputs and outputs, 2 to 4" },
	{ "bond", "4", "largest rank between two cores" },
	{ NULL, NULL, NULL }
};

static const char *const variants[] = { "cores=3 bond=2", "cores=4 bond=9 sites=*.mlp.*", NULL };

const struct sg_graft_type sg_graft_tt = {
	.name = "tt", .brief = "the change of linear maps is a tensor train",
	.sites = 1 << SG_SITE_LINEAR, .default_sites = "*.attn.*,*.mlp.*",
	.hyper = hyper, .variants = variants, .declare = declare, .start = start, .scratch = scratch,
	.attach = attach, .delta = delta,
};
