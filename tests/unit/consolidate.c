/*
 * A stack as plain weights: layers are moved with every bit, changes of linear maps
 * are folded with one rounding, and what stays finds its place on the new base.
 */
#include "tests/test.h"
#include "tests/tiny.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/consolidate.h"
#include "model/pass.h"
#include <math.h>

enum { ROWS = 13, MOST = 6 };

/* A base, grafts with random payload on it, and the losses of the composition. */
struct stack {
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_composed c;
	struct sg_graft *made[MOST];
	size_t n;
	struct sg_batch b;
	char base[SG_SHA256_HEX];
	float loss[ROWS];
};

static int stack_open(struct stack *s, bool substrate)
{
	memset(s, 0, sizeof(*s));
	memset(s->base, 'a', 64);
	SG_TRY(sg_device_open(&s->dev, "cpu", 1));
	SG_TRY(substrate ? tiny_substrate(&s->ckpt, 1) : tiny_llama(&s->ckpt, 1));
	return tiny_batch(&s->b, sg_checkpoint_desc(s->ckpt)->vocab, 5);
}

static void stack_close(struct stack *s)
{
	sg_composed_release(&s->c);
	for (size_t i = 0; i < s->n; i++)
		sg_graft_free(s->made[i]);
	sg_batch_release(&s->b);
	sg_checkpoint_free(s->ckpt);
	if (s->dev.be)
		sg_device_close(&s->dev);
}

static int losses(float *out, struct sg_model *m, const struct sg_batch *b)
{
	struct sg_pass p;
	int rc;

	SG_TRY(sg_pass_init(&p, m, ROWS, false));
	rc = sg_pass_loss(&p, b, out);
	sg_pass_release(&p);
	return rc;
}

/* The same grafts read again from their sealed selves. */
static int compose(struct sg_composed *out, struct stack *s, const struct sg_checkpoint *ckpt)
{
	struct sg_graft_source src[MOST];
	struct sg_graft *g[MOST];

	for (size_t i = 0; i < s->n; i++) {
		struct sg_buf b = { 0 };

		SG_TRY(sg_graftfile_write(&b, &s->made[i]->file));
		SG_TRY(sg_graft_parse(&g[i], b.data, b.len, "test"));
		src[i] = tiny_source(s->made[i]);
		sg_buf_release(&b);
	}
	return sg_compose(out, ckpt, &s->dev, ROWS, g, src, s->n);
}

/* One more graft, on the composition so far. `size`: of its payload's random numbers. */
static int add(struct stack *s, const char *type, const char *site, const char *hyper, float size)
{
	struct sg_names sites = { 0 }, list = { 0 };
	struct sg_graft *g;
	char full[80];
	int rc;

	sg_composed_release(&s->c);
	SG_TRY(compose(&s->c, s, s->ckpt));
	/* "grown" is the newest layer */
	snprintf(full, sizeof(full), "%s", site);
	for (size_t i = s->n; !strncmp(site, "grown.", 6) && i-- > 0; )
		if (!strcmp(s->made[i]->type->name, "layer")) {
			snprintf(full, sizeof(full), "grown.%.16s%s", s->made[i]->id, site + 5);
			break;
		}
	SG_TRY(sg_names_add(&sites, full));
	if (hyper)
		SG_TRY(sg_names_add(&list, hyper));
	SG_TRY(sg_graft_new(&g, type, &sites, &list, s->base));
	for (size_t i = 0; i < s->n; i++)
		SG_TRY(sg_names_add(strncmp(full + 6, s->made[i]->id, 16) ? &g->file.after : &g->file.requires,
				    s->made[i]->id));
	rc = sg_graft_attach(g, &s->c.model, ROWS, false, 7 + s->n, NULL);
	for (size_t i = 0; rc >= 0 && i < g->params.n; i++) {
		struct sg_tensor *t = &g->params.t[i];

		for (size_t k = 0; !t->frozen && k < t->n; k++)
			sg_slab_ptr(&g->params, t)[k] += size * (sg_rng_uniform(3 + s->n, sg_rng_stream(t->name), k) - 0.5f);
	}
	if (rc >= 0)
		rc = sg_graft_seal(g);
	s->made[s->n++] = g;
	sg_names_release(&sites);
	sg_names_release(&list);
	return rc;
}

static int finish(struct stack *s)
{
	sg_composed_release(&s->c);
	SG_TRY(compose(&s->c, s, s->ckpt));
	return losses(s->loss, &s->c.model, &s->b);
}

/* Losses of the written checkpoint alone. */
static int of_checkpoint(float *out, struct stack *s, const struct sg_checkpoint *ckpt)
{
	struct sg_model m;
	int rc;

	SG_TRY(sg_model_init(&m, ckpt, &s->dev));
	rc = losses(out, &m, &s->b);
	sg_model_release(&m);
	return rc;
}

static int artefact(struct sg_checkpoint **out, struct sg_fold *f, struct stack *s, unsigned what, enum sg_dtype dtype)
{
	const char *dir = sg_test_dir();

	SG_TRY(dir ? 0 : -SG_E_NOMEM);
	SG_TRY(sg_fold_init(f, s->ckpt, &s->c, what, dtype));
	SG_TRY(sg_fold_write(f, dir));
	SG_TRY(sg_checkpoint_open(out, dir));
	return sg_fold_verify(f, *out);
}

static double farthest(const float *a, const float *b)
{
	double far = 0;

	for (int i = 0; i < ROWS; i++)
		far = SG_MAX(far, fabs((double)a[i] - (double)b[i]));
	return far;
}

/* tiny models have no tokenizer.json, which a folder of a llama must have */
static int give_tokenizer(const char *dir)
{
	static const char text[] = "{}";
	char *path = sg_path_join(dir, "tokenizer.json");
	int rc = path ? sg_file_write(path, text, strlen(text)) : -SG_E_NOMEM;

	free(path);
	return rc;
}

TEST(consolidated_layers_keep_every_bit)
{
	static const char *const ffn[] = { NULL, "ffn=5" };	/* as wide as the base's, and filled up */

	for (size_t i = 0; i < SG_LEN(ffn); i++) {
		struct sg_checkpoint *got = NULL;
		struct sg_fold f;
		struct stack s;
		float loss[ROWS];

		PASS(give_tokenizer(sg_test_dir()));
		PASS(stack_open(&s, false));
		PASS(add(&s, "layer", "slot.1", ffn[i], 0.5f));
		PASS(add(&s, "layer", "slot.0", NULL, 0.5f));
		PASS(add(&s, "layer", "slot.1", ffn[i], 0.5f));
		PASS(finish(&s));
		PASS(artefact(&got, &f, &s, SG_FOLD_LAYERS, SG_DTYPE_COUNT));
		CHECK(f.n_gone == 3 && f.n_rows == 0 && sg_checkpoint_desc(got)->layers == 5);
		PASS(of_checkpoint(loss, &s, got));
		CHECK(!memcmp(loss, s.loss, sizeof(loss)));
		sg_fold_release(&f);
		sg_checkpoint_free(got);
		stack_close(&s);
	}
}

TEST(consolidated_substrate_has_a_head)
{
	struct sg_checkpoint *got = NULL;
	struct sg_fold f;
	struct stack s;
	float loss[ROWS];

	PASS(stack_open(&s, true));
	PASS(add(&s, "layer", "slot.0", "ffn=200", 0.5f));
	PASS(finish(&s));
	PASS(artefact(&got, &f, &s, SG_FOLD_LAYERS, SG_DTYPE_COUNT));
	CHECK(sg_checkpoint_desc(got)->has_head && sg_checkpoint_desc(got)->ffn == 200);
	PASS(of_checkpoint(loss, &s, got));
	CHECK(!memcmp(loss, s.loss, sizeof(loss)));
	sg_fold_release(&f);
	sg_checkpoint_free(got);
	got = NULL;
	PASS(add(&s, "layer", "slot.0", "ffn=100", 0.5f));	/* two heads: a sum, which rounds */
	PASS(finish(&s));
	PASS(artefact(&got, &f, &s, SG_FOLD_LAYERS, SG_DTYPE_COUNT));
	PASS(of_checkpoint(loss, &s, got));
	CHECK(farthest(loss, s.loss) < 1e-4);
	sg_fold_release(&f);
	sg_checkpoint_free(got);
	stack_close(&s);
}

TEST(consolidated_changes_are_folded)
{
	struct sg_checkpoint *got = NULL;
	struct sg_fold f;
	struct stack s;
	float loss[ROWS];

	PASS(give_tokenizer(sg_test_dir()));
	PASS(stack_open(&s, false));
	PASS(add(&s, "lora", "layers.1.mlp.up", "rank=3", 1));
	PASS(add(&s, "layer", "slot.1", "ffn=5", 0.5f));
	PASS(add(&s, "phi", "layers.1.mlp.up", "rank=3", 1));
	PASS(add(&s, "lora", "grown.mlp.down", "rank=2", 1));	/* in a map that is filled up */
	PASS(add(&s, "lora", "head", "rank=2", 1));
	PASS(finish(&s));
	PASS(artefact(&got, &f, &s, SG_FOLD_LAYERS | SG_FOLD_LINEAR, SG_DTYPE_COUNT));
	CHECK(f.n_gone == 5 && f.n_rows == 3);
	CHECK(sg_fold_worst(&f) > 0.999);
	PASS(of_checkpoint(loss, &s, got));
	CHECK(farthest(loss, s.loss) < 1e-4);
	sg_fold_release(&f);
	sg_checkpoint_free(got);
	stack_close(&s);
}

TEST(consolidated_in_coarse_numbers_is_told)
{
	struct sg_checkpoint *got = NULL;
	struct sg_fold f;
	struct stack s;

	PASS(give_tokenizer(sg_test_dir()));
	PASS(stack_open(&s, false));
	PASS(add(&s, "lora", "layers.1.mlp.up", "rank=3", 1));
	PASS(finish(&s));
	PASS(artefact(&got, &f, &s, SG_FOLD_LINEAR, SG_BF16));
	CHECK(f.n_rows == f.n && f.n_gone == 1);
	for (size_t i = 0; i < f.n_rows; i++)
		CHECK(f.row[i].rel_err < 0.1 && fabs(f.row[i].retained - 1) < 0.01);
	for (size_t i = 0; i < sg_checkpoint_count(got); i++)
		CHECK(sg_checkpoint_tensor(got, i, NULL)->dtype == SG_BF16);
	sg_fold_release(&f);
	sg_checkpoint_free(got);
	stack_close(&s);
}

TEST(consolidated_file_that_differs_is_found)
{
	struct sg_checkpoint *got = NULL;
	struct sg_fold f;
	struct stack s;

	PASS(give_tokenizer(sg_test_dir()));
	PASS(stack_open(&s, false));
	PASS(add(&s, "layer", "slot.2", NULL, 0.5f));
	PASS(finish(&s));
	PASS(artefact(&got, &f, &s, SG_FOLD_LAYERS, SG_DTYPE_COUNT));
	f.item[3].sha256[5] ^= 1;
	FAILS(CORRUPT, sg_fold_verify(&f, got));
	sg_fold_release(&f);
	sg_checkpoint_free(got);
	stack_close(&s);
}

/* What stays is carried to the new base and computes there what it did. */
TEST(consolidation_carries_what_stays)
{
	static const unsigned ways[] = { SG_FOLD_LINEAR, SG_FOLD_LAYERS, SG_FOLD_LINEAR | SG_FOLD_LAYERS };

	for (size_t w = 0; w < SG_LEN(ways); w++) {
		struct sg_checkpoint *got = NULL;
		struct sg_graft *by[MOST] = { NULL }, *list[MOST];
		struct sg_graft_source src[MOST];
		struct sg_composed c;
		struct sg_fold f;
		struct stack s;
		float loss[ROWS];
		char base[SG_SHA256_HEX];
		size_t n = 0;

		memset(base, 'b', 64);
		base[64] = 0;
		PASS(give_tokenizer(sg_test_dir()));
		PASS(stack_open(&s, false));
		PASS(add(&s, "layer", "slot.1", NULL, 0.5f));
		PASS(add(&s, "block", "grown.out", "width=5", 1));
		PASS(add(&s, "lora", "layers.1.attn.q", "rank=2", 1));
		PASS(add(&s, "lora", "grown.attn.q", "rank=2", 1));
		PASS(add(&s, "block", "layers.1.out", "width=5", 1));
		PASS(finish(&s));
		PASS(artefact(&got, &f, &s, ways[w], SG_DTYPE_COUNT));
		for (size_t i = 0; i < s.c.n; i++) {
			if (f.gone[i])
				continue;
			PASS(sg_fold_carry(&by[i], &f, s.c.g[i], base, by));
			CHECK(!strcmp(by[i]->file.replaces.name[0], s.c.g[i]->id) && !strcmp(by[i]->file.base, base));
			for (size_t k = 0; k < s.c.g[i]->file.n_tensors; k++) {
				const struct sg_graftfile_tensor *old = &s.c.g[i]->file.tensor[k], *new;
				char name[200];

				PASS(sg_fold_rename(name, sizeof(name), s.c.g[i], by[i], old->name));
				new = sg_graftfile_tensor(&by[i]->file, name);
				CHECK(new && !strcmp(new->sha256, old->sha256));
			}
		}
		/* a carried graft has the old payload: give it the old tensors by their new names */
		for (size_t i = 0; i < s.c.n; i++) {
			struct sg_graft *old = s.c.g[i];
			struct sg_buf b = { 0 };

			if (!by[i])
				continue;
			for (size_t k = 0; k < old->params.n; k++) {
				char name[120];

				PASS(sg_fold_rename(name, sizeof(name), old, by[i], old->params.t[k].name));
				strcpy(old->params.t[k].name, name);
			}
			PASS(sg_graftfile_write(&b, &by[i]->file));
			PASS(sg_graft_parse(&list[n], b.data, b.len, "test"));
			sg_buf_release(&b);
			src[n++] = tiny_source(old);
		}
		CHECK(n == (ways[w] == SG_FOLD_LINEAR ? 4 : ways[w] == SG_FOLD_LAYERS ? 3 : 2));
		PASS(sg_compose(&c, got, &s.dev, ROWS, list, src, n));
		PASS(losses(loss, &c.model, &s.b));
		CHECK(farthest(loss, s.loss) < 1e-4);
		sg_composed_release(&c);
		for (size_t i = 0; i < s.c.n; i++)
			sg_graft_free(by[i]);
		sg_fold_release(&f);
		sg_checkpoint_free(got);
		stack_close(&s);
	}
}

TEST(consolidation_refuses_two_widths)
{
	struct sg_fold f;
	struct stack s;

	PASS(stack_open(&s, false));
	PASS(add(&s, "layer", "slot.1", "ffn=500", 0.5f));
	PASS(finish(&s));
	FAILS(REFUSED, sg_fold_init(&f, s.ckpt, &s.c, SG_FOLD_LAYERS, SG_DTYPE_COUNT));
	stack_close(&s);
}
