/* block: every activation, a factor that trains, odd widths, many sites and stages. */
#include "tests/test.h"
#include "tests/rig.h"
#include <math.h>

static int open_rig(struct rig *r)
{
	struct sg_checkpoint *c;

	memset(r, 0, sizeof(*r));
	SG_TRY(tiny_llama(&c, 1));
	return rig_init(r, c);
}

TEST(a_block_of_any_activation_has_the_gradient_of_finite_differences)
{
	static const struct { const char *hyper; float h; double most; } cases[] = {
		{ "width=1 act=silu", 4e-3f, 1e-2 }, { "width=7 act=gelu learn_scale=1", 4e-3f, 1e-2 },
		{ "width=13 act=gelu_tanh scale=0.5", 4e-3f, 1e-2 },
		{ "width=9 act=relu learn_scale=1 scale=-0.3", 1e-3f, 6e-2 },	/* kinks: a small step, and its noise */
	};

	for (size_t i = 0; i < SG_LEN(cases); i++) {
		float base[RIG_ROWS], with[RIG_ROWS];
		double worst = 1;
		struct rig r;

		PASS(open_rig(&r));
		PASS(rig_losses(base, &r));
		PASS(rig_grow(&r, "block", "*.out", cases[i].hyper, true));
		PASS(rig_losses(with, &r));
		CHECK(rig_apart(base, with) == 0);
		rig_shake(r.g);
		PASS(rig_gradient_error(&worst, &r, cases[i].h));
		if (worst > cases[i].most)
			printf("# %s: %g\n", cases[i].hyper, worst);
		CHECK(worst <= cases[i].most);
		rig_release(&r);
	}
}

TEST(a_factor_that_trains_is_the_fixed_one_until_it_moves)
{
	float fixed[RIG_ROWS], learned[RIG_ROWS], moved[RIG_ROWS];
	struct rig a, b;

	PASS(open_rig(&a));
	PASS(open_rig(&b));
	PASS(rig_grow(&a, "block", "*.out", "width=6 scale=0.75", false));
	PASS(rig_grow(&b, "block", "*.out", "width=6 scale=0.75 learn_scale=1", false));
	for (size_t i = 0; i < a.g->n; i++)
		for (size_t k = 0; k < 2; k++) {
			struct sg_tensor *t = a.g->part[i].t[k];

			for (size_t j = 0; j < t->n; j++)
				sg_part_data(&a.g->part[i], k)[j] = sg_part_data(&b.g->part[i], k)[j] = 0.01f * (float)(j % 11) - 0.04f;
		}
	PASS(rig_losses(fixed, &a));
	PASS(rig_losses(learned, &b));
	CHECK(!memcmp(fixed, learned, sizeof(fixed)));
	*sg_slab_ptr(&b.g->params, b.g->part[0].t[2]) = 0.5f;
	PASS(rig_losses(moved, &b));
	CHECK(memcmp(fixed, moved, sizeof(fixed)));
	rig_release(&a);
	rig_release(&b);
}

/* Two blocks at once are what they are one after the other. */
TEST(blocks_at_once_and_in_stages_compute_the_same)
{
	float at_once[RIG_ROWS], staged[RIG_ROWS];
	struct rig a, b;
	struct sg_graft *first;

	PASS(open_rig(&a));
	PASS(rig_grow(&a, "block", "layers.0.out,layers.1.out", "width=5", false));
	rig_shake(a.g);
	PASS(rig_losses(at_once, &a));
	PASS(open_rig(&b));
	PASS(rig_grow(&b, "block", "layers.0.out", "width=5", false));
	rig_shake(b.g);
	first = b.g;
	PASS(rig_grow(&b, "block", "layers.1.out", "width=5", false));
	rig_shake(b.g);
	PASS(rig_losses(staged, &b));
	CHECK(!memcmp(at_once, staged, sizeof(staged)));
	rig_release(&a);
	sg_model_release(&b.m);
	b.m.dev = NULL;
	sg_graft_free(first);
	rig_release(&b);
}

TEST(a_block_refuses_what_it_does_not_know)
{
	static const struct { const char *hyper; int code; } bad[] = {
		{ "act=tanh", -SG_E_USAGE }, { "scale=0", -SG_E_REFUSED }, { "learn_scale=2", -SG_E_USAGE },
		{ "width=0", -SG_E_REFUSED },
	};

	for (size_t i = 0; i < SG_LEN(bad); i++) {
		struct rig r;

		PASS(open_rig(&r));
		CHECK(rig_grow(&r, "block", "*.out", bad[i].hyper, false) == bad[i].code);
		rig_release(&r);
	}
}
