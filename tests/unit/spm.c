/* SentencePiece models against tokenizer.json of the same, and against their own library. */
#include "tests/test.h"
#include "base/file.h"
#include "base/json.h"
#include "model/spm_base.h"
#include "model/tokenizer.h"

#define FOLDER "../shared/models/stories260K/"

static bool load(struct sg_tokenizer **out, const struct sg_buf *model)
{
	struct sg_spm s = { .piece = NULL };
	struct sg_buf json = { 0 };
	bool ok = sg_spm_parse(&s, (const unsigned char *)model->data, model->len, "test.model") >= 0 &&
		  sg_spm_tokenizer(&json, &s, false, false, "test.model") >= 0 &&
		  sg_tokenizer_parse(out, json.data, json.len, "made") >= 0;

	sg_spm_release(&s);
	sg_buf_release(&json);
	return ok;
}

/* A real model, with the one switch set that is refused: a message that comes again is merged. */
TEST(spm_is_what_its_json_form_is)
{
	struct sg_tokenizer *ours = NULL, *json = NULL;
	struct sg_buf model = { 0 }, text = { 0 }, made = { 0 };
	struct sg_ids a = { 0 }, b = { 0 };
	struct sg_spm s;

	if (!sg_file_exists(FOLDER "tokenizer.model"))
		SKIP("shared");
	PASS(sg_file_read(&model, FOLDER "tokenizer.model", 1 << 20));
	PASS(sg_spm_parse(&s, (const unsigned char *)model.data, model.len, "test.model"));
	CHECK(s.n == 512 && s.model == SG_SPM_BPE && s.byte_fallback && s.trim && s.unk == 0 && s.bos == 1 && s.eos == 2);
	FAILS(UNSUPPORTED, sg_spm_tokenizer(&made, &s, false, false, "test.model"));
	CHECK(strstr(sg_error_message(), "remove_extra_whitespaces"));
	sg_spm_release(&s);
	PASS(sg_buf_add(&model, "\x1a\x02\x20\x00", 4));
	CHECK(load(&ours, &model));
	PASS(sg_tokenizer_open(&json, FOLDER "tokenizer.json", NULL));
	PASS(sg_file_read(&text, "../shared/corpora/pd-es-rv1909.txt", 8 << 20));
	text.len = SG_MIN(text.len, 300000);
	while (text.len && (text.data[text.len - 1] & 0xc0) == 0x80)
		text.len--;
	text.len--;
	PASS(sg_tokenizer_encode(ours, &a, text.data, text.len, 0));
	PASS(sg_tokenizer_encode(json, &b, text.data, text.len, 0));
	CHECK(a.n > 1000 && a.n == b.n && !memcmp(a.id, b.id, a.n * sizeof(*a.id)));
	sg_ids_release(&a);
	sg_ids_release(&b);
	sg_buf_release(&model);
	sg_buf_release(&text);
	sg_buf_release(&made);
	sg_tokenizer_free(ours);
	sg_tokenizer_free(json);
}

TEST(spm_refusals)
{
	struct sg_buf model = { 0 };
	struct sg_tokenizer *t = NULL;
	struct sg_spm s;

	PASS(sg_file_read(&model, "tests/fuzz/corpus/spm/bpe.model", 1 << 20));
	CHECK(load(&t, &model));
	sg_tokenizer_free(t);
	PASS(sg_buf_add(&model, "\x1a\x03\x12\x01x", 5));
	CHECK(!load(&t, &model) && strstr(sg_error_message(), "rewrites characters"));
	model.len -= 5;
	PASS(sg_buf_add(&model, "\x12\x03\x98\x02\x00", 5));
	CHECK(!load(&t, &model) && strstr(sg_error_message(), "byte_fallback"));
	sg_buf_clear(&model);
	PASS(sg_file_read(&model, "tests/fuzz/corpus/spm/user.model", 1 << 20));
	CHECK(!load(&t, &model) && strstr(sg_error_message(), "user-defined"));
	sg_buf_clear(&model);
	PASS(sg_file_read(&model, "tests/fuzz/corpus/spm/unigram.model", 1 << 20));
	CHECK(!load(&t, &model) && strstr(sg_error_message(), "unigram"));
	FAILS(CORRUPT, sg_spm_parse(&s, (const unsigned char *)"", 0, "x"));
	FAILS(CORRUPT, sg_spm_parse(&s, (const unsigned char *)"\x0a\xff\xff\xff\xff\x7f", 6, "x"));
	FAILS(CORRUPT, sg_spm_parse(&s, (const unsigned char *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "x"));
	FAILS(CORRUPT, sg_spm_parse(&s, (const unsigned char *)"\x0a\x00", 2, "x"));
	sg_buf_release(&model);
}

TEST(spm_is_what_its_library_is)
{
	const char *dir = sg_test_dir();
	struct sg_buf model = { 0 }, want = { 0 };
	struct sg_tokenizer *t = NULL;
	struct sg_json_doc doc = { 0 };
	struct sg_ids got = { 0 };
	char command[800], path[600];
	size_t n = 0, bad = 0;
	int rc;

	if (!sg_file_exists("../shared/corpora/pd-es-rv1909.txt"))
		SKIP("shared");
	snprintf(command, sizeof(command), "python3 tests/golden/spm_live.py '%s' ../shared/corpora/pd-es-rv1909.txt "
		 "../shared/corpora/pd-en-sherlock.txt >/dev/null 2>&1", dir);
	rc = system(command);
	if (rc == 77 << 8 || rc == 127 << 8)
		SKIP("sentencepiece");
	CHECK(!rc);
	snprintf(path, sizeof(path), "%s/unigram.model", dir);
	PASS(sg_file_read(&model, path, 8 << 20));
	CHECK(!load(&t, &model) && strstr(sg_error_message(), "unigram"));
	sg_buf_clear(&model);
	snprintf(path, sizeof(path), "%s/tokenizer.model", dir);
	PASS(sg_file_read(&model, path, 8 << 20));
	CHECK(load(&t, &model));
	snprintf(path, sizeof(path), "%s/want.json", dir);
	PASS(sg_file_read(&want, path, 64 << 20));
	PASS(sg_json_parse(&doc, want.data, want.len, "want.json"));
	for (const struct sg_json *j = sg_json_root(&doc)->child; j; j = j->next) {
		const struct sg_json *text = sg_json_get(j, "text"), *ids = sg_json_get(j, "ids");
		size_t i = 0;
		bool same;

		got.n = 0;
		PASS(sg_tokenizer_encode(t, &got, text->str, text->len, 0));
		same = got.n == ids->n;
		for (const struct sg_json *k = ids->child; same && k; k = k->next)
			same = got.id[i++] == (int32_t)k->num;
		if (!same && !bad)
			printf("# first difference: '%s'\n", text->str);
		bad += !same;
		n++;
	}
	printf("# %zu strings, %zu differ\n", n, bad);
	CHECK(n > 5000 && !bad);
	sg_ids_release(&got);
	sg_json_release(&doc);
	sg_buf_release(&want);
	sg_buf_release(&model);
	sg_tokenizer_free(t);
}
