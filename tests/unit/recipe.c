#include "tests/test.h"
#include "base/mem.h"
#include "train/recipe.h"
#include <math.h>

TEST(the_learning_rate_rises_linearly_then_falls_as_a_cosine)
{
	struct sg_recipe r;

	sg_recipe_default(&r);
	r.steps = 101;
	r.warmup = 10;
	r.lr = 1e-2;
	r.min_lr = 0.1;
	CHECK(fabsf(sg_recipe_lr(&r, 0) - 1e-3f) < 1e-9f);
	CHECK(fabsf(sg_recipe_lr(&r, 9) - 1e-2f) < 1e-9f);
	CHECK(fabsf(sg_recipe_lr(&r, 10) - 1e-2f) < 1e-9f);
	CHECK(fabsf(sg_recipe_lr(&r, 55) - 5.5e-3f) < 1e-8f);	/* half way: the middle of both ends */
	CHECK(fabsf(sg_recipe_lr(&r, 100) - 1e-3f) < 1e-8f);
	for (uint64_t s = 10; s < 100; s++)
		CHECK(sg_recipe_lr(&r, s + 1) < sg_recipe_lr(&r, s));
	r.steps = 1;
	r.warmup = 0;
	CHECK(sg_recipe_lr(&r, 0) == 1e-2f);
}

TEST(a_recipe_comes_back_from_its_text)
{
	struct sg_recipe r, back;
	struct sg_buf b = { 0 };
	char one[SG_SHA256_HEX], two[SG_SHA256_HEX];

	sg_recipe_default(&r);
	r.type = sg_strdup("phi");
	r.name = sg_strdup("with \"quotes\"");
	memset(r.parent, 'c', 64);
	r.lr = 0.1 + 0.2;	/* needs all 17 digits */
	PASS(sg_names_add(&r.sites, "layers.0.attn.q"));
	PASS(sg_names_add(&r.data, "set:id"));
	PASS(sg_recipe_emit(&b, &r));
	PASS(sg_recipe_parse(&back, b.data, b.len, "test"));
	CHECK(back.lr == r.lr && !strcmp(back.name, r.name) && back.sites.n == 1);
	PASS(sg_recipe_id(one, &r));
	PASS(sg_recipe_id(two, &back));
	CHECK(!strcmp(one, two));
	back.seed++;
	PASS(sg_recipe_id(two, &back));
	CHECK(strcmp(one, two));
	sg_recipe_release(&r);
	sg_recipe_release(&back);
	sg_buf_release(&b);
}

TEST(a_recipe_out_of_range_is_refused)
{
	struct sg_recipe r;

	sg_recipe_default(&r);
	CHECK(sg_recipe_check(&r) == 0);
	r.steps = 0;
	CHECK(sg_recipe_check(&r) < 0);
	sg_recipe_default(&r);
	r.lr = NAN;
	CHECK(sg_recipe_check(&r) < 0);
	sg_recipe_default(&r);
	r.min_lr = 1.5;
	CHECK(sg_recipe_check(&r) < 0);
}
