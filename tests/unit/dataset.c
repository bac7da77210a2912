#include "model/dataset.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/overlap.h"
#include "tests/test.h"

#define DIR "build/tmp-dataset"

static int put(const char *path, const char *text)
{
	return sg_file_write(path, text, strlen(text));
}

static int fresh(void)
{
	SG_TRY(sg_dir_remove(DIR));
	return sg_dir_make(DIR "/in/sub");
}

static bool doc_is(const struct sg_docs *d, size_t i, const char *text)
{
	return i < d->n && d->doc[i].n == strlen(text) && !memcmp(d->doc[i].text, text, d->doc[i].n);
}

static const char *const one[] = { DIR "/a.txt" };

TEST(dataset_splits)
{
	struct sg_docs d = { 0 };
	struct sg_dataset_opts o = { 0 };

	PASS(fresh());
	PASS(put(one[0], "\xef\xbb\xbf\n\nfirst\nline\r\n \t\r\n\nsecond\n\n\nfirst\nline\nx"));
	PASS(sg_docs_read(&d, one, 1, &o));
	CHECK(d.n == 3 && doc_is(&d, 0, "first\nline") && doc_is(&d, 1, "second") && doc_is(&d, 2, "first\nline\nx"));
	CHECK(d.bytes == 10 + 6 + 12 && !d.duplicates);
	sg_docs_release(&d);
	o.split = SG_SPLIT_LINE;
	PASS(sg_docs_read(&d, one, 1, &o));
	CHECK(d.n == 4 && doc_is(&d, 1, "line") && doc_is(&d, 3, "x") && d.duplicates == 2);
	sg_docs_release(&d);
	o.min_bytes = 5;
	PASS(sg_docs_read(&d, one, 1, &o));
	CHECK(d.n == 2 && doc_is(&d, 1, "second") && d.skipped == 3 && d.duplicates == 1);
	sg_docs_release(&d);
	o = (struct sg_dataset_opts){ .split = SG_SPLIT_FILE };
	PASS(sg_docs_read(&d, one, 1, &o));
	CHECK(d.n == 1 && d.doc[0].n == d.source[0].bytes - 3);
	sg_docs_release(&d);
	PASS(put(one[0], "\n \n"));
	o.split = SG_SPLIT_LINE;
	CHECK(sg_docs_read(&d, one, 1, &o) == -SG_E_REFUSED);
	CHECK(sg_docs_read(&d, (const char *[]){ DIR "/none" }, 1, &o) == -SG_E_NOTFOUND);
}

TEST(dataset_folders_and_json_lines)
{
	static const char *const dir[] = { DIR "/in", DIR "/last.jsonl" };
	struct sg_docs d = { 0 };
	struct sg_dataset_opts o = { .field = "body" };

	PASS(fresh());
	PASS(put(DIR "/in/b.txt", "bee\n"));
	PASS(put(DIR "/in/sub/a.md", "ay"));
	PASS(put(DIR "/in/c.bin", "\xff"));
	PASS(put(DIR "/in/a.jsonl", "{\"body\":\"tab\\there\",\"x\":1}\n\n{\"body\":\"\"}\n{\"body\":\"bee\"}\n"));
	PASS(put(DIR "/last.jsonl", "{\"body\":\"end\"}"));
	PASS(sg_docs_read(&d, dir, 2, &o));
	CHECK(d.n_sources == 4 && !strcmp(d.source[0].path, "a.jsonl") && !strcmp(d.source[1].path, "b.txt"));
	CHECK(!strcmp(d.source[2].path, "sub/a.md") && !strcmp(d.source[3].path, "last.jsonl"));
	CHECK(d.n == 4 && doc_is(&d, 0, "tab\there") && doc_is(&d, 1, "bee") && doc_is(&d, 2, "ay") && doc_is(&d, 3, "end"));
	CHECK(d.duplicates == 1 && d.doc[2].source == 2);
	sg_docs_release(&d);
	PASS(put(DIR "/last.jsonl", "{\"body\":\"end\"}\n{\"text\":\"end\"}"));
	CHECK(sg_docs_read(&d, dir, 2, &o) == -SG_E_CORRUPT && strstr(sg_error_message(), "last.jsonl:2") &&
	      strstr(sg_error_message(), "'body'"));
	PASS(put(DIR "/last.jsonl", "{\"body\":\"end\""));
	CHECK(sg_docs_read(&d, dir, 2, &o) == -SG_E_CORRUPT && strstr(sg_error_message(), "last.jsonl:1"));
}

TEST(dataset_names_the_line_that_is_no_utf8)
{
	struct sg_docs d = { 0 };
	struct sg_dataset_opts o = { 0 };

	PASS(fresh());
	PASS(put(one[0], "good\n\xc3\xa9\nbad \xc3( here\n"));
	CHECK(sg_docs_read(&d, one, 1, &o) == -SG_E_CORRUPT);
	CHECK(strstr(sg_error_message(), "a.txt' is no UTF-8 at line 3"));
}

TEST(dataset_ranges_split_without_overlap)
{
	struct sg_docs d = { 0 }, e = { 0 }, all = { 0 };
	struct sg_dataset_opts o = { .split = SG_SPLIT_LINE };
	struct sg_buf b = { 0 };
	static const char *const two[] = { DIR "/a.txt", DIR "/b.txt" };

	PASS(fresh());
	for (int i = 0; i < 50; i++)
		PASS(sg_buf_fmt(&b, "line %d\n", i % 37));	/* 13 duplicates */
	PASS(put(two[0], b.data));
	sg_buf_clear(&b);
	for (int i = 100; i < 110; i++)
		PASS(sg_buf_fmt(&b, "line %d\n", i));
	PASS(put(two[1], b.data));
	sg_buf_release(&b);
	PASS(sg_docs_read(&all, two, 2, &o));
	CHECK(all.n == 47 && all.duplicates == 13);
	o.to = 90;
	PASS(sg_docs_read(&d, two, 2, &o));
	o.from = 90;
	o.to = 100;
	PASS(sg_docs_read(&e, two, 2, &o));
	CHECK(d.n == 42 && e.n == 5 && doc_is(&e, 0, "line 105") && doc_is(&d, 41, "line 104"));
	sg_docs_release(&d);
	sg_docs_release(&e);
	o.per_file = true;
	PASS(sg_docs_read(&e, two, 2, &o));
	CHECK(e.n == 5 && doc_is(&e, 0, "line 33") && doc_is(&e, 3, "line 36") && doc_is(&e, 4, "line 109"));
	sg_docs_release(&e);
	o = (struct sg_dataset_opts){ .split = SG_SPLIT_LINE, .max_docs = 3 };
	PASS(sg_docs_read(&e, two, 2, &o));
	CHECK(e.n == 3 && e.bytes == 18);
	sg_docs_release(&e);
	sg_docs_release(&all);
	o.from = 50;
	CHECK(sg_docs_read(&e, two, 2, &o) == -SG_E_USAGE);
}

static int build(struct sg_dataset_manifest *m, struct sg_docs *d, const char *text, enum sg_role role)
{
	struct sg_dataset_opts o = { .split = SG_SPLIT_LINE, .to = 100, .min_bytes = 2 };
	struct sg_tokenizer *t = NULL;
	char id[SG_SHA256_HEX];
	int rc;

	SG_TRY(put(one[0], text));
	SG_TRY(sg_docs_read(d, one, 1, &o));
	SG_TRY(sg_tokenizer_open(&t, "byte", id));
	rc = sg_dataset_build(m, DIR "/data", "set", role, d, &o, t, id, NULL);
	sg_tokenizer_free(t);
	return rc;
}

TEST(dataset_build_open_and_manifest)
{
	struct sg_dataset_manifest m = { 0 }, n = { 0 };
	struct sg_docs d = { 0 };
	struct sg_shard s = { 0 };
	struct sg_buf b = { 0 }, c = { 0 };
	char id[SG_SHA256_HEX], id2[SG_SHA256_HEX], *path;
	size_t bad = 0;

	PASS(fresh());
	PASS(build(&m, &d, "hello\nyou there\nhello\n", SG_ROLE_ACCEPT));
	CHECK(m.docs == 2 && m.bytes == 14 && m.tokens == 16 && m.n_sources == 1);
	CHECK(!strcmp(m.split, "line --from 0 --to 100 --min-bytes 2") && !strcmp(m.source[0].path, "a.txt"));
	PASS(sg_dataset_open(&s, DIR "/data", &m));
	CHECK(s.t.docs == 2 && sg_tokens_at(&s.t, 0) == SG_TOK_BYTE_BOS && sg_tokens_at(&s.t, 1) == 'h');
	CHECK(sg_tokens_bytes(&s.t, 1) == 9 && !memcmp(sg_tokens_hash(&s.t, 1), d.doc[1].hash, SG_DOC_HASH));
	sg_shard_release(&s);

	PASS(sg_dataset_manifest_emit(&m, &b));
	PASS(sg_dataset_manifest_parse(&n, b.data, b.len, "m"));
	PASS(sg_dataset_manifest_id(&m, id));
	PASS(sg_dataset_manifest_id(&n, id2));
	CHECK(!strcmp(id, id2) && n.role == SG_ROLE_ACCEPT);
	PASS(sg_sha256_hex(id2, b.data, b.len));
	CHECK(!strcmp(id, id2));
	/* a space is other bytes, so another id: refused */
	PASS(sg_buf_fmt(&c, "%s ", b.data));
	sg_dataset_manifest_release(&n);
	CHECK(sg_dataset_manifest_parse(&n, c.data, c.len, "m") == -SG_E_CORRUPT && strstr(sg_error_message(), "canonical"));
	for (size_t i = 0; i < b.len; i++)
		if (sg_dataset_manifest_parse(&n, b.data, i, "m") >= 0)
			bad++;
	CHECK(!bad);

	/* a shard with another content under its name */
	CHECK((path = sg_dataset_shard_path(DIR "/data", m.shard)));
	CHECK(!sg_file_rename(path, DIR "/x"));
	CHECK(sg_dataset_open(&s, DIR "/data", &m) == -SG_E_NOTFOUND);
	sg_docs_release(&d);
	sg_dataset_manifest_release(&n);
	PASS(build(&n, &d, "other\n", SG_ROLE_TRAIN));
	free(path);
	CHECK((path = sg_dataset_shard_path(DIR "/data", n.shard)));
	CHECK(!sg_file_rename(DIR "/x", path));
	CHECK(sg_dataset_open(&s, DIR "/data", &n) == -SG_E_CORRUPT);
	free(path);
	sg_docs_release(&d);
	sg_dataset_manifest_release(&n);
	sg_dataset_manifest_release(&m);
	sg_buf_release(&b);
	sg_buf_release(&c);
}

TEST(dataset_names_and_roles)
{
	enum sg_role r;
	enum sg_split s;

	CHECK(sg_dataset_name_ok("a") && sg_dataset_name_ok("train-2.x_Y"));
	CHECK(!sg_dataset_name_ok("") && !sg_dataset_name_ok("../a") && !sg_dataset_name_ok(".a") && !sg_dataset_name_ok("a b"));
	CHECK(!sg_dataset_name_ok("-a") && !sg_dataset_name_ok("a/b"));
	PASS(sg_role_parse(&r, "retain"));
	CHECK(r == SG_ROLE_RETAIN && !strcmp(sg_role_name(r), "retain"));
	CHECK(sg_role_parse(&r, "test") == -SG_E_USAGE);
	PASS(sg_split_parse(&s, "file"));
	CHECK(s == SG_SPLIT_FILE && sg_split_parse(&s, "word") == -SG_E_USAGE);
}

TEST(dataset_common_documents)
{
	struct sg_dataset_manifest m = { 0 }, n = { 0 };
	struct sg_docs d = { 0 }, e = { 0 };
	struct sg_shard s = { 0 }, s2 = { 0 };
	struct sg_buf a = { 0 }, b = { 0 };
	unsigned char first[SG_DOC_HASH];

	PASS(fresh());
	PASS(build(&m, &d, "one\ntwo\nthree\nfour\n", SG_ROLE_TRAIN));
	sg_docs_release(&d);
	PASS(build(&n, &e, "five\nthree\nsix\n", SG_ROLE_ACCEPT));
	PASS(sg_dataset_open(&s, DIR "/data", &m));
	PASS(sg_dataset_open(&s2, DIR "/data", &n));
	PASS(sg_dataset_docs(&a, &s.t));
	PASS(sg_dataset_docs(&b, &s2.t));
	CHECK(a.len == 4 * SG_DOC_HASH);
	CHECK(sg_dataset_common(a.data, a.len, b.data, b.len, first) == 1);
	CHECK(!memcmp(first, e.doc[1].hash, SG_DOC_HASH));
	CHECK(sg_dataset_common(a.data, a.len, a.data, a.len, NULL) == 4);
	CHECK(sg_dataset_common(a.data, a.len, NULL, 0, NULL) == 0);
	CHECK(sg_dataset_common(a.data, a.len - 1, b.data, b.len, NULL) == -SG_E_CORRUPT);
	memset(a.data, 0xff, SG_DOC_HASH);
	CHECK(sg_dataset_common(a.data, a.len, b.data, b.len, NULL) == -SG_E_CORRUPT);
	sg_shard_release(&s);
	sg_shard_release(&s2);
	sg_buf_release(&a);
	sg_buf_release(&b);
	sg_docs_release(&e);
	sg_dataset_manifest_release(&m);
	sg_dataset_manifest_release(&n);
	PASS(sg_dir_remove(DIR));
}

/* Splits of a real text share no document. */
TEST(dataset_corpus_held_out)
{
	static const char *const tom[] = { "../shared/corpora/pd-en-tomsawyer.txt" };
	struct sg_dataset_opts o = { .split = SG_SPLIT_LINE, .to = 90 };
	struct sg_docs d = { 0 }, e = { 0 };
	struct sg_ngrams g = { 0 };

	if (!sg_file_exists(tom[0]))
		SKIP("shared");
	PASS(sg_docs_read(&d, tom, 1, &o));
	o.from = 90;
	o.to = 100;
	PASS(sg_docs_read(&e, tom, 1, &o));
	CHECK(d.n > 1400 && e.n > 150 && d.n + e.n <= 1661);
	PASS(sg_ngrams_make(&g, d.doc, d.n));
	CHECK(g.n > 40000);
	CHECK(sg_overlap(&g, e.doc, e.n, NULL, 0) < (int64_t)e.n / 20);
	CHECK(sg_overlap(&g, d.doc, d.n, NULL, 0) > (int64_t)d.n / 2);
	sg_ngrams_release(&g);
	sg_docs_release(&d);
	sg_docs_release(&e);
}
