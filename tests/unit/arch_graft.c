/*
 * Every graft type on every architecture: no effect at the start, the gradients that
 * finite differences give, the same bits when it comes back and none left behind, and
 * what consolidation makes of a stack. Listed types and architectures are tested.
 */
#include "tests/test.h"
#include "tests/rig.h"
#include "tests/tiny.h"
#include "tests/tinyarch.h"
#include "tests/variant.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graft/consolidate.h"
#include "model/arch.h"
#include "model/pass.h"
#include <math.h>

enum { ROWS = RIG_ROWS };

static int rig_open_on(struct rig *r, const struct tiny_arch *a, unsigned threads)
{
	struct sg_checkpoint *c = NULL;

	memset(r, 0, sizeof(*r));
	SG_TRY(tiny_arch_make(&c, a, SG_F32, 1));
	return rig_init_on(r, c, threads);
}

static int rig_open(struct rig *r, const struct tiny_arch *a)
{
	return rig_open_on(r, a, 1);
}

TEST(every_architecture_has_a_tiny_model)
{
	for (const struct sg_arch *const *a = sg_archs; *a; a++)
		CHECK((*a)->embed || tiny_arch_find((*a)->name));
}

TEST(a_graft_on_any_architecture_starts_without_effect_and_comes_back_with_the_same_bits)
{
	for (const struct tiny_arch *a = tiny_archs; a->name; a++)
		for (struct variant v = { 0 }; variant_next(&v); ) {
			float base[ROWS], start[ROWS], with[ROWS], again[ROWS], without[ROWS];
			struct rig r, second, third;

			PASS(rig_open(&r, a));
			PASS(rig_losses_of(base, &r.m, &r.b));
			PASS(rig_variant(&r, &v, false));
			PASS(rig_losses_of(start, &r.m, &r.b));
			for (int i = 0; i < ROWS; i++)
				CHECK(base[i] == start[i]);
			rig_shake(r.g);
			PASS(sg_graft_seal(r.g));
			PASS(rig_losses_of(with, &r.m, &r.b));
			CHECK(memcmp(base, with, sizeof(base)));
			PASS(rig_open(&second, a));
			PASS(rig_load(&second, r.g));
			PASS(rig_losses_of(again, &second.m, &second.b));
			CHECK(!memcmp(with, again, sizeof(with)));
			PASS(rig_open(&third, a));
			PASS(rig_losses_of(without, &third.m, &third.b));
			CHECK(!memcmp(base, without, sizeof(base)));
			rig_release(&third);
			rig_release(&second);
			rig_release(&r);
		}
}

/* Slope by four points (error h^4: steps can be wide, against the rounding of losses). */
static int slope(double *out, struct sg_pass *pass, struct rig *r, float *p, float h)
{
	static const int step[] = { 1, -1, 2, -2 }, weight[] = { 8, -8, -1, 1 };
	float loss[ROWS], old = *p;
	double sum = 0;

	for (int i = 0; i < 4; i++) {
		*p = old + (float)step[i] * h;
		SG_TRY(sg_pass_loss(pass, &r->b, loss));
		sum += weight[i] * rig_total(loss);
	}
	*p = old;
	*out = sum / (12.0 * (double)h);
	return 0;
}

/* Difference between a tensor's gradient and finite differences, by the gradient's norm;
 * a few elements, spread. */
static int tensor_error(double *out, struct sg_pass *pass, struct rig *r, const struct sg_tensor *t, float h)
{
	float *p = sg_slab_ptr(&r->g->params, t), *d = r->g->grads.data + t->at;
	double diff = 0, norm = 0, all = 0;
	size_t step = SG_MAX(t->n / 7, 1);

	for (size_t k = 0; k < t->n; k++)
		all += (double)d[k] * d[k];
	for (size_t k = 0; k < t->n; k += step) {
		double fd;

		SG_TRY(slope(&fd, pass, r, &p[k], h));
		diff += (fd - d[k]) * (fd - d[k]);
		norm += fd * fd;
	}
	/* the bias of keys moves every score of a query alike: no gradient */
	if (strstr(t->name, "attn.k.bias") && !r->m.desc.qk_norm && !r->m.desc.rotary) {
		*out = sqrt(diff) + sqrt(all);
		return 0;
	}
	*out = sqrt(diff / norm);
	return norm == 0 ? sg_fail(SG_E_ERROR, "tensor '%s' has no gradient", t->name) : 0;
}

/* The worst tensor. A step too wide for how the loss bends, or too narrow for how it is
 * rounded, is no fault of the gradient: one that is wrong differs from both. */
static int gradient_error(double *worst, struct rig *r, float h)
{
	struct sg_pass pass;
	float loss[ROWS];

	*worst = 0;
	SG_TRY(sg_pass_init(&pass, &r->m, ROWS, true));
	SG_TRY(sg_pass_train(&pass, &r->b, 1.0f, loss));
	r->g->hold = true;
	for (size_t i = 0; i < r->g->params.n; i++) {
		double wide, narrow;

		if (r->g->params.t[i].frozen)
			continue;
		SG_TRY(tensor_error(&wide, &pass, r, &r->g->params.t[i], 4 * h));
		if (wide > 5e-3)
			SG_TRY(tensor_error(&narrow, &pass, r, &r->g->params.t[i], h));
		wide = wide > 5e-3 ? SG_MIN(wide, narrow) : wide;
		if (wide > 5e-2) {	/* a kink that lies between the points of both */
			SG_TRY(tensor_error(&narrow, &pass, r, &r->g->params.t[i], h / 8));
			wide = SG_MIN(wide, narrow);
		}
		*worst = SG_MAX(*worst, wide);
	}
	sg_pass_release(&pass);
	return 0;
}

TEST(gradients_of_every_graft_type_on_every_architecture_match_finite_differences)
{
	for (const struct tiny_arch *a = tiny_archs; a->name; a++)
		for (struct variant v = { 0 }; variant_next(&v); ) {
			double worst = 1, most = a->smooth ? 1e-2 : 6e-2;
			struct rig r;

			if (*v.set && ((size_t)(a - tiny_archs) + v.at) % 3)
				continue;	/* a variant on every third is enough here */
			PASS(rig_open(&r, a));
			PASS(rig_variant(&r, &v, true));
			rig_shake(r.g);
			PASS(gradient_error(&worst, &r, a->smooth ? 4e-3f : 1e-3f));
			if (worst > most)
				printf("# %s %s on %s: %g\n", v.t->name, v.set, a->name, worst);
			CHECK(worst <= most);
			rig_release(&r);
		}
}

TEST(a_slot_below_is_trained_through_every_block)
{
	for (const struct tiny_arch *a = tiny_archs; a->name; a++) {
		double worst = 1, most = a->smooth ? 1e-2 : 6e-2;
		struct sg_names sites = { 0 };
		struct rig r;

		PASS(rig_open(&r, a));
		PASS(sg_names_add(&sites, "slot.0"));
		PASS(sg_graft_new(&r.g, "layer", &sites, NULL, r.base));
		sg_names_release(&sites);
		PASS(sg_graft_attach(r.g, &r.m, ROWS, true, 7, NULL));
		rig_shake(r.g);
		PASS(gradient_error(&worst, &r, a->smooth ? 4e-3f : 1e-3f));
		if (worst > most)
			printf("# %s: %g\n", a->name, worst);
		CHECK(worst <= most);
		rig_release(&r);
	}
}

/* Losses and gradients of a step, whole or segment by segment. */
static int step(float *loss, float **grads, size_t *n, const struct tiny_arch *a, const char *isa, unsigned threads, bool cut)
{
	struct sg_batch part = { 0 };
	struct sg_pass pass = { 0 };
	char *keep = getenv("SG_ISA") ? strdup(getenv("SG_ISA")) : NULL;
	struct rig r;
	int rc;

	setenv("SG_ISA", isa, 1);
	rc = rig_open_on(&r, a, threads);
	if (keep)
		setenv("SG_ISA", keep, 1);
	else
		unsetenv("SG_ISA");
	free(keep);
	SG_TRY(rc);
	SG_TRY(rig_variant(&r, &(struct variant){ .t = sg_graft_type_find("layer"), .set = "" }, true));
	rig_shake(r.g);
	SG_TRY(sg_pass_init(&pass, &r.m, ROWS, true));
	SG_TRY(sg_batch_init(&part, ROWS));
	for (size_t at = 0, end; at < r.b.n; at = end) {
		for (end = at + 1; end < r.b.n && (!cut || r.b.begin[end] == (int32_t)at); end++)
			;
		part.n = end - at;
		for (size_t i = at; i < end; i++) {
			part.token[i - at] = r.b.token[i];
			part.target[i - at] = r.b.target[i];
			part.begin[i - at] = r.b.begin[i] - (int32_t)at;
		}
		SG_TRY(sg_pass_train(&pass, &part, 0.25f, loss + at));
	}
	*n = r.g->grads.floats;
	SG_TRY(SG_NEW(*grads, *n));
	memcpy(*grads, r.g->grads.data, *n * sizeof(float));
	sg_batch_release(&part);
	sg_pass_release(&pass);
	rig_release(&r);
	return 0;
}

TEST(every_architecture_gives_the_same_bits_on_any_machine_and_in_any_batch)
{
	static const struct { const char *isa; unsigned threads; bool cut; } ways[] = {
		{ "scalar", 3, false }, { "scalar", 1, true }, { "avx2", 2, true }, { "avx512", 2, false },
	};

	for (const struct tiny_arch *a = tiny_archs; a->name; a++) {
		float loss[ROWS], again[ROWS], *grads = NULL, *g = NULL;
		size_t n, k;

		PASS(step(loss, &grads, &n, a, "scalar", 1, false));
		for (size_t i = 0; i < SG_LEN(ways); i++) {
			if (step(again, &g, &k, a, ways[i].isa, ways[i].threads, ways[i].cut) < 0) {
				CHECK(strcmp(ways[i].isa, "scalar"));	/* a processor without it */
				continue;
			}
			CHECK(!memcmp(loss, again, sizeof(loss)));
			CHECK(n == k && !memcmp(grads, g, n * sizeof(*g)));
			free(g);
		}
		free(grads);
	}
}

/* --- consolidation --------------------------------------------------------------- */

static int make(struct sg_graft **out, struct rig *r, const char *type, const char *site)
{
	struct sg_names sites = { 0 }, hyper = { 0 };
	struct sg_graft *g = NULL;
	int rc = sg_site_match(&sites, &r->m, site);

	if (rc >= 0 && strcmp(type, "layer"))
		rc = sg_names_add(&hyper, "rank=2");
	if (rc >= 0)
		rc = sg_graft_new(&g, type, &sites, &hyper, r->base);
	if (rc >= 0)
		rc = sg_graft_attach(g, &r->m, ROWS, false, 3, NULL);
	if (rc >= 0) {
		rig_shake(g);
		rc = sg_graft_seal(g);
	}
	sg_names_release(&sites);
	sg_names_release(&hyper);
	if (rc < 0)
		sg_graft_free(g);
	else
		*out = g;
	return rc;
}

/* Losses of what was written to dir, which must be what the fold says. */
static int read_back(float *out, struct rig *r, const struct sg_fold *f, const char *dir)
{
	struct sg_checkpoint *got = NULL;
	struct sg_model m = { 0 };
	int rc = sg_checkpoint_open(&got, dir);

	if (rc >= 0)
		rc = sg_fold_verify(f, got);
	if (rc >= 0)
		rc = sg_model_init(&m, got, &r->dev);
	if (rc >= 0)
		rc = rig_losses_of(out, &m, &r->b);
	if (m.dev)
		sg_model_release(&m);
	sg_checkpoint_free(got);
	return rc;
}

/* Changes of linear maps, a new layer, and changes inside that layer, as one folder;
 * losses of the stack and of what is read back. */
static int fold(float *with, float *back, struct rig *r, struct sg_graft **made, const char *dir, bool head)
{
	struct sg_graft_source src[4];
	struct sg_graft *g[4];
	struct sg_composed c = { 0 };
	struct sg_fold f = { 0 };
	size_t n = head ? 4 : 3;
	char site[80];
	int rc;

	SG_TRY(make(&made[0], r, "lora", "layers.*.attn.*,layers.*.mlp.*"));
	SG_TRY(make(&made[1], r, "layer", "slot.1"));
	snprintf(site, sizeof(site), "grown.new.attn.q,grown.new.mlp.up");
	SG_TRY(sg_names_add(&made[1]->file.requires, made[0]->id));
	SG_TRY(sg_graftfile_id(made[1]->id, &made[1]->file));
	snprintf(r->m.blocks[1]->name, sizeof(r->m.blocks[1]->name), "grown.%.16s", made[1]->id);
	snprintf(site, sizeof(site), "grown.%.16s.attn.q,grown.%.16s.mlp.up", made[1]->id, made[1]->id);
	SG_TRY(make(&made[2], r, "lora", site));
	SG_TRY(sg_names_add(&made[2]->file.requires, made[1]->id));
	SG_TRY(sg_graftfile_id(made[2]->id, &made[2]->file));
	if (head)
		SG_TRY(make(&made[3], r, "lora", "head"));
	for (size_t i = 0; i < n; i++) {
		struct sg_buf b = { 0 };

		SG_TRY(sg_graftfile_write(&b, &made[i]->file));
		SG_TRY(sg_graft_parse(&g[i], b.data, b.len, "test"));
		src[i] = tiny_source(made[i]);
		sg_buf_release(&b);
	}
	SG_TRY(sg_compose(&c, r->ckpt, &r->dev, ROWS, g, src, n));
	rc = rig_losses_of(with, &c.model, &r->b);
	if (rc >= 0)
		rc = sg_fold_init(&f, r->ckpt, &c, SG_FOLD_LINEAR | SG_FOLD_LAYERS, SG_DTYPE_COUNT);
	if (rc >= 0)
		rc = sg_fold_write(&f, dir);
	if (rc >= 0)
		rc = read_back(back, r, &f, dir);
	sg_fold_release(&f);
	sg_composed_release(&c);
	return rc;
}

TEST(a_stack_on_every_architecture_becomes_a_base_of_its_kind)
{
	for (const struct tiny_arch *a = tiny_archs; a->name; a++)
		for (int head = 0; head < 2; head++) {
			struct sg_graft *made[4] = { NULL };
			float with[ROWS], back[ROWS];
			double worst = 0;
			struct rig r;
			char dir[300];

			PASS(rig_open(&r, a));
			snprintf(dir, sizeof(dir), "%s/%s-%d", sg_test_dir(), a->name, head);
			PASS(sg_dir_make(dir));
			PASS(fold(with, back, &r, made, dir, head));
			for (int i = 0; i < ROWS; i++)
				worst = SG_MAX(worst, fabs((double)with[i] - (double)back[i]));
			if (worst > 2e-5)
				printf("# %s: %g\n", a->name, worst);
			CHECK(worst <= 2e-5);
			sg_model_release(&r.m);
			r.m.dev = NULL;
			for (int i = 0; i < 4; i++)
				sg_graft_free(made[i]);
			rig_release(&r);
		}
}

/* One graft alone, folded, written and read back. */
static int fold_one(float *with, float *back, struct rig *r, const char *dir)
{
	struct sg_graft_source src = tiny_source(r->g);
	struct sg_composed c = { 0 };
	struct sg_graft *g = NULL;
	struct sg_fold f = { 0 };
	struct sg_buf b = { 0 };
	int rc = sg_graftfile_write(&b, &r->g->file);

	if (rc >= 0)
		rc = sg_graft_parse(&g, b.data, b.len, "test");
	sg_buf_release(&b);
	if (rc >= 0)
		rc = sg_compose(&c, r->ckpt, &r->dev, ROWS, &g, &src, 1);
	if (rc >= 0)
		rc = rig_losses_of(with, &c.model, &r->b);
	if (rc >= 0)
		rc = sg_fold_init(&f, r->ckpt, &c, SG_FOLD_LINEAR | SG_FOLD_LAYERS, SG_DTYPE_COUNT);
	if (rc >= 0 && f.n_gone != 1)
		rc = sg_fail(SG_E_ERROR, "the graft did not go");
	if (rc >= 0)
		rc = sg_fold_write(&f, dir);
	if (rc >= 0 && !(fabs(sg_fold_worst(&f) - 1) < 1e-4))
		rc = sg_fail(SG_E_ERROR, "a change was lost: %g is left", sg_fold_worst(&f));
	if (rc >= 0)
		rc = read_back(back, r, &f, dir);
	sg_fold_release(&f);
	sg_composed_release(&c);
	return rc;
}

TEST(every_type_with_a_merge_law_becomes_plain_weights_on_every_architecture)
{
	for (const struct tiny_arch *a = tiny_archs; a->name; a++)
		for (struct variant v = { 0 }; variant_next(&v); ) {
			float with[ROWS], back[ROWS];
			double worst = 0;
			struct rig r;
			char dir[300];

			if ((!v.t->delta && !v.t->wider) || (*v.set && strcmp(a->name, "llama-bias")))	/* each writes and syncs files */
				continue;
			PASS(rig_open(&r, a));
			PASS(rig_variant(&r, &v, false));
			rig_shake(r.g);
			PASS(sg_graft_seal(r.g));
			if (r.g->part[0].at.kind == SG_SITE_HIDDEN) {
				rig_release(&r);
				continue;
			}
			snprintf(dir, sizeof(dir), "%s/%s-%s-%zu", sg_test_dir(), a->name, v.t->name, v.at);
			PASS(sg_dir_make(dir));
			PASS(fold_one(with, back, &r, dir));
			for (int i = 0; i < ROWS; i++)
				worst = SG_MAX(worst, fabs((double)with[i] - (double)back[i]));
			if (!(worst <= 5e-5))
				printf("# %s %s on %s: %g\n", v.t->name, v.set, a->name, worst);
			CHECK(worst <= 5e-5);
			rig_release(&r);
		}
}
