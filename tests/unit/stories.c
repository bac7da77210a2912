/* A real trained model against published numbers; skipped where it is absent. */
#include "tests/test.h"
#include "base/file.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/pass.h"
#include "model/tokenizer.h"
#include <math.h>

#define FOLDER "../shared/models/stories260K"

struct stories {
	struct sg_checkpoint *ckpt;
	struct sg_tokenizer *tok;
	struct sg_device dev;
	struct sg_model m;
	struct sg_pass pass;
	struct sg_batch b;
};

static int stories_open(struct stories *s, const char *device, unsigned threads)
{
	const struct sg_buf *t;
	int rc;

	memset(s, 0, sizeof(*s));
	rc = sg_checkpoint_open(&s->ckpt, FOLDER);
	if (rc < 0)
		return rc;
	t = sg_checkpoint_tokenizer(s->ckpt);
	rc = sg_tokenizer_parse(&s->tok, t->data, t->len, "tokenizer.json");
	if (rc >= 0)
		rc = sg_device_open(&s->dev, device, threads);
	if (rc >= 0)
		rc = sg_model_init(&s->m, s->ckpt, &s->dev);
	if (rc >= 0)
		rc = sg_pass_init(&s->pass, &s->m, 2048, false);
	return rc < 0 ? rc : sg_batch_init(&s->b, 2048);
}

static void stories_close(struct stories *s)
{
	sg_batch_release(&s->b);
	sg_pass_release(&s->pass);
	sg_model_release(&s->m);
	sg_device_close(&s->dev);
	sg_tokenizer_free(s->tok);
	sg_checkpoint_free(s->ckpt);
}

static bool near(double a, double b, double tolerance)
{
	return fabs(a - b) <= tolerance;
}

TEST(stories260K_gives_the_published_logits)
{
	static const struct { const char *text; int id; double top, lse; } want[] = {
		{ "", 403, 17.045399, 17.286929 },
		{ "Once upon a time", 432, 17.805907, 17.838016 },
		{ "Hab\303\255a una vez", 417, 11.676467, 12.916021 },
	};
	struct stories s;
	float logits[512];

	if (!sg_dir_exists(FOLDER))
		SKIP("shared");
	PASS(stories_open(&s, "cpu", 2));
	for (size_t i = 0; i < SG_LEN(want); i++) {
		struct sg_ids ids = { 0 };
		double sum = 0;

		PASS(sg_tokenizer_document(s.tok, &ids, want[i].text, strlen(want[i].text)));
		PASS(sg_ids_add(&ids, 0));	/* a target that nobody looks at */
		sg_batch_clear(&s.b);
		CHECK(sg_batch_add(&s.b, ids.id, ids.n - 1, 0));
		PASS(sg_pass_logits(&s.pass, &s.b, s.b.n - 1, logits));
		for (int k = 0; k < 512; k++) {
			sum += exp(logits[k]);
			CHECK(logits[k] <= logits[want[i].id]);
		}
		CHECK(near(logits[want[i].id], want[i].top, 1e-4));
		CHECK(near(log(sum), want[i].lse, 1e-4));
		sg_ids_release(&ids);
	}
	stories_close(&s);
}

/* Windows of 512 tokens that overlap by one, as the reference has them. */
static int text_loss(double *mean, size_t *scored, struct stories *s, const char *text, size_t bytes)
{
	struct sg_ids ids = { 0 };
	float loss[2048];
	double sum = 0;
	size_t n = 0;
	int rc = sg_tokenizer_document(s->tok, &ids, text, bytes);

	for (size_t at = 0, len; rc >= 0 && at + 1 < ids.n; at += len) {
		len = SG_MIN(511, ids.n - 1 - at);
		sg_batch_clear(&s->b);
		if (!sg_batch_add(&s->b, ids.id + at, len, 0))
			return -1;
		rc = sg_pass_loss(&s->pass, &s->b, loss);
		for (size_t i = 0; i < len; i++)
			sum += loss[i];
		n += len;
	}
	sg_ids_release(&ids);
	*mean = sum / (double)n;
	*scored = n;
	return rc;
}

/* What the model itself says, greedily, as its author published it. */
TEST(stories260K_finds_its_own_story_likely)
{
	static const char story[] =
		"Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, "
		"she saw a big, red ball. She wanted to play with it, but it was too high.\nLily's mom said, \"Lily, "
		"let's go to the park.\" Lily was sad and didn't know what to do. She said, \"I want to play with your "
		"ball, but I can't find it.\"\nLily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I "
		"didn't know what to do.\"\nLily didn't want to help her mom, so she said, \"I'm sorry, mom. I didn't "
		"know what to do.\" Her mom said, \"Don't worry, Lily. We can help you.";
	struct stories s;
	double mean;
	size_t n;

	if (!sg_dir_exists(FOLDER))
		SKIP("shared");
	PASS(stories_open(&s, "cpu", 2));
	PASS(text_loss(&mean, &n, &s, story, strlen(story)));
	CHECK(n == 256 && near(mean, 0.461, 0.0005));
	stories_close(&s);
}

TEST(stories260K_gives_the_published_losses)
{
	static const struct { const char *path; size_t bytes, tokens; double nats; } want[] = {
		{ "../shared/corpora/pd-en-tomsawyer.txt", 10000, 5587, 3.401603 },
		{ "../shared/corpora/pd-en-sherlock.txt", 10000, 5713, 3.565817 },
		{ "../shared/corpora/pd-es-rv1909.txt", 10000, 7313, 7.799245 },
	};
	struct stories s;

	if (!sg_dir_exists(FOLDER))
		SKIP("shared");
	PASS(stories_open(&s, "cpu", 2));
	for (size_t i = 0; i < SG_LEN(want); i++) {
		struct sg_map map;
		double mean;
		size_t n;

		PASS(sg_map_open(&map, want[i].path));
		PASS(text_loss(&mean, &n, &s, (const char *)map.data, SG_MIN(want[i].bytes, map.size)));
		sg_map_release(&map);
		CHECK(n == want[i].tokens);
		CHECK(near(mean, want[i].nats, 2e-5));
	}
	stories_close(&s);
}
