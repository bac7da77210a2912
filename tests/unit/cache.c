/* A text told token by token has the bits of the text told at once. */
#include "tests/test.h"
#include "tests/tiny.h"
#include "tests/tinyarch.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/pass.h"

enum { TOKENS = 21 };

static int whole(float *logits, struct sg_model *m, const int32_t *ids, size_t n)
{
	struct sg_pass p = { 0 };
	struct sg_batch b = { 0 };
	int rc = sg_pass_init(&p, m, TOKENS, false);

	if (rc >= 0)
		rc = sg_batch_init(&b, TOKENS);
	if (rc >= 0)
		rc = sg_batch_add(&b, ids, n, 0) ? sg_pass_logits(&p, &b, n - 1, logits) : -1;
	sg_batch_release(&b);
	sg_pass_release(&p);
	return rc;
}

static bool same_bits(struct sg_checkpoint *ckpt)
{
	static const size_t pieces[] = { 5, 1, 1, 7, 1, 5 };	/* the last token is only a target */
	size_t vocab = sg_checkpoint_desc(ckpt)->vocab, at = 0;
	float *want = sg_calloc(vocab, sizeof(*want)), *got = sg_calloc(vocab, sizeof(*got));
	struct sg_device dev = { 0 };
	struct sg_cache cache = { 0 };
	struct sg_pass pass = { 0 };
	struct sg_model m = { 0 };
	int32_t ids[TOKENS];
	bool ok = sg_device_open(&dev, "cpu", 2) >= 0 && sg_model_init(&m, ckpt, &dev) >= 0 &&
		  sg_pass_init(&pass, &m, 7, false) >= 0 && sg_cache_init(&cache, &m, TOKENS) >= 0;

	for (size_t i = 0; i < TOKENS; i++)
		ids[i] = (int32_t)sg_rng_below(5, 5, i, vocab);
	for (size_t i = 0; ok && i < SG_LEN(pieces); at += pieces[i++])
		ok = sg_pass_next(&pass, &cache, ids + at, pieces[i], got) >= 0 &&
		     whole(want, &m, ids, at + pieces[i]) >= 0 && !memcmp(want, got, vocab * sizeof(*want));
	/* no room for more than was asked for */
	ok = ok && sg_pass_next(&pass, &cache, ids, 2, got) < 0 && cache.n == TOKENS - 1;
	sg_cache_release(&cache);
	sg_pass_release(&pass);
	sg_model_release(&m);
	sg_device_close(&dev);
	free(want);
	free(got);
	return ok;
}

TEST(kept_keys_and_values_give_the_bits_of_the_whole_text)
{
	struct sg_checkpoint *c;

	PASS(tiny_llama(&c, 1));
	CHECK(same_bits(c));
	sg_checkpoint_free(c);
	for (const struct tiny_arch *a = tiny_archs; a->name; a++) {
		PASS(tiny_arch_make(&c, a, SG_F32, 1));
		if (!same_bits(c))
			printf("# %s\n", a->name);
		CHECK(same_bits(c));
		sg_checkpoint_free(c);
	}
}
