/*
 * Defects that are known from SAINT-G, one test each, named by their number in the list
 * that stands in its study: what sg does instead.
 */
#include "tests/test.h"
#include "tests/tiny.h"
#include "tests/variant.h"
#include "base/rng.h"
#include "model/pass.h"
#include <math.h>

enum { ROWS = 13 };

/* A tiny Llama with one graft. */
struct field {
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_model m;
	struct sg_graft *g;
};

static int field_open(struct field *f, const char *type, const char *set, bool trains)
{
	struct variant v = { .t = sg_graft_type_find(type), .set = set };
	char base[SG_SHA256_HEX] = { 0 };

	memset(f, 0, sizeof(*f));
	memset(base, 'a', 64);
	SG_TRY(sg_device_open(&f->dev, "cpu", 1));
	SG_TRY(tiny_llama(&f->ckpt, 1));
	SG_TRY(sg_model_init(&f->m, f->ckpt, &f->dev));
	SG_TRY(variant_graft(&f->g, &v, &f->m, "slot.1", base));
	return sg_graft_attach(f->g, &f->m, ROWS, trains, 7, NULL);
}

static void field_close(struct field *f)
{
	if (f->m.dev)
		sg_model_release(&f->m);
	sg_graft_free(f->g);
	sg_checkpoint_free(f->ckpt);
	if (f->dev.be)
		sg_device_close(&f->dev);
}

static void shake(struct sg_graft *g)
{
	for (size_t i = 0; i < g->params.n; i++) {
		struct sg_tensor *t = &g->params.t[i];
		float *p = sg_slab_ptr(&g->params, t);

		for (size_t k = 0; !t->frozen && k < t->n; k++)
			p[k] += 0.4f * (sg_rng_uniform(11, sg_rng_stream(t->name), k) - 0.5f);
	}
}

/* A rank that the map cannot have was padded with zeros and reported as it was asked for. */
TEST(defect_08_a_rank_that_is_not_there_is_refused_and_the_true_one_is_stored)
{
	struct field f;

	FAILS(REFUSED, field_open(&f, "phi", "rank=17 sites=layers.0.mlp.up", false));
	field_close(&f);
	PASS(field_open(&f, "phi", "rank=8 phi=lowrank inner=2 sites=layers.0.mlp.up", false));
	shake(f.g);
	PASS(sg_graft_seal(f.g));
	CHECK(!strcmp(sg_graft_str(f.g, "effective_rank"), "2"));
	CHECK(sg_graft_int(f.g, "rank") == 8);
	field_close(&f);
}

/* A, Phi and B, and which code a tile has, were multiplied out to a list of numbers. */
TEST(defect_16_what_a_change_is_made_of_is_what_is_stored)
{
	static const char *const name[] = { "A", "B", "Phi.book", "Phi.gain", "Phi.code" };
	struct field f;
	size_t numbers = 0;

	PASS(field_open(&f, "phi", "rank=8 phi=codebook codes=3 sites=layers.0.mlp.up", false));
	PASS(sg_graft_seal(f.g));
	CHECK(f.g->file.n_tensors == SG_LEN(name));
	for (size_t i = 0; i < SG_LEN(name); i++) {
		char full[80];

		snprintf(full, sizeof(full), "layers.0.mlp.up.%s", name[i]);
		CHECK(sg_graftfile_tensor(&f.g->file, full));
		numbers += i < 2 ? 0 : sg_graftfile_tensor(&f.g->file, full)->bytes / 4;
	}
	CHECK(numbers == 3 * 4 + 16 + 16);	/* of 64 */
	field_close(&f);
}
