/*
 * A real quantised model, SmolLM2-135M-Instruct in Q4_1, against transformers with
 * the same file in f32. Skipped where the file is not there (tests/models/smollm2.sh
 * fetches it) or the libraries are not.
 */
#include "tests/test.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/pass.h"
#include "model/tokenizer.h"
#include <math.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool find_model(char *path, size_t size)
{
	FILE *f = popen("sh tests/models/smollm2.sh --path 2>/dev/null", "r");
	bool ok = f && fgets(path, (int)size, f);

	if (f)
		ok = !pclose(f) && ok;
	path[strcspn(path, "\n")] = 0;
	return ok;
}

static size_t numbers(double *out, size_t max, const struct sg_json *list)
{
	size_t n = 0;

	for (const struct sg_json *j = list ? list->child : NULL; j && n < max; j = j->next)
		out[n++] = j->num;
	return n;
}

static size_t whole(int32_t *out, size_t max, const struct sg_json *list)
{
	size_t n = 0;

	for (const struct sg_json *j = list ? list->child : NULL; j && n < max; j = j->next)
		out[n++] = (int32_t)j->num;
	return n;
}

/* Largest difference of a token's log-probability in one text. */
static double worst(struct sg_model *m, const struct sg_json *text)
{
	int32_t ids[513];
	double want[513], most = 0;
	float got[513];
	size_t n = whole(ids, 513, sg_json_get(text, "ids"));
	struct sg_batch b = { 0 };
	struct sg_pass p = { 0 };
	int rc = n > 50 && numbers(want, 513, sg_json_get(text, "loss")) == n - 1 ? sg_batch_init(&b, n - 1) : -1;

	if (rc >= 0)
		rc = sg_batch_add(&b, ids, n - 1, 0) ? sg_pass_init(&p, m, n - 1, false) : -1;
	if (rc >= 0)
		rc = sg_pass_loss(&p, &b, got);
	for (size_t i = 0; rc >= 0 && i + 1 < n; i++)
		most = SG_MAX(most, fabs((double)got[i] - want[i]));
	if (p.m)
		sg_pass_release(&p);
	sg_batch_release(&b);
	return rc < 0 ? 1e9 : most;
}

static bool greedy_fits(struct sg_model *m, const struct sg_json *want)
{
	int32_t prompt[64], next[64];
	size_t n = whole(prompt, 64, sg_json_get(want, "prompt")), k = whole(next, 64, sg_json_get(want, "greedy"));
	float *logits = sg_calloc(m->desc.vocab, sizeof(*logits));
	struct sg_cache c = { 0 };
	struct sg_pass p = { 0 };
	bool ok = logits && n && k == 64 && sg_pass_init(&p, m, 64, false) >= 0 && sg_cache_init(&c, m, 128) >= 0 &&
		  sg_pass_next(&p, &c, prompt, n, logits) >= 0;

	for (size_t i = 0; ok && i < k; i++) {
		size_t best = 0;

		for (size_t v = 1; v < m->desc.vocab; v++)
			best = logits[v] > logits[best] ? v : best;
		ok = (int32_t)best == next[i] && sg_pass_next(&p, &c, &next[i], 1, logits) >= 0;
	}
	if (c.m)
		sg_cache_release(&c);
	if (p.m)
		sg_pass_release(&p);
	free(logits);
	return ok;
}

/* Text of the prompt as the file's own vocabulary cuts it. */
static bool prompt_fits(const struct sg_checkpoint *c, const struct sg_json *want)
{
	const struct sg_buf *text = sg_checkpoint_tokenizer(c);
	struct sg_tokenizer *t = NULL;
	struct sg_ids ids = { 0 };
	int32_t prompt[64];
	size_t n = whole(prompt, 64, sg_json_get(want, "prompt"));
	bool ok = sg_tokenizer_parse(&t, text->data, text->len, "tokenizer.json") >= 0 &&
		  sg_tokenizer_document(t, &ids, "Once upon a time", 16) >= 0 && ids.n == n &&
		  !memcmp(ids.id, prompt, n * sizeof(*prompt));

	sg_ids_release(&ids);
	sg_tokenizer_free(t);
	return ok;
}

TEST(smollm2)
{
	char path[400], command[1000];
	const char *dir = sg_test_dir();
	struct sg_checkpoint *c;
	struct sg_buf text = { 0 };
	struct sg_json_doc doc;
	struct sg_device dev;
	struct sg_model m;
	double began, most = 0;
	size_t texts = 0, tokens = 0;
	int rc;

	CHECK(dir);
	if (!find_model(path, sizeof(path)))
		SKIP("smollm2");
	began = now();
	PASS(sg_checkpoint_open(&c, path));
	CHECK(now() - began < 2);
	snprintf(command, sizeof(command), "python3 tests/golden/smollm2_live.py '%s' %s/want.json LICENSE "
		 "tests/golden/languages.txt >/dev/null 2>&1", path, dir);
	rc = system(command);
	if (rc == 77 << 8 || rc == 127 << 8) {
		sg_checkpoint_free(c);
		SKIP("transformers");
	}
	CHECK(!rc);
	snprintf(command, sizeof(command), "%s/want.json", dir);
	PASS(sg_file_read(&text, command, 1 << 20));
	PASS(sg_json_parse(&doc, text.data, text.len, "want.json"));
	PASS(sg_device_open(&dev, "cpu", 2));
	PASS(sg_model_init(&m, c, &dev));
	for (const struct sg_json *j = sg_json_get(sg_json_root(&doc), "texts")->child; j; j = j->next) {
		most = SG_MAX(most, worst(&m, j));
		tokens += sg_json_get(j, "loss")->n;
		texts++;
	}
	printf("# log-probabilities of %zu tokens in %zu texts differ by %.2g at most\n", tokens, texts, most);
	CHECK(texts == 21 && most < 1e-3);
	CHECK(prompt_fits(c, sg_json_root(&doc)));
	CHECK(greedy_fits(&m, sg_json_root(&doc)));
	sg_model_release(&m);
	sg_device_close(&dev);
	sg_json_release(&doc);
	sg_buf_release(&text);
	sg_checkpoint_free(c);
}
