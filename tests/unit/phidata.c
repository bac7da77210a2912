/*
 * What phi takes from data: bases and least squares against twins that are worked out here
 * from what passes a site.
 */
#include "tests/test.h"
#include "tests/tiny.h"
#include "tests/variant.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/linalg.h"
#include "graft/phi.h"
#include "model/pass.h"
#include "train/calib.h"
#include <math.h>

enum { ROWS = 13, WIDE = 20 };

/* What passes a site, caught by a hook without effect. */
struct catch { struct sg_hook hook; struct sg_site at; float x[ROWS * WIDE], y[ROWS * WIDE], dy[ROWS * WIDE]; };

static int catch_fwd(void *ctx, struct sg_device *dev, float *y, const float *x, size_t N, bool keep)
{
	struct catch *c = ctx;

	(void)dev;
	if (keep) {
		memcpy(c->x, x, N * c->at.in * sizeof(float));
		memcpy(c->y, y, N * c->at.out * sizeof(float));
	}
	return 0;
}

static int catch_bwd(void *ctx, struct sg_device *dev, float *dx, const float *dy, const float *x, size_t N)
{
	struct catch *c = ctx;

	(void)dev;
	(void)dx;
	(void)x;
	memcpy(c->dy, dy, N * c->at.out * sizeof(float));
	return 0;
}

struct lab {
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_model m;
	struct sg_graft *g;
	struct sg_batch b;
	struct catch c;
};

static int lab_init(struct lab *l)
{
	memset(l, 0, sizeof(*l));
	SG_TRY(sg_device_open(&l->dev, "cpu", 1));
	SG_TRY(tiny_llama(&l->ckpt, 1));
	SG_TRY(sg_model_init(&l->m, l->ckpt, &l->dev));
	return tiny_batch(&l->b, l->m.desc.vocab, 5);
}

static int lab_graft(struct lab *l, const char *set)
{
	struct variant v = { .t = sg_graft_type_find("phi"), .set = set };
	char base[SG_SHA256_HEX] = { 0 };

	memset(base, 'a', 64);
	return variant_graft(&l->g, &v, &l->m, "slot.1", base);
}

/* The site's traffic, then a graft there that heard the same batch. */
static int lab_open(struct lab *l, const char *site, const char *set)
{
	struct sg_pass pass;
	float loss[ROWS];
	char text[200];

	SG_TRY(lab_init(l));
	SG_TRY(sg_site_find(&l->c.at, &l->m, site));
	l->c.hook = (struct sg_hook){ .ctx = &l->c, .trains = true, .fwd = catch_fwd, .bwd = catch_bwd };
	sg_hook_add(l->c.at.lin ? &l->c.at.lin->hooks : &l->c.at.block->out, &l->c.hook);
	SG_TRY(sg_pass_init(&pass, &l->m, ROWS, true));
	SG_TRY(sg_pass_train(&pass, &l->b, 1.0f, loss));
	sg_pass_release(&pass);
	*(l->c.at.lin ? &l->c.at.lin->hooks : &l->c.at.block->out) = NULL;
	snprintf(text, sizeof(text), "%s sites=%s", set, site);
	SG_TRY(lab_graft(l, text));
	return variant_attach(l->g, &l->m, true, &l->b);
}

static void lab_close(struct lab *l)
{
	sg_batch_release(&l->b);
	if (l->m.dev)
		sg_model_release(&l->m);
	sg_graft_free(l->g);
	sg_checkpoint_free(l->ckpt);
	if (l->dev.be)
		sg_device_close(&l->dev);
}

/* v^T of the r leading right singular vectors of the centred signal, as columns u [d,r]. */
static void twin(double *u, const double *signal, size_t d, size_t r)
{
	static double a[WIDE * WIDE];
	double sigma[WIDE];

	memset(a, 0, sizeof(a));
	for (size_t j = 0; j < d; j++) {
		double mean = 0;

		for (size_t i = 0; i < ROWS; i++)
			mean += signal[i * d + j] / ROWS;
		for (size_t i = 0; i < ROWS; i++)
			a[j * d + i] = signal[i * d + j] - mean;	/* tokens are columns */
	}
	sg_svd(sigma, a, NULL, d, d);
	for (size_t i = 0; i < d; i++)
		for (size_t k = 0; k < r; k++)
			u[i * r + k] = a[i * d + k] / sigma[k];
}

/* Is each direction the twin's, up to its sign? */
static bool same(const double *u, const float *v, size_t d, size_t r, size_t row, size_t col, double gain)
{
	for (size_t k = 0; k < r; k++) {
		double dot = 0;

		for (size_t i = 0; i < d; i++)
			dot += u[i * r + k] * (double)v[i * row + k * col] / gain;
		if (fabs(fabs(dot) - 1) > 1e-4) {
			printf("# direction %zu: %g\n", k, dot);
			return false;
		}
	}
	return true;
}

/* Signal at the input of the site, or at its output. */
static void signal_of(double *s, const struct lab *l, const char *basis, bool output)
{
	const struct catch *c = &l->c;
	size_t in = c->at.in, out = c->at.out, d = output ? out : in;

	for (size_t i = 0; i < ROWS; i++)
		for (size_t j = 0; j < d; j++) {
			double act = (double)(output ? c->y : c->x)[i * d + j], grad = output || !c->at.lin ? (double)c->dy[i * d + j] : 0;

			for (size_t k = 0; !output && c->at.lin && k < out; k++)
				grad += (double)c->dy[i * out + k] * (double)sg_mat_at(&c->at.lin->w, k * in + j);
			s[i * d + j] = !strcmp(basis, "activation") ? act : !strcmp(basis, "gradient") ? grad : act * fabs(grad);
		}
}

static const char *const from_data[] = { "activation", "gradient", "actgrad" };

TEST(bases_from_data_are_the_singular_vectors_of_what_passes_a_site)
{
	static const char *const sites[] = { "layers.0.mlp.up", "layers.1.attn.q", "layers.0.out" };

	for (size_t k = 0; k < SG_LEN(sites); k++)
		for (size_t b = 0; b < SG_LEN(from_data); b++) {
			double s[ROWS * WIDE], u[WIDE * 3];
			char set[60];
			struct lab l;

			snprintf(set, sizeof(set), "rank=3 basis=%s", from_data[b]);
			PASS(lab_open(&l, sites[k], set));
			struct sg_part *p = &l.g->part[0];
			double gain = sqrt((double)p->at.out / 3);

			signal_of(s, &l, from_data[b], false);
			twin(u, s, p->at.in, 3);
			CHECK(same(u, sg_part_data(p, SG_PHI_B), p->at.in, 3, 1, p->at.in, 1));
			if (p->at.kind == SG_SITE_LINEAR) {
				signal_of(s, &l, from_data[b], true);
				twin(u, s, p->at.out, 3);
			}
			CHECK(same(u, sg_part_data(p, SG_PHI_A), p->at.out, 3, 3, 1, gain));
			lab_close(&l);
		}
}

TEST(bases_of_every_kind_are_orthonormal_over_all_stages)
{
	static const char *const basis[] = { "svd", "random", "activation", "gradient", "actgrad" };

	for (size_t k = 0; k < 2 * SG_LEN(basis) - 1; k++) {
		bool hidden = k >= SG_LEN(basis);
		float a[WIDE][8], b[8][WIDE];
		char set[60];
		struct lab l;

		snprintf(set, sizeof(set), "rank=4 stages=2 basis=%s", basis[hidden ? k - SG_LEN(basis) + 1 : k]);
		PASS(lab_open(&l, hidden ? "layers.0.out" : "layers.1.mlp.down", set));
		struct sg_part *p = &l.g->part[0];
		double gain2 = (double)p->at.out / 4;

		for (size_t s = 0; s < 2; s++)
			for (size_t i = 0; i < 4; i++) {
				for (size_t j = 0; j < p->at.out; j++)
					a[j][4 * s + i] = sg_part_data(p, s * SG_PHI_STAGE + SG_PHI_A)[j * 4 + i];
				for (size_t j = 0; j < p->at.in; j++)
					b[4 * s + i][j] = sg_part_data(p, s * SG_PHI_STAGE + SG_PHI_B)[i * p->at.in + j];
			}
		for (size_t i = 0; i < 8; i++)
			for (size_t j = 0; j < 8; j++) {
				double x = 0, y = 0;

				for (size_t q = 0; q < p->at.out; q++)
					x += (double)a[q][i] * (double)a[q][j] / gain2;
				for (size_t q = 0; q < p->at.in; q++)
					y += (double)b[i][q] * (double)b[j][q];
				CHECK(fabs(x - (i == j)) < 1e-6 && fabs(y - (i == j)) < 1e-6);
			}
		lab_close(&l);
	}
}

/* The sum of losses, with or without the graft's start. */
static int sum_loss(double *out, struct lab *l)
{
	struct sg_pass pass;
	float loss[ROWS];
	int rc;

	SG_TRY(sg_pass_init(&pass, &l->m, ROWS, false));
	rc = sg_pass_loss(&pass, &l->b, loss);
	sg_pass_release(&pass);
	*out = 0;
	for (int i = 0; rc >= 0 && i < ROWS; i++)
		*out += (double)loss[i];
	return rc;
}

/* How far Phi is from where the sum of |s A Phi B x + eta g|^2 has no slope, over the slope at
 * Phi = 0. */
static double slope_left(const struct lab *l, double eta, double scale)
{
	struct sg_part *p = &l->g->part[0];
	struct sg_phi_shape s = sg_phi_shape(p);
	size_t r = s.r, in = p->at.in, out = p->at.out;
	const float *a = sg_part_data(p, SG_PHI_A), *b = sg_part_data(p, SG_PHI_B), *phi = sg_part_data(p, SG_PHI_FORM);
	double at[WIDE * WIDE] = { 0 }, zero[WIDE * WIDE] = { 0 }, x = 0, y = 0;

	for (size_t i = 0; i < ROWS; i++) {
		double z[WIDE], e[WIDE], e0[WIDE];

		for (size_t k = 0; k < r; k++) {
			z[k] = 0;
			for (size_t j = 0; j < in; j++)
				z[k] += (double)b[k * in + j] * (double)l->c.x[i * in + j];
		}
		for (size_t o = 0; o < out; o++) {
			e[o] = e0[o] = eta * (double)l->c.dy[i * out + o];
			for (size_t k = 0; k < r * r; k++)
				e[o] += scale * (double)a[o * r + k / r] * (double)phi[k] * z[k % r];
		}
		for (size_t k = 0; k < r * r; k++)
			for (size_t o = 0; o < out; o++) {
				at[k] += (double)a[o * r + k / r] * e[o] * z[k % r];
				zero[k] += (double)a[o * r + k / r] * e0[o] * z[k % r];
			}
	}
	for (size_t k = 0; k < r * r; k++) {
		x += at[k] * at[k];
		y += zero[k] * zero[k];
	}
	return sqrt(x / y);
}

TEST(least_squares_start_has_no_slope_left_and_lowers_the_loss)
{
	static const struct { const char *site, *set; } cases[] = {
		{ "layers.1.mlp.down", "rank=4 basis=svd scale=0.5" }, { "layers.1.attn.v", "rank=3 basis=actgrad" },
		{ "layers.1.out", "rank=5 basis=gradient" },
	};

	for (size_t i = 0; i < SG_LEN(cases); i++) {
		double before, after, scale = i ? 1 : 0.5;
		char set[100];
		struct lab l;

		PASS(lab_init(&l));
		PASS(sum_loss(&before, &l));
		lab_close(&l);
		snprintf(set, sizeof(set), "%s init=ls eta=0.02", cases[i].set);
		PASS(lab_open(&l, cases[i].site, set));
		CHECK(slope_left(&l, 0.02, scale) < 1e-4);
		PASS(sum_loss(&after, &l));
		CHECK(after < before);
		lab_close(&l);
	}
}

static int segments(struct sg_batch **out, void *arg, size_t i)
{
	static struct sg_batch part;
	static int32_t mem[3][ROWS];
	struct sg_batch *b = arg;
	size_t at = 0, end = 0;

	for (size_t k = 0; k <= i && at < b->n; k++) {
		at = end;
		for (end = at + 1; at < b->n && end < b->n && b->begin[end] == (int32_t)at; end++)
			;
	}
	*out = NULL;
	if (at >= b->n)
		return 0;
	part = (struct sg_batch){ .n = end - at, .cap = ROWS, .token = mem[0], .target = mem[1], .begin = mem[2] };
	for (size_t k = at; k < end; k++) {
		mem[0][k - at] = b->token[k];
		mem[1][k - at] = b->target[k];
		mem[2][k - at] = b->begin[k] - (int32_t)at;
	}
	*out = &part;
	return 0;
}

static int whole(struct sg_batch **out, void *arg, size_t i)
{
	*out = i ? NULL : arg;
	return 0;
}

TEST(what_is_heard_does_not_depend_on_memory_or_on_how_the_data_is_cut)
{
	static const struct { sg_calib_fn *next; size_t bytes; } ways[] = { { whole, SIZE_MAX }, { whole, 1 }, { segments, 20000 } };
	float *first = NULL;

	for (size_t i = 0; i < SG_LEN(ways); i++) {
		struct sg_pass pass;
		struct lab l;

		PASS(lab_init(&l));
		PASS(lab_graft(&l, "rank=3 basis=actgrad init=ls"));
		PASS(sg_graft_attach(l.g, &l.m, ROWS, true, 7, NULL));
		PASS(sg_pass_init(&pass, &l.m, ROWS, true));
		PASS(sg_calibrate(l.g, &pass, ways[i].next, &l.b, ways[i].bytes, NULL));
		sg_pass_release(&pass);
		if (!first) {
			PASS(SG_NEW(first, l.g->params.floats));
			memcpy(first, l.g->params.data, l.g->params.floats * sizeof(*first));
		}
		CHECK(!memcmp(first, l.g->params.data, l.g->params.floats * sizeof(*first)));
		for (size_t k = 0; k < l.g->grads.floats; k++)
			CHECK(l.g->grads.data[k] == 0);
		lab_close(&l);
	}
	free(first);
}

TEST(data_that_says_nothing_is_refused)
{
	struct sg_pass pass;
	struct lab l;

	PASS(lab_init(&l));
	PASS(lab_graft(&l, "rank=3 basis=gradient"));
	PASS(sg_graft_attach(l.g, &l.m, ROWS, true, 7, NULL));
	PASS(sg_pass_init(&pass, &l.m, ROWS, true));
	for (size_t i = 0; i < l.b.n; i++)
		l.b.target[i] = -1;
	FAILS(REFUSED, sg_calibrate(l.g, &pass, whole, &l.b, SIZE_MAX, NULL));
	CHECK(strstr(sg_error_message(), "says nothing"));
	sg_pass_release(&pass);
	lab_close(&l);
}

/* sum of g x^T over tokens */
static void map_gradient(double *g, const struct lab *l)
{
	size_t in = l->c.at.in, out = l->c.at.out;

	memset(g, 0, in * out * sizeof(*g));
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < out * in; k++)
			g[k] += (double)l->c.dy[i * out + k / in] * (double)l->c.x[i * in + k % in];
}

TEST(the_residual_stands_where_the_gradient_is_largest_and_nothing_else_moves)
{
	static const char *const sites[] = { "layers.0.mlp.up", "layers.1.out" };
	enum { K = 9 };

	for (size_t q = 0; q < SG_LEN(sites); q++) {
		double g[WIDE * WIDE], least = INFINITY;
		float *left = NULL, *right = NULL, values[K];
		size_t rank = 0, larger = 0, moved = 0, n;
		struct lab l;

		PASS(lab_open(&l, sites[q], "rank=2 basis=random residual=9"));
		struct sg_part *p = &l.g->part[0];
		const float *at = sg_part_data(p, SG_PHI_AT);

		n = p->at.in * p->at.out;
		map_gradient(g, &l);
		for (size_t i = 0; i < K; i++)
			least = SG_MIN(least, fabs(g[(size_t)at[i] * p->at.in + (size_t)at[K + i]]));
		for (size_t i = 0; i < n; i++)
			larger += fabs(g[i]) > least * (1 + 1e-5);
		CHECK(larger < K);
		for (size_t i = 0; i < K; i++)
			values[i] = (float)i - 20;
		PASS(sg_part_put(p, SG_PHI_VALUE, values));
		if (p->at.kind == SG_SITE_LINEAR) {
			float *dw;

			PASS(SG_NEW(dw, n));
			PASS(l.g->type->delta(p, dw));
			for (size_t i = 0; i < n; i++)
				moved += dw[i] != 0;
			CHECK(moved == K);
			for (size_t i = 0; i < K; i++)
				CHECK(dw[(size_t)at[i] * p->at.in + (size_t)at[K + i]] == values[i]);
			free(dw);
		}
		PASS(l.g->type->factors(p, &left, &right, &rank));
		CHECK(rank > 2 && rank <= 2 + K);
		free(left);
		free(right);
		lab_close(&l);
	}
}

TEST(places_that_are_none_are_refused)
{
	static const float bad[] = { -1, 0.5f, 20, NAN };
	struct lab l;

	PASS(lab_open(&l, "layers.0.mlp.up", "rank=2 residual=4 score=magnitude"));
	for (size_t i = 0; i < SG_LEN(bad); i++) {
		float *at = sg_part_data(&l.g->part[0], SG_PHI_AT), old = at[3];

		at[3] = bad[i];
		FAILS(CORRUPT, sg_phi_check_residual(&l.g->part[0]));
		at[3] = old;
		PASS(sg_phi_check_residual(&l.g->part[0]));
	}
	lab_close(&l);
}

/* Share of the centred input's energy that lies in r directions v (element i of direction k at
 * i * row + k * col, times 1 / gain). */
static double share(const struct lab *l, const float *v, size_t row, size_t col, double gain)
{
	size_t d = l->c.at.in;
	double in = 0, all = 0;

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < ROWS; i++) {
			double dot = 0;

			for (size_t j = 0; j < d; j++) {
				double mean = 0;

				for (size_t q = 0; q < ROWS; q++)
					mean += (double)l->c.x[q * d + j] / ROWS;
				dot += ((double)l->c.x[i * d + j] - mean) * (double)v[j * row + k * col] / gain;
				all += k ? 0 : pow((double)l->c.x[i * d + j] - mean, 2);
			}
			in += dot * dot;
		}
	return in / all;
}

/* The activation route of a square matrix was laid along the wrong axis, and nothing told. */
TEST(defect_23_bases_of_a_square_map_lie_on_their_own_sides)
{
	struct lab l;
	double right, wrong;

	PASS(lab_open(&l, "layers.1.attn.q", "rank=3 basis=activation"));
	struct sg_part *p = &l.g->part[0];

	CHECK(p->at.in == p->at.out);
	right = share(&l, sg_part_data(p, SG_PHI_B), 1, p->at.in, 1);
	wrong = share(&l, sg_part_data(p, SG_PHI_A), 3, 1, (double)sg_phi_gain(p, &(struct sg_phi_shape){ .r = 3 }));
	CHECK(right > 0.5 && wrong < 0.8 * right);
	lab_close(&l);
}
