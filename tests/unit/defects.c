/*
 * Defects that are known from SAINT-G, one test each, named by their number in the list
 * that stands in its study: what sg does instead.
 */
#include "tests/test.h"
#include "kernels/kernels.h"
#include "base/mem.h"
#include "base/error.h"
#include "tests/rig.h"
#include "tests/tiny.h"
#include "tests/tinyarch.h"
#include "tests/variant.h"
#include "base/hash.h"
#include "base/file.h"
#include "base/rng.h"
#include "model/batch.h"
#include "model/pass.h"
#include <math.h>


/* A tiny Llama with one graft. */
static int with_graft(struct rig *r, const char *type, const char *set)
{
	struct variant v = { .t = sg_graft_type_find(type), .set = set };
	struct sg_checkpoint *c = NULL;

	memset(r, 0, sizeof(*r));
	SG_TRY(tiny_llama(&c, 1));
	SG_TRY(rig_init(r, c));
	SG_TRY(variant_graft(&r->g, &v, &r->m, "slot.1", r->base));
	return sg_graft_attach(r->g, &r->m, RIG_ROWS, false, 7, NULL);
}

/* A rank that the map cannot have was padded with zeros and reported as it was asked for. */
TEST(defect_08_a_rank_that_is_not_there_is_refused_and_the_true_one_is_stored)
{
	struct rig f;

	FAILS(REFUSED, with_graft(&f, "phi", "rank=17 sites=layers.0.mlp.up"));
	rig_release(&f);
	PASS(with_graft(&f, "phi", "rank=8 phi=lowrank inner=2 sites=layers.0.mlp.up"));
	rig_shake(f.g);
	PASS(sg_graft_seal(f.g));
	CHECK(!strcmp(sg_graft_str(f.g, "effective_rank"), "2"));
	CHECK(sg_graft_int(f.g, "rank") == 8);
	rig_release(&f);
}

/* A, Phi and B, and which code a tile has, were multiplied out to a list of numbers. */
TEST(defect_16_what_a_change_is_made_of_is_what_is_stored)
{
	static const char *const name[] = { "A", "B", "Phi.book", "Phi.gain", "Phi.code" };
	struct rig f;
	size_t numbers = 0;

	PASS(with_graft(&f, "phi", "rank=8 phi=codebook codes=3 sites=layers.0.mlp.up"));
	PASS(sg_graft_seal(f.g));
	CHECK(f.g->file.n_tensors == SG_LEN(name));
	for (size_t i = 0; i < SG_LEN(name); i++) {
		char full[80];

		snprintf(full, sizeof(full), "layers.0.mlp.up.%s", name[i]);
		CHECK(sg_graftfile_tensor(&f.g->file, full));
		numbers += i < 2 ? 0 : sg_graftfile_tensor(&f.g->file, full)->bytes / 4;
	}
	CHECK(numbers == 3 * 4 + 16 + 16);	/* of 64 */
	rig_release(&f);
}

/* --- the other types ------------------------------------------------------------------ */

static int defect_rig(struct rig *r)
{
	struct sg_checkpoint *c;

	memset(r, 0, sizeof(*r));
	SG_TRY(tiny_llama(&c, 1));
	return rig_init(r, c);
}

/* Weight decay reached whole matrices through a masked gradient, so that a delta of 32
 * numbers moved all of them. Here the change has just as many non-zeros as the graft
 * says, after steps with decay too, and no others. */
TEST(defect_10_a_sparse_change_stays_sparse_under_weight_decay)
{
	struct sg_slab m = { 0 }, v = { 0 };
	struct sg_pass pass;
	float loss[RIG_ROWS];
	struct rig r;

	PASS(defect_rig(&r));
	PASS(rig_grow(&r, "sparse", "layers.*.mlp.up", "count=32", true));
	PASS(sg_pass_init(&pass, &r.m, RIG_ROWS, true));
	PASS(sg_slab_like(&m, &r.g->params));
	PASS(sg_slab_like(&v, &r.g->params));
	for (int step = 1; step <= 5; step++) {
		PASS(sg_pass_train(&pass, &r.b, 0.1f, loss));
		for (size_t i = 0; i < r.g->params.n; i++) {
			const struct sg_tensor *t = &r.g->params.t[i];

			if (!t->frozen)
				PASS(SG_CALL(&r.dev, adamw, r.g->params.data + t->at, m.data + t->at, v.data + t->at,
					     r.g->grads.data + t->at, 1, 1e-2f, 0.9f, 0.95f, 1e-8f, 0.1f, step, t->n));
		}
	}
	for (size_t k = 0; k < r.g->n; k++) {
		struct sg_part *p = &r.g->part[k];
		size_t n = p->at.out * p->at.in, moved = 0;
		const float *at = sg_part_data(p, 0);
		float *dw;

		PASS(SG_NEW(dw, n));
		PASS(r.g->type->delta(p, dw));
		for (size_t i = 0; i < n; i++)
			moved += dw[i] != 0;
		CHECK(moved == 32);
		for (size_t i = 0; i < 32; i++)
			CHECK(dw[(size_t)at[i] * p->at.in + (size_t)at[32 + i]] != 0);
		free(dw);
	}
	CHECK(sg_graft_trained(r.g) == 32 * r.g->n);
	sg_slab_release(&m);
	sg_slab_release(&v);
	sg_pass_release(&pass);
	rig_release(&r);
}

/* A control was a corner of a matrix, measured on other tokens. Here controls are types like
 * any other: on the same batch all begin at the base's losses, to the bit, and one small step
 * against its own gradient lowers the loss of each. */
TEST(defect_12_controls_are_types_of_the_same_loop_on_the_same_tokens)
{
	static const struct { const char *type, *sites, *hyper; } controls[] = {
		{ "lora", "*.attn.*,*.mlp.*", "rank=2" }, { "dora", "*.attn.*,*.mlp.*", "rank=2" },
		{ "ia3", "*.attn.k,*.attn.v,*.mlp.down", "" }, { "head", "head", "" }, { "full", "*.mlp.down", "" },
		{ "sparse", "*.attn.*,*.mlp.*", "count=9" },
	};
	float base[RIG_ROWS];

	for (size_t i = 0; i < SG_LEN(controls); i++) {
		float start[RIG_ROWS], after[RIG_ROWS];
		double was = 0, now = 0;
		struct sg_pass pass;
		struct rig r;

		PASS(defect_rig(&r));
		PASS(rig_losses(base, &r));
		PASS(rig_grow(&r, controls[i].type, controls[i].sites, controls[i].hyper, true));
		PASS(sg_pass_init(&pass, &r.m, RIG_ROWS, true));
		PASS(sg_pass_train(&pass, &r.b, 1.0f / RIG_ROWS, start));
		CHECK(rig_apart(base, start) == 0);
		for (size_t k = 0; k < r.g->params.n; k++)
			if (!r.g->params.t[k].frozen)
				PASS(SG_CALL(&r.dev, axpy, r.g->params.data + r.g->params.t[k].at,
					     r.g->grads.data + r.g->params.t[k].at, -0.05f, r.g->params.t[k].n));
		PASS(sg_pass_loss(&pass, &r.b, after));
		for (int k = 0; k < RIG_ROWS; k++) {
			was += (double)start[k];
			now += (double)after[k];
		}
		CHECK(now < was);
		sg_pass_release(&pass);
		rig_release(&r);
	}
}

/* The routing score of a square matrix was laid along the wrong axis, and all rows tied.
 * Here a place is a row and a column of the map, and ties go to the earlier place. */
TEST(defect_23_places_of_a_square_map_keep_their_axes_and_ties_have_one_answer)
{
	static const float rows[] = { 0, 1, 3 }, cols[] = { 0, 12, 0 };
	float *w;
	struct rig r;

	PASS(defect_rig(&r));
	w = (float *)(uintptr_t)r.m.blocks[1]->lin[SG_Q].w.data;	/* 16 x 16 */
	for (size_t i = 0; i < 256; i++)
		w[i] = 0.25f;
	w[1 * 16 + 12] = -1;
	w[3 * 16 + 0] = 1;
	PASS(rig_grow(&r, "sparse", "layers.1.attn.q", "count=3", false));
	CHECK(!memcmp(sg_part_data(&r.g->part[0], 0), rows, sizeof(rows)));
	CHECK(!memcmp(sg_part_data(&r.g->part[0], 0) + 3, cols, sizeof(cols)));
	rig_release(&r);
}

/* The axes of the contracted cores were not put in order, so that a train of bond chi was a
 * map of rank chi. Here a bond of 1 already reaches full rank, and every bond does. */
TEST(defect_07_a_tensor_train_has_the_rank_of_an_operator)
{
	static const char *const hyper[] = { "cores=2 bond=1", "cores=2 bond=2", "cores=2 bond=4", "cores=3 bond=2" };

	for (size_t h = 0; h < SG_LEN(hyper); h++) {
		size_t n = 16, rank = 0;
		double a[16 * 16];
		float *dw;
		struct rig r;

		PASS(defect_rig(&r));
		PASS(rig_grow(&r, "tt", "layers.1.attn.q", hyper[h], false));
		rig_shake(r.g);
		PASS(SG_NEW(dw, n * n));
		PASS(r.g->type->delta(&r.g->part[0], dw));
		for (size_t i = 0; i < n * n; i++)
			a[i] = (double)dw[i];
		for (size_t c = 0; c < n; c++) {	/* elimination: rows with a pivot */
			size_t best = rank;

			for (size_t i = rank; i < n; i++)
				if (fabs(a[i * n + c]) > fabs(a[best * n + c]))
					best = i;
			if (rank == n || fabs(a[best * n + c]) < 1e-7)
				continue;
			for (size_t j = 0; j < n; j++) {
				double t = a[rank * n + j];

				a[rank * n + j] = a[best * n + j];
				a[best * n + j] = t;
			}
			for (size_t i = rank + 1; i < n; i++) {
				double f = a[i * n + c] / a[rank * n + c];

				for (size_t j = c; j < n; j++)
					a[i * n + j] -= f * a[rank * n + j];
			}
			rank++;
		}
		CHECK(rank == n);
		free(dw);
		rig_release(&r);
	}
}

/* --- data and its order ------------------------------------------------------------------ */

enum { TRAIN_DOCS = 40, DOC = 24 };

/* Documents whose tokens are all of one range, so that a token tells where it came from. */
static int ranged_shard(struct sg_shard *s, const char *name, int32_t from, unsigned docs, unsigned shortest)
{
	struct sg_tokens_builder b = { 0 };
	unsigned char h[SG_DOC_HASH] = { 0 };
	char *path = sg_path_join(sg_test_dir(), name);
	int32_t ids[DOC];
	int rc = path ? sg_tokens_builder_init(&b, 60000) : -SG_E_NOMEM;

	for (unsigned d = 0; rc >= 0 && d < docs; d++) {
		unsigned n = SG_MAX(shortest, DOC - d % DOC);

		for (unsigned i = 0; i < n; i++)
			ids[i] = from + (int32_t)sg_rng_below(3, d, i, 1000);
		rc = sg_tokens_builder_add(&b, ids, n, d, h);
	}
	if (rc >= 0)
		rc = sg_tokens_builder_write(&b, path);
	sg_tokens_builder_release(&b);
	if (rc >= 0)
		rc = sg_shard_open(s, path);
	free(path);
	return rc;
}

static uint64_t batch_sum(const struct sg_batch *b)
{
	uint64_t h = b->n;

	for (size_t i = 0; i < b->n; i++)
		h = sg_rng_u64(h, (uint64_t)b->token[i], (uint64_t)b->begin[i] << 32 | b->doc[i]);
	return h;
}

/* Every one of 4,096 steps read the same batch, of the set that judged. Here steps follow
 * each other through the sets that they were given, all of it and nothing else. */
TEST(defect_01_steps_read_the_whole_train_set_and_nothing_else)
{
	static const uint64_t seeds[] = { 42, 7, 123 };
	struct sg_shard train = { 0 };
	const struct sg_tokens *set[1];

	PASS(ranged_shard(&train, "train", 0, TRAIN_DOCS, DOC));
	set[0] = &train.t;
	for (size_t s = 0; s < SG_LEN(seeds); s++) {
		struct sg_batch b = { 0 };
		struct sg_plan p = { 0 };
		unsigned char seen[TRAIN_DOCS] = { 0 };
		uint64_t sum[20];
		size_t same = 0, outside = 0, docs = 0;

		PASS(sg_batch_init(&b, 64));
		PASS(sg_plan_init(&p, set, 1, 16, 64, seeds[s]));
		for (size_t i = 0; i < SG_LEN(sum); i++) {
			CHECK(sg_plan_step(&p, i, &b) > 0);
			sum[i] = batch_sum(&b);
			for (size_t k = 0; k < i; k++)
				same += sum[k] == sum[i];
			for (size_t k = 0; k < b.n; k++) {
				outside += b.token[k] < 0 || b.token[k] >= 1000;
				seen[b.doc[k]] = 1;
			}
		}
		for (size_t i = 0; i < TRAIN_DOCS; i++)
			docs += seen[i];
		CHECK(!same && !outside && docs == TRAIN_DOCS);
		sg_plan_release(&p);
		sg_batch_release(&b);
	}
	sg_shard_release(&train);
}

/* Short documents were filled up with a token that was then predicted and counted. Here
 * documents of all lengths stand side by side: what is scored is each token but the first
 * of its document, once, and none that the documents do not have. */
TEST(defect_11_nothing_is_filled_up_and_every_token_is_scored_once)
{
	struct sg_shard s = { 0 };
	struct sg_batch b = { 0 };
	struct sg_walk w;
	uint64_t scored = 0, outside = 0;
	int64_t n;

	PASS(ranged_shard(&s, "mixed", 5000, TRAIN_DOCS, 2));
	PASS(sg_batch_init(&b, 64));
	sg_walk_init(&w, &s.t, 16, 0, s.t.docs);
	while ((n = sg_walk_next(&w, &b)) > 0) {
		CHECK(b.scored == b.n);
		for (size_t i = 0; i < b.n; i++)
			outside += b.token[i] < 5000 || b.target[i] < 5000;
		scored += b.scored;
	}
	CHECK(n == 0 && !outside && scored == s.t.tokens - s.t.docs);
	sg_batch_release(&b);
	sg_shard_release(&s);
}

/* A document's loss hung on what it was measured with: the control's window was another than
 * the graft's, and the large model's another again. Here it has the same bits alone and among
 * others, so whoever is compared is compared on the same. */
TEST(defect_04_a_loss_has_the_same_bits_whatever_it_is_measured_with)
{
	float all[RIG_ROWS], alone[RIG_ROWS];
	struct rig r;

	PASS(defect_rig(&r));
	PASS(rig_losses(all, &r));
	for (size_t from = 0, to; from < r.b.n; from = to) {
		struct sg_batch one = { 0 };
		struct sg_pass pass;
		int32_t ids[RIG_ROWS + 1];

		for (to = from; to < r.b.n && r.b.begin[to] == r.b.begin[from]; to++)
			ids[to - from] = r.b.token[to];
		ids[to - from] = r.b.target[to - 1] < 0 ? 0 : r.b.target[to - 1];
		PASS(sg_batch_init(&one, to - from));
		CHECK(sg_batch_add(&one, ids, to - from, 0));
		one.target[to - from - 1] = r.b.target[to - 1];
		PASS(sg_pass_init(&pass, &r.m, to - from, false));
		PASS(sg_pass_loss(&pass, &one, alone));
		CHECK(!memcmp(alone, all + from, (to - from) * sizeof(*all)));
		sg_pass_release(&pass);
		sg_batch_release(&one);
	}
	rig_release(&r);
}

/* --- the base ----------------------------------------------------------------------------- */

static int base_hash(char hex[SG_SHA256_HEX], const struct sg_checkpoint *c)
{
	struct sg_hash h = { 0 };
	unsigned char raw[SG_SHA256_LEN];
	int rc = sg_sha256_init(&h);

	for (size_t i = 0; rc >= 0 && i < sg_checkpoint_count(c); i++) {
		const struct sg_tensor_info *t = sg_checkpoint_tensor(c, i, NULL);

		rc = sg_hash_update(&h, t->data, t->bytes);
	}
	if (rc >= 0)
		rc = sg_hash_final(&h, raw);
	sg_hash_release(&h);
	if (rc >= 0)
		sg_hex(hex, raw, sizeof(raw));
	return rc;
}

/* Deltas were added to half-precision weights and taken off again, which left one in thirteen
 * changed. Here a base of bfloat16 has the same bytes after grafts of every type and each
 * variant have trained on it, and a model without them gives the same bits as before. */
TEST(defect_09_training_leaves_a_base_of_half_precision_as_it_is)
{
	char before[SG_SHA256_HEX], after[SG_SHA256_HEX];
	float was[RIG_ROWS], now[RIG_ROWS];
	struct sg_checkpoint *c;
	struct rig r;

	PASS(tiny_arch_make(&c, tiny_arch_find("llama-bias"), SG_BF16, 1));
	PASS(rig_init(&r, c));
	PASS(base_hash(before, c));
	PASS(rig_losses(was, &r));
	for (struct variant v = { 0 }; variant_next(&v); ) {
		struct sg_graft *g;
		struct sg_pass pass;
		struct sg_model m;

		PASS(sg_model_init(&m, c, &r.dev));
		PASS(variant_graft(&g, &v, &m, "slot.1", r.base));
		PASS(variant_attach(g, &m, true, &r.b));
		PASS(sg_pass_init(&pass, &m, RIG_ROWS, true));
		PASS(sg_pass_train(&pass, &r.b, 1, now));
		for (size_t k = 0; k < g->params.n; k++)
			if (!g->params.t[k].frozen)
				PASS(SG_CALL(&r.dev, axpy, g->params.data + g->params.t[k].at,
					     g->grads.data + g->params.t[k].at, -0.01f, g->params.t[k].n));
		PASS(sg_pass_loss(&pass, &r.b, now));
		CHECK(rig_apart(was, now) > 0);
		sg_pass_release(&pass);
		sg_model_release(&m);
		sg_graft_free(g);
	}
	PASS(base_hash(after, c));
	CHECK(!strcmp(before, after));
	sg_model_release(&r.m);
	PASS(sg_model_init(&r.m, c, &r.dev));
	PASS(rig_losses(now, &r));
	CHECK(!memcmp(was, now, sizeof(was)));
	rig_release(&r);
}

/* Settings fell through to another branch, so that a sweep had identical rows. Here all
 * settings of a type that tests walk start: no two of them are the same change. */
TEST(defect_13_every_setting_runs_and_none_is_ignored)
{
	char sum[64][SG_SHA256_HEX];
	const struct sg_graft_type *type = NULL;
	size_t n = 0, all = 0;

	for (struct variant v = { 0 }; variant_next(&v); all++) {
		struct sg_hash h = { 0 };
		unsigned char raw[SG_SHA256_LEN];
		float loss[RIG_ROWS];
		struct sg_checkpoint *c;
		struct sg_pass pass;
		struct rig r;

		if (v.t != type)
			n = 0;
		type = v.t;
		CHECK(n < SG_LEN(sum));
		PASS(tiny_arch_make(&c, tiny_arch_find("llama-bias"), SG_F32, 1));
		PASS(rig_init(&r, c));
		PASS(variant_graft(&r.g, &v, &r.m, "slot.1", r.base));
		PASS(variant_attach(r.g, &r.m, true, &r.b));
		PASS(sg_pass_init(&pass, &r.m, RIG_ROWS, true));
		PASS(sg_pass_train(&pass, &r.b, 1, loss));
		PASS(sg_sha256_init(&h));
		for (size_t k = 0; k < r.g->params.n; k++) {
			const struct sg_tensor *t = &r.g->params.t[k];

			PASS(sg_hash_update(&h, t->name, strlen(t->name)));
			PASS(sg_hash_update(&h, r.g->params.data + t->at, t->n * sizeof(float)));
			if (!t->frozen)
				PASS(sg_hash_update(&h, r.g->grads.data + t->at, t->n * sizeof(float)));
		}
		PASS(sg_hash_final(&h, raw));
		sg_hex(sum[n], raw, sizeof(raw));
		for (size_t k = 0; k < n; k++)
			if (!strcmp(sum[k], sum[n])) {
				sg_test_fail(__FILE__, __LINE__, "%s: '%s' is the same as another", v.t->name, v.set);
				return;
			}
		n++;
		sg_pass_release(&pass);
		rig_release(&r);
	}
	CHECK(all > 20);
}
