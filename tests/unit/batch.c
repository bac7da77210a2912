#include "model/batch.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/test.h"

static const char path[] = "build/tmp-batch";

/* docs documents of lengths 0, 1, 2, ... rolling; token i of the set is i. */
static int make(struct sg_shard *s, unsigned docs, unsigned modulus)
{
	struct sg_tokens_builder b = { 0 };
	unsigned char h[SG_DOC_HASH] = { 0 };
	int32_t ids[64], next = 0;
	int rc;

	SG_TRY(sg_dir_make("build"));
	SG_TRY(sg_tokens_builder_init(&b, 60000));
	for (unsigned d = 0; d < docs; d++) {
		for (unsigned i = 0; i < d % modulus; i++)
			ids[i] = next++;
		SG_TRY(sg_tokens_builder_add(&b, ids, d % modulus, d, h));
	}
	rc = sg_tokens_builder_write(&b, path);
	sg_tokens_builder_release(&b);
	SG_TRY(rc);
	rc = sg_shard_open(s, path);
	remove(path);
	return rc;
}

/* The rules of a batch: positions within a segment, targets one on, one document. */
static bool sound(const struct sg_batch *b, size_t T)
{
	for (size_t i = 0; i < b->n; i++) {
		size_t first = (size_t)b->begin[i];

		if (first > i || i - first >= T || b->target[i] != b->token[i] + 1)
			return false;
		if (first < i && (b->token[i] != b->token[i - 1] + 1 || b->doc[i] != b->doc[i - 1] ||
				  b->begin[i] != b->begin[i - 1]))
			return false;
	}
	return b->n <= b->cap && b->scored == b->n;
}

TEST(batch_walk_scores_every_token_once)
{
	struct sg_shard s = { 0 };
	struct sg_batch b = { 0 };
	unsigned char *seen;
	struct sg_walk w;
	int64_t n;
	size_t bad = 0, batches = 0;

	PASS(make(&s, 100, 23));
	PASS(sg_batch_init(&b, 16));
	CHECK((seen = sg_calloc(s.t.tokens, 1)));
	sg_walk_init(&w, &s.t, 5, 0, s.t.docs);
	while ((n = sg_walk_next(&w, &b)) > 0) {
		batches++;
		bad += !sound(&b, 5);
		for (size_t i = 0; i < b.n; i++)
			bad += seen[b.target[i]]++ || !(b.doc[i] % 23);
	}
	CHECK(n == 0 && !bad);
	for (uint64_t d = 0; d < s.t.docs; d++)
		for (uint64_t i = sg_tokens_begin(&s.t, d); i < sg_tokens_begin(&s.t, d + 1); i++)
			bad += seen[i] != (i != sg_tokens_begin(&s.t, d));
	CHECK(!bad);
	CHECK(batches < 100);
	CHECK(sg_walk_next(&w, &b) == 0);
	/* a part of the documents */
	sg_walk_init(&w, &s.t, 5, 3, 5);
	CHECK(sg_walk_next(&w, &b) == 2 + 3 && b.doc[0] == 3 && b.doc[4] == 4);
	b.cap = 4;
	CHECK(sg_walk_next(&w, &b) == -SG_E_USAGE);
	b.cap = 16;
	free(seen);
	sg_batch_release(&b);
	sg_shard_release(&s);
}

/* The windows that the reference losses use: T rows from T + 1 tokens. */
TEST(batch_windows_overlap_by_one)
{
	struct sg_shard s = { 0 };
	struct sg_batch b = { 0 };
	struct sg_walk w;

	PASS(make(&s, 12, 12));
	PASS(sg_batch_init(&b, 100));
	sg_walk_init(&w, &s.t, 4, 11, 12);
	CHECK(sg_walk_next(&w, &b) == 10);
	CHECK(b.begin[3] == 0 && b.begin[4] == 4 && b.begin[7] == 4 && b.begin[8] == 8 && b.begin[9] == 8);
	CHECK(b.target[3] == b.token[4] && b.target[7] == b.token[8]);
	sg_batch_release(&b);
	sg_shard_release(&s);
}

static uint64_t sum(const struct sg_batch *b)
{
	uint64_t h = b->n;

	for (size_t i = 0; i < b->n; i++)
		h = sg_rng_u64(h, (uint64_t)b->token[i], (uint64_t)b->begin[i] << 32 | b->doc[i]);
	return h;
}

TEST(batch_plan_is_a_function_of_the_step)
{
	struct sg_shard s = { 0 }, s2 = { 0 };
	const struct sg_tokens *sets[2];
	struct sg_batch b = { 0 };
	struct sg_plan p = { 0 }, q = { 0 };
	uint64_t h[60];
	size_t bad = 0, differs = 0;
	uint64_t rows = 0;

	PASS(make(&s, 40, 23));
	PASS(make(&s2, 30, 7));
	sets[0] = &s.t;
	sets[1] = &s2.t;
	PASS(sg_batch_init(&b, 32));
	PASS(sg_plan_init(&p, sets, 2, 8, 32, 7));
	PASS(sg_plan_init(&q, sets, 2, 8, 32, 8));
	for (uint64_t i = 0; i < 60; i++) {
		CHECK(sg_plan_step(&p, i, &b) > 32 - 8);
		bad += !sound(&b, 8);
		h[i] = sum(&b);
		rows += b.n;
	}
	CHECK(!bad && p.epoch > 1 && rows > 2 * p.rows);
	/* again from anywhere, by another plan, in any order */
	sg_plan_release(&p);
	PASS(sg_plan_init(&p, sets, 2, 8, 32, 7));
	for (uint64_t i = 0; i < 60; i++) {
		uint64_t step = i * 37 % 60;

		PASS(sg_plan_step(&p, step, &b));
		bad += sum(&b) != h[step];
		PASS(sg_plan_step(&q, step, &b));
		differs += sum(&b) != h[step];
	}
	CHECK(!bad && differs > 50);
	b.cap = 31;
	CHECK(sg_plan_step(&p, 0, &b) == -SG_E_USAGE);
	b.cap = 32;
	sg_plan_release(&p);
	sg_plan_release(&q);
	sg_batch_release(&b);
	sg_shard_release(&s);
	sg_shard_release(&s2);
}

/* In one epoch every window comes once. */
TEST(batch_plan_epoch_is_complete)
{
	struct sg_shard s = { 0 };
	const struct sg_tokens *set;
	struct sg_batch b = { 0 };
	struct sg_plan p = { 0 };
	size_t bad = 0, n = 0;
	unsigned char *seen;

	PASS(make(&s, 60, 20));
	set = &s.t;
	PASS(sg_plan_init(&p, &set, 1, 6, 6, 1));
	PASS(sg_batch_init(&b, 6));
	CHECK((seen = sg_calloc(s.t.tokens, 1)));
	for (uint64_t step = 0; n < p.rows; step++) {
		PASS(sg_plan_step(&p, step, &b));
		for (size_t i = 0; i < b.n; i++)
			bad += seen[b.target[i]]++ != 0;
		n += b.n;
	}
	CHECK(!bad && n == p.rows);
	free(seen);
	sg_plan_release(&p);
	CHECK(sg_plan_init(&p, &set, 1, 6, 5, 1) == -SG_E_USAGE);
	CHECK(sg_plan_init(&p, &set, 0, 6, 6, 1) == -SG_E_REFUSED);
	sg_batch_release(&b);
	sg_shard_release(&s);
}
