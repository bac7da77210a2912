/*
 * GGUF files as bases, against what transformers and tokenizers say of them
 * (tests/golden/gguf_models.py): stored files, and where the libraries are there
 * also files made on the spot from another seed.
 */
#include "tests/test.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "model/gguf_base.h"
#include "model/pass.h"
#include "model/tokenizer.h"
#include <glob.h>
#include <math.h>

static int read_json(struct sg_json_doc *doc, const char *gguf)
{
	struct sg_buf b = { 0 };
	char path[256];
	int rc;

	snprintf(path, sizeof(path), "%.*s.json", (int)(strlen(gguf) - strlen(".gguf")), gguf);
	rc = sg_file_read(&b, path, 1 << 20);
	if (rc >= 0)
		rc = sg_json_parse(doc, b.data, b.len, path);
	sg_buf_release(&b);
	return rc;
}

/* Losses of the tokens after the first; n of them. */
static int losses(float *out, const struct sg_checkpoint *c, const int32_t *ids, size_t n)
{
	struct sg_device dev = { 0 };
	struct sg_model m = { 0 };
	struct sg_pass p = { 0 };
	struct sg_batch b = { 0 };
	int rc = sg_device_open(&dev, "cpu", 2);

	if (rc >= 0)
		rc = sg_model_init(&m, c, &dev);
	if (rc >= 0)
		rc = sg_batch_init(&b, n);
	if (rc >= 0)
		rc = sg_batch_add(&b, ids, n, 0) ? 0 : -SG_E_ERROR;
	if (rc >= 0)
		rc = sg_pass_init(&p, &m, n, false);
	if (rc >= 0)
		rc = sg_pass_loss(&p, &b, out);
	if (p.m)
		sg_pass_release(&p);
	sg_batch_release(&b);
	if (m.dev)
		sg_model_release(&m);
	if (dev.be)
		sg_device_close(&dev);
	return rc;
}

static double worst_loss(const struct sg_checkpoint *c, const struct sg_json *want)
{
	const struct sg_json *list = sg_json_get(want, "ids"), *loss = sg_json_get(want, "loss");
	size_t n = 0;
	int32_t ids[64];
	float got[64];
	double worst = 0;

	for (const struct sg_json *j = list ? list->child : NULL; j && n < 64; j = j->next)
		ids[n++] = (int32_t)j->num;
	if (n < 2 || !loss || loss->n != n - 1 || losses(got, c, ids, n - 1) < 0)
		return 1e9;
	n = 0;
	for (const struct sg_json *j = loss->child; j; j = j->next, n++)
		worst = SG_MAX(worst, fabs((double)got[n] - j->num));
	return worst;
}

static bool text_fits(const struct sg_tokenizer *t, const struct sg_json *want)
{
	const struct sg_json *text = sg_json_get(want, "text"), *ids = sg_json_get(want, "ids"),
			     *plain = sg_json_get(want, "plain");
	struct sg_buf back = { 0 };
	struct sg_ids got = { 0 };
	size_t i = 0;
	bool ok = sg_tokenizer_encode(t, &got, text->str, text->len, SG_TOK_TEMPLATE | SG_TOK_SPECIALS) >= 0 &&
		  got.n == ids->n;

	for (const struct sg_json *j = ids->child; ok && j; j = j->next, i++)
		ok = got.id[i] == (int32_t)j->num;
	ok = ok && sg_tokenizer_decode(t, &back, got.id, got.n, SG_TOK_REPLACE) >= 0 && back.len == plain->len &&
	     !memcmp(back.len ? back.data : "", plain->str, plain->len);
	if (!ok)
		printf("# '%s'\n", text->str);
	sg_buf_release(&back);
	sg_ids_release(&got);
	return ok;
}

static bool texts_fit(const struct sg_checkpoint *c, const struct sg_json *want)
{
	const struct sg_buf *text = sg_checkpoint_tokenizer(c);
	const struct sg_json *list = sg_json_get(want, "texts");
	struct sg_tokenizer *t = NULL;
	bool ok = list && list->n;

	if (sg_tokenizer_parse(&t, text->data, text->len, "tokenizer.json") < 0) {
		printf("# %s\n", sg_error_message());
		return false;
	}
	for (const struct sg_json *j = list ? list->child : NULL; j; j = j->next)
		ok &= text_fits(t, j);
	sg_tokenizer_free(t);
	return ok;
}

/* Why the file is not what it should be, "" when it is. */
static const char *check(const char *path)
{
	static char why[400];
	struct sg_checkpoint *c = NULL;
	struct sg_json_doc doc = { 0 };
	double worst;

	*why = 0;
	if (read_json(&doc, path) < 0 || sg_checkpoint_open(&c, path) < 0) {
		snprintf(why, sizeof(why), "%s: %s", path, sg_error_message());
	} else {
		worst = worst_loss(c, sg_json_root(&doc));
		if (!(worst < 2e-5))
			snprintf(why, sizeof(why), "%s: losses differ by %g", path, worst);
		else if (!texts_fit(c, sg_json_root(&doc)))
			snprintf(why, sizeof(why), "%s: texts are cut otherwise", path);
	}
	sg_json_release(&doc);
	sg_checkpoint_free(c);
	return why;
}

static void check_all(const char *folder, size_t least)
{
	char pattern[300];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/*.gguf", folder);
	CHECK(!glob(pattern, 0, NULL, &g) && g.gl_pathc >= least);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *why = check(g.gl_pathv[i]);

		if (*why)
			sg_test_fail(__FILE__, __LINE__, "%s", why);
	}
	globfree(&g);
}

TEST(gguf_models)
{
	check_all("tests/golden/gguf", 6);
}

TEST(gguf_models_live)
{
	const char *dir = sg_test_dir();
	char command[400];
	int rc;

	CHECK(dir);
	snprintf(command, sizeof(command), "python3 tests/golden/gguf_models.py %s 7 >/dev/null 2>&1", dir);
	rc = system(command);
	if (rc == 77 << 8 || rc == 127 << 8)
		SKIP("gguf");
	CHECK(!rc);
	check_all(dir, 6);
}
