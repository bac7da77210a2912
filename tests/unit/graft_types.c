/* ia3, dora, sparse, full, head: what each promises besides what all do. */
#include "tests/test.h"
#include "tests/rig.h"
#include "tests/tinyarch.h"
#include "base/rng.h"
#include "base/mem.h"
#include "base/error.h"
#include "kernels/kernels.h"
#include "train/calib.h"
#include <math.h>

static int on(struct rig *r, const char *arch)
{
	struct sg_checkpoint *c;

	memset(r, 0, sizeof(*r));
	SG_TRY(tiny_arch_make(&c, tiny_arch_find(arch), SG_F32, 1));
	return rig_init(r, c);
}

/* The weight of a part's site, and what the graft makes of it, both yours. */
static int weights(float **w, float **v, struct sg_part *p)
{
	size_t n = p->at.out * p->at.in;

	SG_TRY(sg_part_weight(w, p));
	SG_TRY(SG_NEW(*v, n));
	memcpy(*v, *w, n * sizeof(**v));
	return p->g->type->delta(p, *v);
}

static double gradient(struct rig *r, float h)
{
	double worst = 1;
	int rc;

	rig_shake(r->g);
	rc = rig_gradient_error(&worst, r, h);
	return rc < 0 ? 1 : worst;
}

/* --- ia3 -------------------------------------------------------------------------- */

TEST(ia3_scales_rows_or_columns_and_the_bias_with_the_rows)
{
	static const char *const hyper[] = { "side=in", "side=out" };

	for (size_t side = 0; side < 2; side++) {
		float *w, *v, *bias, db[64] = { 0 };
		struct sg_part *p;
		struct rig r;

		PASS(on(&r, "llama-bias"));
		PASS(rig_grow(&r, "ia3", "layers.*.attn.*", hyper[side], true));
		CHECK(gradient(&r, 4e-3f) <= 1e-2);
		p = &r.g->part[1];
		PASS(weights(&w, &v, p));
		PASS(sg_part_bias(&bias, p));
		for (size_t i = 0; i < p->at.out; i++)
			for (size_t j = 0; j < p->at.in; j++) {
				size_t at = i * p->at.in + j;

				CHECK(fabsf(v[at] - w[at] * sg_part_data(p, 0)[side ? i : j]) < 1e-6f);
			}
		CHECK(p->t[0]->n == (side ? p->at.out : p->at.in) && p->t[0]->ndim == 1);
		CHECK(r.g->type->delta_bias(p, NULL) == (int)side);
		PASS(r.g->type->delta_bias(p, db));
		for (size_t i = 0; i < p->at.out; i++)
			CHECK(fabsf(db[i] - (side ? bias[i] * (sg_part_data(p, 0)[i] - 1) : 0)) < 1e-6f);
		free(w);
		free(v);
		free(bias);
		rig_release(&r);
	}
}

TEST(ia3_behind_another_graft_scales_what_the_base_gives)
{
	float together[RIG_ROWS], folded[RIG_ROWS];
	struct sg_graft *lora;
	struct rig r;

	PASS(on(&r, "llama-bias"));
	PASS(rig_grow(&r, "lora", "layers.1.attn.k", "rank=2", false));
	lora = r.g;
	rig_shake(lora);
	PASS(rig_grow(&r, "ia3", "layers.1.attn.k", "", false));
	rig_shake(r.g);
	PASS(rig_losses(together, &r));
	{
		struct sg_linear *l = r.g->part[0].at.lin;
		float *w = (float *)(uintptr_t)l->w.data, *b = (float *)(uintptr_t)l->bias.v, *dw, *db;
		size_t n = l->out * l->in;

		PASS(SG_NEW(dw, n));
		PASS(SG_NEW(db, l->out));
		PASS(lora->type->delta(&lora->part[0], dw));
		PASS(r.g->type->delta(&r.g->part[0], dw));
		CHECK(r.g->type->delta_bias(&r.g->part[0], db) == 1);
		for (size_t i = 0; i < n; i++)
			w[i] += dw[i];
		for (size_t i = 0; i < l->out; i++)
			b[i] += db[i];
		l->hooks = NULL;
		free(dw);
		free(db);
	}
	PASS(rig_losses(folded, &r));
	CHECK(rig_apart(together, folded) < 1e-4);
	sg_graft_free(lora);
	rig_release(&r);
}

/* --- dora ------------------------------------------------------------------------- */

TEST(dora_gives_each_row_the_length_m)
{
	struct rig r;

	PASS(on(&r, "llama-bias"));
	PASS(rig_grow(&r, "dora", "layers.*.attn.*,layers.*.mlp.*", "rank=3 alpha=5", true));
	CHECK(gradient(&r, 4e-3f) <= 1e-2);
	r.g->hold = false;
	for (size_t k = 0; k < r.g->n; k++) {
		struct sg_part *p = &r.g->part[k];
		const float *a = sg_part_data(p, 0), *b = sg_part_data(p, 1), *m = sg_part_data(p, 2);
		float *w, *v;

		PASS(weights(&w, &v, p));
		for (size_t i = 0; i < p->at.out; i++) {
			double want[64] = { 0 }, n2 = 0, worst = 0;

			for (size_t j = 0; j < p->at.in; j++) {
				want[j] = (double)w[i * p->at.in + j];
				for (size_t t = 0; t < 3; t++)
					want[j] += 5.0 / 3 * (double)b[i * 3 + t] * (double)a[t * p->at.in + j];
				n2 += want[j] * want[j];
			}
			for (size_t j = 0; j < p->at.in; j++)
				worst = fmax(worst, fabs(want[j] * (double)m[i] / sqrt(n2) - (double)v[i * p->at.in + j]));
			CHECK(worst < 2e-6);
		}
		free(w);
		free(v);
	}
	rig_release(&r);
}

/* A training graft always uses the norms of its parameters as they are now, also
 * when the last pass was one of other parameters. */
TEST(dora_that_trains_computes_what_the_sealed_one_does)
{
	float train[RIG_ROWS], loaded[RIG_ROWS];
	struct rig r, s;

	PASS(on(&r, "qwen2"));
	PASS(on(&s, "qwen2"));
	PASS(rig_grow(&r, "dora", "layers.*.attn.*", "rank=2", true));
	PASS(rig_losses(train, &r));
	rig_shake(r.g);
	PASS(rig_losses(train, &r));
	PASS(sg_graft_seal(r.g));
	PASS(rig_load(&s, r.g));
	PASS(rig_losses(loaded, &s));
	CHECK(!memcmp(train, loaded, sizeof(train)));
	PASS(rig_losses(loaded, &s));
	CHECK(!memcmp(train, loaded, sizeof(train)));
	rig_release(&r);
	rig_release(&s);
}

/* --- sparse ----------------------------------------------------------------------- */

TEST(sparse_takes_the_largest_and_ties_go_to_the_earlier)
{
	struct sg_part *p;
	struct rig r;
	float *w;

	PASS(on(&r, "llama"));
	w = (float *)(uintptr_t)r.m.blocks[0]->lin[SG_Q].w.data;
	for (size_t i = 0; i < 16; i++)
		for (size_t j = 0; j < 16; j++)
			w[i * 16 + j] = i == 9 && j == 4 ? -7.0f : i == 2 && j == 11 ? 3.0f : j == 5 ? 2.0f : 0.5f;
	PASS(rig_grow(&r, "sparse", "layers.0.attn.q", "count=5", false));
	p = &r.g->part[0];
	{
		static const float rows[] = { 0, 1, 2, 2, 9 }, cols[] = { 5, 5, 5, 11, 4 };

		CHECK(!memcmp(sg_part_data(p, 0), rows, sizeof(rows)) && !memcmp(sg_part_data(p, 0) + 5, cols, sizeof(cols)));
	}
	rig_release(&r);
}

TEST(sparse_by_chance_follows_the_seed_and_every_place_is_there_once)
{
	struct rig r;
	const float *at;

	PASS(on(&r, "llama"));
	PASS(rig_grow(&r, "sparse", "layers.*.mlp.up", "count=320 score=random", false));
	at = sg_part_data(&r.g->part[0], 0);
	for (size_t i = 0; i < 320; i++)	/* all of 20 x 16 */
		CHECK(at[i] == (float)(i / 16) && at[320 + i] == (float)(i % 16));
	rig_release(&r);
	PASS(on(&r, "llama"));
	PASS(rig_grow(&r, "sparse", "layers.*.mlp.up", "count=40 score=random", true));
	CHECK(memcmp(sg_part_data(&r.g->part[0], 0), sg_part_data(&r.g->part[1], 0), 80 * sizeof(float)));
	CHECK(gradient(&r, 4e-3f) <= 1e-2);
	rig_release(&r);
}

TEST(sparse_refuses_places_that_are_none)
{
	static const float bad[][2] = { { 0, 16 }, { -1, 3 }, { 20, 0 }, { 1.5f, 3 }, { NAN, 0 }, { 0, 0 } };

	for (size_t i = 0; i < SG_LEN(bad); i++) {
		struct rig r, s;

		PASS(on(&r, "llama"));
		PASS(on(&s, "llama"));
		PASS(rig_grow(&r, "sparse", "layers.0.mlp.up", "count=4", false));
		sg_part_data(&r.g->part[0], 0)[2] = bad[i][0];
		sg_part_data(&r.g->part[0], 0)[4 + 2] = bad[i][1];
		PASS(sg_graft_seal(r.g));
		CHECK(rig_load(&s, r.g) == -SG_E_CORRUPT);
		rig_release(&r);
		rig_release(&s);
	}
}

/* b once. */
static int once(struct sg_batch **out, void *arg, size_t i)
{
	*out = i ? NULL : arg;
	return 0;
}

/* The places that data chooses are those of the largest |G| or |W G|, G being what a free
 * matrix at the site has as its gradient; with the same bits however parts are grouped. */
TEST(sparse_from_data_takes_the_places_of_the_largest_gradient)
{
	static const char *const hyper[] = { "count=40 score=gradient", "count=40 score=weightgrad" };
	float loss[RIG_ROWS], was[RIG_ROWS];

	for (size_t k = 0; k < 2; k++)
		for (size_t bytes = 1; bytes <= SG_CALIB_BYTES; bytes *= SG_CALIB_BYTES) {
			struct sg_pass pass;
			struct rig r, s;

			PASS(on(&s, "llama-bias"));
			PASS(rig_losses(was, &s));
			PASS(rig_grow(&s, "full", "layers.*.mlp.up,layers.*.attn.q", "", true));
			PASS(sg_pass_init(&pass, &s.m, RIG_ROWS, true));
			PASS(sg_pass_train(&pass, &s.b, 1, loss));
			sg_pass_release(&pass);
			PASS(on(&r, "llama-bias"));
			PASS(rig_grow(&r, "sparse", "layers.*.mlp.up,layers.*.attn.q", hyper[k], true));
			PASS(sg_pass_init(&pass, &r.m, RIG_ROWS, true));
			CHECK(sg_calib_wanted(r.g));
			PASS(sg_calibrate(r.g, &pass, once, &r.b, bytes, NULL));
			PASS(sg_pass_loss(&pass, &r.b, loss));
			CHECK(!memcmp(loss, was, sizeof(loss)));
			for (size_t i = 0; i < r.g->n; i++) {
				struct sg_part *p = &r.g->part[i];
				const float *g = sg_part_grad(&s.g->part[i], 0), *at = sg_part_data(p, 0);
				size_t n = p->at.out * p->at.in;
				unsigned char *in;
				float *w, least = INFINITY, most = 0;

				PASS(sg_part_weight(&w, p));
				PASS(SG_NEW(in, n));
				for (size_t j = 0; j < 40; j++)
					in[(size_t)at[j] * p->at.in + (size_t)at[40 + j]]++;
				for (size_t j = 0; j < n; j++) {
					float v = fabsf(k ? w[j] * g[j] : g[j]);

					CHECK(in[j] <= 1);
					least = in[j] ? fminf(least, v) : least;
					most = in[j] ? most : fmaxf(most, v);
				}
				CHECK(least >= most && most > 0);
				free(in);
				free(w);
			}
			CHECK(gradient(&r, 4e-3f) <= 1e-2);
			sg_pass_release(&pass);
			rig_release(&r);
			rig_release(&s);
		}
}

/* --- full and head ---------------------------------------------------------------- */

TEST(full_takes_the_bias_where_there_is_one)
{
	struct rig r;

	PASS(on(&r, "qwen2"));		/* biases of q, k, v alone */
	PASS(rig_grow(&r, "full", "layers.1.attn.q,layers.1.attn.o", "bias=1", true));
	CHECK(r.g->part[0].t[1] && !r.g->part[1].t[1]);
	CHECK(r.g->type->delta_bias(&r.g->part[0], NULL) == 1 && !r.g->type->delta_bias(&r.g->part[1], NULL));
	CHECK(gradient(&r, 4e-3f) <= 1e-2);
	rig_release(&r);
}

TEST(a_head_of_full_rank_or_less_stands_on_tied_and_own_heads)
{
	static const char *const archs[] = { "llama", "qwen2", "gpt2" }, *const hyper[] = { "", "rank=4" };

	for (size_t i = 0; i < SG_LEN(archs); i++)
		for (size_t k = 0; k < 2; k++) {
			struct rig r;

			PASS(on(&r, archs[i]));
			PASS(rig_grow(&r, "head", "head", hyper[k], true));
			CHECK(gradient(&r, 4e-3f) <= 1e-2);
			rig_release(&r);
		}
}

TEST(types_that_need_a_weight_refuse_to_stand_without)
{
	struct sg_checkpoint *c;
	struct rig r;

	PASS(tiny_substrate(&c, 1));
	PASS(rig_init(&r, c));
	CHECK(rig_grow(&r, "sparse", "head", "count=3", false) == -SG_E_REFUSED);
	sg_graft_free(r.g);
	r.g = NULL;
	PASS(rig_grow(&r, "sparse", "head", "count=3 score=random", false));
	rig_release(&r);
}

/* --- wide ------------------------------------------------------------------------- */

/* The law itself: an MLP with the units behind its own computes what MLP and graft do. */
TEST(wide_is_the_mlp_with_more_rows_and_columns)
{
	static const char *const archs[] = { "llama", "gpt2", "opt" };	/* gated, and not */

	for (size_t a = 0; a < SG_LEN(archs); a++) {
		float beside[RIG_ROWS], within[RIG_ROWS];
		float *joined[2][SG_LINEARS] = { { NULL } }, *bias[2] = { NULL };
		struct rig r;

		PASS(on(&r, archs[a]));
		PASS(rig_grow(&r, "wide", "*.mlp", "width=5", false));
		rig_shake(r.g);
		PASS(rig_losses(beside, &r));
		for (size_t k = 0; k < r.g->n; k++) {
			struct sg_part *p = &r.g->part[k];
			struct sg_block *b = p->at.block;

			for (int i = SG_GATE; i <= SG_DOWN; i++) {
				struct sg_linear *l = &b->lin[i];
				const struct sg_tensor *t = p->g->type->wider(p, i);
				size_t rows = l->out + (i == SG_DOWN ? 0 : 5), cols = l->in + (i == SG_DOWN ? 5 : 0);
				struct sg_part own = { .g = r.g, .site = p->site, .at = { .lin = l } };
				float *w, *v;

				CHECK(!t == !l->out);
				if (!t)
					continue;
				PASS(sg_part_weight(&w, &own));
				PASS(SG_NEW(v, rows * cols));
				for (size_t n = 0; n < rows * cols; n++) {
					size_t y = n / cols, x = n % cols, ty = i == SG_DOWN ? y : y - l->out;

					v[n] = y < l->out && x < l->in ? w[y * l->in + x] :
					       sg_slab_ptr(&r.g->params, t)[ty * t->shape[1] + (i == SG_DOWN ? x - l->in : x)];
				}
				free(w);
				l->w = (struct sg_mat){ .data = v, .dtype = SG_F32, .rows = rows, .cols = cols };
				joined[k][i] = v;
				if (i == SG_UP && l->bias.v) {
					PASS(SG_NEW(bias[k], rows));
					memcpy(bias[k], l->bias.v, l->out * sizeof(float));
					l->bias.v = bias[k];
				}
				l->out = rows;
				l->in = cols;
			}
			b->ffn += 5;
			b->mlp = NULL;
		}
		PASS(rig_losses(within, &r));
		CHECK(rig_apart(beside, within) < 1e-5);
		for (int k = 0; k < 2; k++) {
			for (int i = 0; i < SG_LINEARS; i++)
				free(joined[k][i]);
			free(bias[k]);
		}
		rig_release(&r);
	}
}

/* --- tt --------------------------------------------------------------------------- */

/* Rank by elimination with full pivots, in double precision. */
static size_t rank_of(const float *m, size_t rows, size_t cols)
{
	double *a = calloc(rows * cols, sizeof(*a)), first = 0;
	size_t rank = 0;

	for (size_t i = 0; i < rows * cols; i++)
		a[i] = (double)m[i];
	while (rank < rows && rank < cols) {
		size_t y = rank, x = rank;
		double best;

		for (size_t i = rank; i < rows; i++)
			for (size_t j = rank; j < cols; j++)
				if (fabs(a[i * cols + j]) > fabs(a[y * cols + x])) {
					y = i;
					x = j;
				}
		best = a[y * cols + x];
		first = rank ? first : fabs(best);
		if (fabs(best) <= 1e-5 * first)		/* the numbers were rounded to single precision */
			break;
		for (size_t j = 0; j < cols; j++) {
			double t = a[rank * cols + j];

			a[rank * cols + j] = a[y * cols + j];
			a[y * cols + j] = t;
		}
		for (size_t i = 0; i < rows; i++) {
			double t = a[i * cols + rank];

			a[i * cols + rank] = a[i * cols + x];
			a[i * cols + x] = t;
		}
		for (size_t i = rank + 1; i < rows; i++) {
			double c = a[i * cols + rank] / best;

			for (size_t j = rank; j < cols; j++)
				a[i * cols + j] -= c * a[rank * cols + j];
		}
		rank++;
	}
	free(a);
	return rank;
}

TEST(tt_of_bond_one_is_the_kronecker_product_of_its_cores)
{
	struct sg_part *p;
	struct rig r;
	float *dw;

	PASS(on(&r, "llama"));
	PASS(rig_grow(&r, "tt", "layers.0.mlp.up", "cores=3 bond=1", false));	/* 20 x 16: 2 2 5, 4 2 2 */
	rig_shake(r.g);
	p = &r.g->part[0];
	PASS(SG_NEW(dw, p->at.out * p->at.in));
	PASS(r.g->type->delta(p, dw));
	for (size_t o = 0; o < p->at.out; o++)
		for (size_t i = 0; i < p->at.in; i++) {
			size_t y = o, x = i;
			double want = 1;

			for (size_t k = 3; k-- > 0; ) {
				size_t rows = p->t[k]->shape[0], cols = p->t[k]->shape[1];

				want *= (double)sg_part_data(p, k)[y % rows * cols + x % cols];
				y /= rows;
				x /= cols;
			}
			CHECK(y == 0 && x == 0 && fabs(want - (double)dw[o * p->at.in + i]) < 1e-6);
		}
	CHECK(rank_of(dw, p->at.out, p->at.in) == 16);	/* a product of full ranks */
	free(dw);
	rig_release(&r);
}

TEST(tt_splits_a_prime_and_bonds_no_more_than_is_there)
{
	struct rig r;
	struct sg_part *p;

	PASS(on(&r, "llama"));
	PASS(rig_grow(&r, "tt", "layers.0.attn.q", "cores=2 bond=1000", true));	/* 16 x 16: 4 4, 4 4 */
	p = &r.g->part[0];
	CHECK(p->t[0]->shape[0] == 4 && p->t[0]->shape[1] == 4 * 16 && p->t[1]->shape[0] == 4 * 16 && p->t[1]->shape[1] == 4);
	CHECK(gradient(&r, 4e-3f) <= 1e-2);
	rig_release(&r);
}
