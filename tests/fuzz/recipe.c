#include "tests/fuzz/fuzz.h"
#include "train/recipe.h"

/* What parses must come back from its own text. */
int sg_fuzz_recipe(const uint8_t *data, size_t n);
int sg_fuzz_recipe(const uint8_t *data, size_t n)
{
	struct sg_recipe r = { 0 }, again = { 0 };
	struct sg_buf b = { 0 };
	char first[SG_SHA256_HEX], second[SG_SHA256_HEX];
	int rc = sg_recipe_parse(&r, (const char *)data, n, "fuzz");

	if (rc >= 0) {
		if (sg_recipe_emit(&b, &r) < 0 || sg_recipe_parse(&again, b.data, b.len, "again") < 0 ||
		    sg_recipe_id(first, &r) < 0 || sg_recipe_id(second, &again) < 0 || strcmp(first, second))
			abort();
		sg_recipe_release(&again);
		sg_recipe_release(&r);
	}
	sg_buf_release(&b);
	return rc;
}
SG_FUZZ(recipe)
