/*
 * Walks the list of graft types and their variants: a type is tested from the moment
 * that it is listed. Each must start without effect, have the gradients that finite
 * differences give, leave nothing when dropped, and come back with the same bits.
 */
#include "tests/test.h"
#include "tests/rig.h"
#include "tests/tiny.h"
#include "tests/variant.h"
#include "base/rng.h"
#include "graft/compose.h"
#include "model/pass.h"
#include <math.h>

enum { ROWS = RIG_ROWS };

static int rig_open(struct rig *r, bool substrate)
{
	struct sg_checkpoint *c = NULL;

	memset(r, 0, sizeof(*r));
	SG_TRY(substrate ? tiny_substrate(&c, 1) : tiny_llama(&c, 1));
	return rig_init(r, c);
}

/* At the sites that it has by default, or as `from` has them. */
static int rig_graft(struct rig *r, const struct variant *v, bool trains, struct sg_graft *from)
{
	return from ? rig_load(r, from) : rig_variant(r, v, trains);
}

static int rig_pass(struct rig *r, bool train)
{
	return sg_pass_init(&r->pass, &r->m, ROWS, train);
}

static int losses(const struct variant *t, struct sg_graft *from, bool seal, struct rig *keep, float *out)
{
	struct rig r;
	int rc = rig_open(&r, false);

	if (rc >= 0 && t)
		rc = rig_graft(&r, t, false, from);
	if (rc >= 0 && t && !from && seal) {
		rig_shake(r.g);
		rc = sg_graft_seal(r.g);
	}
	if (rc >= 0)
		rc = rig_pass(&r, false);
	if (rc >= 0)
		rc = sg_pass_loss(&r.pass, &r.b, out);
	if (keep)
		*keep = r;
	else
		rig_release(&r);
	return rc;
}

TEST(every_graft_type_starts_without_effect)
{
	float base[ROWS], with[ROWS];

	PASS(losses(NULL, NULL, false, NULL, base));
	for (struct variant v = { 0 }; variant_next(&v); ) {
		PASS(losses(&v, NULL, false, NULL, with));
		for (int i = 0; i < ROWS; i++)
			CHECK(base[i] == with[i]);
	}
}

TEST(every_graft_type_comes_back_with_the_same_bits_and_leaves_none)
{
	float base[ROWS], with[ROWS], again[ROWS], without[ROWS];

	PASS(losses(NULL, NULL, false, NULL, base));
	for (struct variant v = { 0 }; variant_next(&v); ) {
		struct rig r, second;

		PASS(losses(&v, NULL, true, &r, with));
		CHECK(memcmp(base, with, sizeof(base)));
		PASS(losses(&v, r.g, false, &second, again));
		CHECK(!memcmp(with, again, sizeof(with)));
		CHECK(!strcmp(r.g->id, second.g->id));
		rig_release(&second);
		rig_release(&r);
		PASS(losses(NULL, NULL, false, NULL, without));
		CHECK(!memcmp(base, without, sizeof(base)));
	}
}

/* Slope by four points (error h^4: steps can be wide, against the rounding of losses). */
static int slope(double *out, struct rig *r, float *p, float h)
{
	static const int step[] = { 1, -1, 2, -2 }, weight[] = { 8, -8, -1, 1 };
	float loss[ROWS], old = *p;
	double sum = 0;

	for (int i = 0; i < 4; i++) {
		*p = old + (float)step[i] * h;
		SG_TRY(sg_pass_loss(&r->pass, &r->b, loss));
		sum += weight[i] * rig_total(loss);
	}
	*p = old;
	*out = sum / (12.0 * (double)h);
	return 0;
}

/* Difference between a tensor's gradient and finite differences, by the gradient's norm.
 * A few elements are enough: they are spread. */
static int tensor_error(double *out, struct rig *r, const struct sg_tensor *t, float h)
{
	float *p = sg_slab_ptr(&r->g->params, t), *d = r->g->grads.data + t->at;
	double diff = 0, norm = 0;
	size_t step = SG_MAX(t->n / 13, 1);

	for (size_t k = 0; k < t->n; k += step) {
		double fd;

		SG_TRY(slope(&fd, r, &p[k], h));
		diff += (fd - d[k]) * (fd - d[k]);
		norm += fd * fd;
	}
	*out = sqrt(diff / norm);
	return norm == 0 ? sg_fail(SG_E_ERROR, "tensor '%s' has no gradient", t->name) : 0;
}

/* The worst tensor. A step too wide for how the loss bends, or too narrow for how it is
 * rounded, is no fault of the gradient: one that is wrong differs from both. */
static int gradient_error(double *worst, struct rig *r)
{
	float loss[ROWS];

	*worst = 0;
	SG_TRY(sg_pass_train(&r->pass, &r->b, 1.0f, loss));
	r->g->hold = true;
	for (size_t i = 0; i < r->g->params.n; i++) {
		double wide, narrow;

		if (r->g->params.t[i].frozen)
			continue;
		SG_TRY(tensor_error(&wide, r, &r->g->params.t[i], 16e-3f));
		if (wide > 1e-3)
			SG_TRY(tensor_error(&narrow, r, &r->g->params.t[i], 4e-3f));
		*worst = SG_MAX(*worst, wide > 1e-3 ? SG_MIN(wide, narrow) : wide);
	}
	return 0;
}

TEST(gradients_of_every_graft_type_match_finite_differences)
{
	for (struct variant v = { 0 }; variant_next(&v); )
		for (int substrate = 0; substrate < 2; substrate++) {
			struct rig r;
			double worst = 1;

			if (substrate && v.t->sites != 1 << SG_SITE_SLOT)
				continue;
			PASS(rig_open(&r, substrate));
			if (substrate) {
				struct sg_names sites = { 0 };

				PASS(sg_names_add(&sites, "slot.0"));
				PASS(sg_graft_new(&r.g, v.t->name, &sites, NULL, r.base));
				sg_names_release(&sites);
				PASS(sg_graft_attach(r.g, &r.m, ROWS, true, 7, NULL));
			} else {
				PASS(rig_graft(&r, &v, true, NULL));
			}
			rig_shake(r.g);
			PASS(rig_pass(&r, true));
			PASS(gradient_error(&worst, &r));
			if (worst > 5e-3)
				printf("# %s %s: %g\n", v.t->name, v.set, worst);
			CHECK(worst < 5e-3);
			rig_release(&r);
		}
}

TEST(gradients_do_not_depend_on_how_a_step_is_cut)
{
	for (struct variant v = { 0 }; variant_next(&v); ) {
		struct rig r;
		struct sg_batch part;
		float loss[ROWS], whole[ROWS], *one;
		size_t n, at = 0;

		PASS(rig_open(&r, false));
		PASS(rig_graft(&r, &v, true, NULL));
		rig_shake(r.g);
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
		rig_release(&r);
	}
}

TEST(folding_a_graft_is_the_same_map_in_real_arithmetic)
{
	for (struct variant v = { 0 }; variant_next(&v); ) {
		struct rig r;
		float with[ROWS], folded[ROWS];
		double diff = 0;

		if (!v.t->delta)
			continue;
		PASS(rig_open(&r, false));
		PASS(rig_graft(&r, &v, false, NULL));
		if (r.g->part[0].at.kind != SG_SITE_LINEAR) {
			rig_release(&r);
			continue;
		}
		rig_shake(r.g);
		PASS(rig_pass(&r, false));
		PASS(sg_pass_loss(&r.pass, &r.b, with));
		for (size_t i = 0; i < r.g->n; i++) {
			struct sg_part *p = &r.g->part[i];

			PASS(v.t->delta(p, (float *)p->at.lin->w.data));
			p->at.lin->hooks = NULL;
		}
		PASS(sg_pass_loss(&r.pass, &r.b, folded));
		for (int i = 0; i < ROWS; i++)
			diff = SG_MAX(diff, fabs((double)with[i] - (double)folded[i]));
		CHECK(diff < 1e-4);
		rig_release(&r);
	}
}

TEST(the_factors_of_a_graft_make_the_change_that_it_folds)
{
	for (struct variant v = { 0 }; variant_next(&v); ) {
		struct rig r;

		if (!v.t->factors)
			continue;
		PASS(rig_open(&r, false));
		PASS(rig_graft(&r, &v, false, NULL));
		rig_shake(r.g);
		for (size_t i = 0; i < r.g->n && r.g->part[i].at.kind == SG_SITE_LINEAR; i++) {
			struct sg_part *p = &r.g->part[i];
			size_t out = p->at.out, in = p->at.in, rank = 0;
			float *left = NULL, *right = NULL, *dw = calloc(out * in, sizeof(*dw));
			bool scaled = !strcmp(v.t->name, "lora");
			double s = scaled ? sg_graft_num(r.g, "alpha") / sg_graft_num(r.g, "rank") : 1, worst = 0, most = 0;

			PASS(v.t->delta(p, dw));
			PASS(v.t->factors(p, &left, &right, &rank));
			for (size_t k = 0; k < out * in; k++) {
				double sum = 0;

				for (size_t q = 0; q < rank; q++)
					sum += (double)left[k / in * rank + q] * (double)right[q * in + k % in];
				worst = SG_MAX(worst, fabs(s * sum - (double)dw[k]));
				most = SG_MAX(most, fabs((double)dw[k]));
			}
			CHECK(most > 0 && worst < 1e-6 * SG_MAX(most, 1));
			free(left);
			free(right);
			free(dw);
		}
		rig_release(&r);
	}
}

TEST(the_rank_that_is_stored_is_the_rank_that_is_there)
{
	static const struct { const char *set, *want; bool shaken; } cases[] = {
		{ "rank=4", "0*2", false }, { "rank=4", "4*2", true }, { "rank=4 phi=lowrank inner=2", "2*2", true },
		{ "rank=3 stages=2", "6*2", true }, { "rank=4 phi=codebook codes=1 tile=4", "4*2", true },
		{ "rank=4 phi=lowrank inner=1 bases=trained cap=9999", "1*2", true },
	};

	for (size_t i = 0; i < SG_LEN(cases); i++) {
		struct variant v = { .t = sg_graft_type_find("phi"), .set = cases[i].set };
		char set[100];
		struct rig r;

		snprintf(set, sizeof(set), "%s sites=layers.*.mlp.down", cases[i].set);
		v.set = set;
		PASS(rig_open(&r, false));
		PASS(rig_graft(&r, &v, false, NULL));
		if (cases[i].shaken)
			rig_shake(r.g);
		PASS(sg_graft_seal(r.g));
		if (strcmp(sg_graft_str(r.g, "effective_rank"), cases[i].want))
			printf("# %s: %s\n", set, sg_graft_str(r.g, "effective_rank"));
		CHECK(!strcmp(sg_graft_str(r.g, "effective_rank"), cases[i].want));
		rig_release(&r);
	}
}

TEST(a_cap_on_what_trains_is_kept_and_the_count_is_said)
{
	static const struct { const char *set; bool fits; } cases[] = {
		{ "rank=3 phi=upper cap=84", true }, { "rank=3 phi=upper cap=83", false },
		{ "rank=3 bases=trained cap=1000", false }, { "rank=3 bases=trained cap=100000", true },
	};

	for (size_t i = 0; i < SG_LEN(cases); i++) {
		struct variant v = { .t = sg_graft_type_find("phi"), .set = cases[i].set };
		struct rig r;
		int rc;

		PASS(rig_open(&r, false));
		rc = rig_graft(&r, &v, true, NULL);	/* 14 maps */
		CHECK(rc == (cases[i].fits ? 0 : -SG_E_REFUSED));
		if (i == 1)
			CHECK(strstr(sg_error_message(), "84 numbers would train, the cap is 83"));
		rig_release(&r);
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
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = { "basis=svd sites=layers.0.out", "rank=9", "rank=5 stages=2", "rank=0",
						   "stages=9 rank=1", "phi=walsh rank=3" };
		struct variant v = { .t = sg_graft_type_find("phi"), .set = bad[i] };

		PASS(variant_graft(&g, &v, &r.m, "slot.1", r.base));
		FAILS(REFUSED, sg_graft_attach(g, &r.m, ROWS, false, 1, NULL));
		sg_graft_free(g);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = { "basis=round", "bases=loose", "phi=square", "bases=trained" };
		struct variant v = { .t = sg_graft_type_find("phi"), .set = bad[i] };

		PASS(variant_graft(&g, &v, &r.m, "slot.1", r.base));
		FAILS(USAGE, sg_graft_attach(g, &r.m, ROWS, false, 1, NULL));
		sg_graft_free(g);
	}
	free(hyper.name[0]);
	hyper.name[0] = strdup("colour=red");
	CHECK(sg_graft_new(&g, "lora", &sites, &hyper, r.base) == -SG_E_USAGE);
	sg_names_release(&sites);
	sg_names_release(&hyper);
	rig_release(&r);
}
