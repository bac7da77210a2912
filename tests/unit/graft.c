/*
 * Walks the list of graft types: a type is tested from the moment that it is
 * listed. Each must start without effect, have the gradients that finite
 * differences give, leave nothing when dropped, and come back with the same bits.
 */
#include "tests/test.h"
#include "tests/tiny.h"
#include "base/rng.h"
#include "graft/compose.h"
#include "model/pass.h"
#include <math.h>

enum { ROWS = 13 };

/* A type on a base, with a graft at the first sites that it likes. */
struct rig {
	struct sg_checkpoint *ckpt;
	struct sg_device dev;
	struct sg_model m;
	struct sg_graft *g;
	struct sg_pass pass;
	struct sg_batch b;
	char base[SG_SHA256_HEX];
};

static int rig_open(struct rig *r, bool substrate)
{
	memset(r, 0, sizeof(*r));
	memset(r->base, 'a', 64);
	SG_TRY(sg_device_open(&r->dev, "cpu", 1));
	SG_TRY(substrate ? tiny_substrate(&r->ckpt, 1) : tiny_llama(&r->ckpt, 1));
	SG_TRY(sg_model_init(&r->m, r->ckpt, &r->dev));
	return tiny_batch(&r->b, r->m.desc.vocab, 5);
}

/* Two sites, or the one that a layer takes. */
static int rig_graft(struct rig *r, const struct sg_graft_type *t, bool trains, struct sg_graft *from)
{
	struct sg_names sites = { 0 }, hyper = { 0 };
	struct sg_graft_source src;
	int rc;

	if (from) {
		struct sg_buf b = { 0 };

		rc = sg_graftfile_write(&b, &from->file);
		if (rc >= 0)
			rc = sg_graft_parse(&r->g, b.data, b.len, "test");
		sg_buf_release(&b);
		src = tiny_source(from);
		return rc < 0 ? rc : sg_graft_attach(r->g, &r->m, ROWS, trains, 0, &src);
	}
	SG_TRY(sg_site_match(&sites, &r->m, t->default_sites ? t->default_sites : "slot.1"));
	SG_TRY(tiny_hyper(&hyper, t));
	rc = sg_graft_new(&r->g, t->name, &sites, &hyper, r->base);
	sg_names_release(&sites);
	sg_names_release(&hyper);
	return rc < 0 ? rc : sg_graft_attach(r->g, &r->m, ROWS, trains, 7, NULL);
}

static int rig_pass(struct rig *r, bool train)
{
	return sg_pass_init(&r->pass, &r->m, ROWS, train);
}

static void rig_close(struct rig *r)
{
	if (r->pass.m)
		sg_pass_release(&r->pass);
	sg_batch_release(&r->b);
	if (r->m.dev)
		sg_model_release(&r->m);
	sg_graft_free(r->g);
	sg_checkpoint_free(r->ckpt);
	if (r->dev.be)
		sg_device_close(&r->dev);
}

/* Moves every trained parameter off its start, so that nothing is zero by design. */
static void shake(struct sg_graft *g)
{
	for (size_t i = 0; i < g->params.n; i++) {
		struct sg_tensor *t = &g->params.t[i];
		float *p = sg_slab_ptr(&g->params, t), v;

		for (size_t k = 0; !t->frozen && k < t->n; k++) {
			v = sg_rng_uniform(11, sg_rng_stream(t->name), k) - 0.5f;
			p[k] += 0.4f * v;
		}
	}
}

static int losses(const struct sg_graft_type *t, struct sg_graft *from, bool seal, struct rig *keep, float *out)
{
	struct rig r;
	int rc = rig_open(&r, false);

	if (rc >= 0 && t)
		rc = rig_graft(&r, t, false, from);
	if (rc >= 0 && t && !from && seal) {
		shake(r.g);
		rc = sg_graft_seal(r.g);
	}
	if (rc >= 0)
		rc = rig_pass(&r, false);
	if (rc >= 0)
		rc = sg_pass_loss(&r.pass, &r.b, out);
	if (keep)
		*keep = r;
	else
		rig_close(&r);
	return rc;
}

TEST(every_graft_type_starts_without_effect)
{
	float base[ROWS], with[ROWS];

	PASS(losses(NULL, NULL, false, NULL, base));
	for (const struct sg_graft_type *const *t = sg_graft_types; *t; t++) {
		PASS(losses(*t, NULL, false, NULL, with));
		for (int i = 0; i < ROWS; i++)
			CHECK(base[i] == with[i]);
	}
}

TEST(every_graft_type_comes_back_with_the_same_bits_and_leaves_none)
{
	float base[ROWS], with[ROWS], again[ROWS], without[ROWS];

	PASS(losses(NULL, NULL, false, NULL, base));
	for (const struct sg_graft_type *const *t = sg_graft_types; *t; t++) {
		struct rig r, second;

		PASS(losses(*t, NULL, true, &r, with));
		CHECK(memcmp(base, with, sizeof(base)));
		PASS(losses(*t, r.g, false, &second, again));
		CHECK(!memcmp(with, again, sizeof(with)));
		CHECK(!strcmp(r.g->id, second.g->id));
		rig_close(&second);
		rig_close(&r);
		PASS(losses(NULL, NULL, false, NULL, without));
		CHECK(!memcmp(base, without, sizeof(base)));
	}
}

static double total(const float *loss)
{
	double sum = 0;

	for (int i = 0; i < ROWS; i++)
		sum += loss[i];
	return sum;
}

/* Worst difference between a tensor's gradient and central differences, by the
 * gradient's norm. A few elements of each tensor are enough: they are spread. */
static int gradient_error(double *worst, struct rig *r)
{
	float loss[ROWS];

	*worst = 0;
	SG_TRY(sg_pass_train(&r->pass, &r->b, 1.0f, loss));
	for (size_t i = 0; i < r->g->params.n; i++) {
		struct sg_tensor *t = &r->g->params.t[i];
		float *p = sg_slab_ptr(&r->g->params, t), *d = r->g->grads.data + t->at;
		double diff = 0, norm = 0;
		size_t step = SG_MAX(t->n / 13, 1);

		for (size_t k = 0; !t->frozen && k < t->n; k += step) {
			float old = p[k], h = 4e-3f;
			double up, down, fd;

			p[k] = old + h;
			SG_TRY(sg_pass_loss(&r->pass, &r->b, loss));
			up = total(loss);
			p[k] = old - h;
			SG_TRY(sg_pass_loss(&r->pass, &r->b, loss));
			down = total(loss);
			p[k] = old;
			fd = (up - down) / (2.0 * (double)h);
			diff += (fd - d[k]) * (fd - d[k]);
			norm += fd * fd;
		}
		if (!t->frozen && norm == 0)
			return sg_fail(SG_E_ERROR, "tensor '%s' has no gradient", t->name);
		if (!t->frozen)
			*worst = SG_MAX(*worst, sqrt(diff / norm));
	}
	return 0;
}

TEST(gradients_of_every_graft_type_match_finite_differences)
{
	for (const struct sg_graft_type *const *t = sg_graft_types; *t; t++)
		for (int substrate = 0; substrate < 2; substrate++) {
			struct rig r;
			double worst = 1;

			if (substrate && (*t)->sites != 1 << SG_SITE_SLOT)
				continue;
			PASS(rig_open(&r, substrate));
			if (substrate) {
				struct sg_names sites = { 0 };

				PASS(sg_names_add(&sites, "slot.0"));
				PASS(sg_graft_new(&r.g, (*t)->name, &sites, NULL, r.base));
				sg_names_release(&sites);
				PASS(sg_graft_attach(r.g, &r.m, ROWS, true, 7, NULL));
			} else {
				PASS(rig_graft(&r, *t, true, NULL));
			}
			shake(r.g);
			PASS(rig_pass(&r, true));
			PASS(gradient_error(&worst, &r));
			if (worst > 5e-3)
				printf("# %s: %g\n", (*t)->name, worst);
			CHECK(worst < 5e-3);
			rig_close(&r);
		}
}

TEST(gradients_do_not_depend_on_how_a_step_is_cut)
{
	for (const struct sg_graft_type *const *t = sg_graft_types; *t; t++) {
		struct rig r;
		struct sg_batch part;
		float loss[ROWS], whole[ROWS], *one;
		size_t n, at = 0;

		PASS(rig_open(&r, false));
		PASS(rig_graft(&r, *t, true, NULL));
		shake(r.g);
		PASS(rig_pass(&r, true));
		PASS(sg_pass_train(&r.pass, &r.b, 0.25f, whole));
		n = r.g->grads.floats;
		one = calloc(n, sizeof(*one));
		memcpy(one, r.g->grads.data, n * sizeof(*one));
		memset(r.g->grads.data, 0, n * sizeof(*one));
		PASS(sg_batch_init(&part, ROWS));
		for (size_t seg = 0; at < r.b.n; seg++) {
			size_t end = at + 1;

			while (end < r.b.n && r.b.begin[end] == (int32_t)at)
				end++;
			part.n = end - at;
			for (size_t i = at; i < end; i++) {
				part.token[i - at] = r.b.token[i];
				part.target[i - at] = r.b.target[i];
				part.begin[i - at] = 0;
			}
			PASS(sg_pass_train(&r.pass, &part, 0.25f, loss));
			CHECK(!memcmp(loss, whole + at, part.n * sizeof(*loss)));
			at = end;
		}
		CHECK(!memcmp(one, r.g->grads.data, n * sizeof(*one)));
		free(one);
		sg_batch_release(&part);
		rig_close(&r);
	}
}

TEST(folding_a_graft_is_the_same_map_in_real_arithmetic)
{
	for (const struct sg_graft_type *const *t = sg_graft_types; *t; t++) {
		struct rig r;
		float with[ROWS], folded[ROWS];
		double diff = 0;

		if (!(*t)->delta)
			continue;
		PASS(rig_open(&r, false));
		PASS(rig_graft(&r, *t, false, NULL));
		shake(r.g);
		PASS(rig_pass(&r, false));
		PASS(sg_pass_loss(&r.pass, &r.b, with));
		for (size_t i = 0; i < r.g->n; i++) {
			struct sg_part *p = &r.g->part[i];

			PASS((*t)->delta(p, (float *)p->at.lin->w.data));
			p->at.lin->hooks = NULL;
		}
		PASS(sg_pass_loss(&r.pass, &r.b, folded));
		for (int i = 0; i < ROWS; i++)
			diff = SG_MAX(diff, fabs((double)with[i] - (double)folded[i]));
		CHECK(diff < 1e-4);
		rig_close(&r);
	}
}

TEST(a_graft_refuses_what_does_not_fit)
{
	struct sg_names sites = { 0 }, hyper = { 0 };
	struct sg_graft *g = NULL;
	struct rig r;

	PASS(rig_open(&r, false));
	PASS(sg_names_add(&sites, "layers.0.out"));
	CHECK(sg_graft_new(&g, "no-such-type", &sites, NULL, r.base) == -SG_E_USAGE);
	PASS(sg_graft_new(&g, "lora", &sites, NULL, r.base));
	CHECK(sg_graft_attach(g, &r.m, ROWS, false, 1, NULL) == -SG_E_REFUSED);
	sg_graft_free(g);
	PASS(sg_names_add(&hyper, "rank=1000"));
	free(sites.name[0]);
	sites.name[0] = strdup("layers.1.mlp.up");
	PASS(sg_graft_new(&g, "lora", &sites, &hyper, r.base));
	CHECK(sg_graft_attach(g, &r.m, ROWS, false, 1, NULL) == -SG_E_REFUSED);
	sg_graft_free(g);
	free(hyper.name[0]);
	hyper.name[0] = strdup("colour=red");
	CHECK(sg_graft_new(&g, "lora", &sites, &hyper, r.base) == -SG_E_USAGE);
	sg_names_release(&sites);
	sg_names_release(&hyper);
	rig_close(&r);
}
