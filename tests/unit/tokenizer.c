#include "model/tokenizer.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/tok_nfc.h"
#include "model/tok_utf8.h"
#include "tests/test.h"
#include <pthread.h>
#include <time.h>

static const char stories[] = "../shared/models/stories260K/tokenizer.json";

static bool same(const struct sg_ids *l, const int32_t *want, size_t n)
{
	return l->n == n && !memcmp(l->id, want, n * sizeof(*want));
}

TEST(tokenizer_byte)
{
	struct sg_tokenizer *t = NULL;
	struct sg_ids l = { 0 };
	struct sg_buf b = { 0 };
	int32_t want[] = { 256, 'h', 0xff, 0, ' ' };

	PASS(sg_tokenizer_byte(&t));
	CHECK(sg_tokenizer_vocab(t) == 257 && sg_tokenizer_bos(t) == 256 && sg_tokenizer_eos(t) == -1);
	CHECK(sg_tokenizer_start(t) == 256);
	PASS(sg_tokenizer_document(t, &l, "h\xff\0 ", 4));
	CHECK(same(&l, want, 5));
	PASS(sg_tokenizer_decode(t, &b, l.id, l.n, SG_TOK_REPLACE));
	CHECK(b.len == 4 && !memcmp(b.data, "h\xff\0 ", 4));
	CHECK(sg_tokenizer_decode(t, &b, (int32_t[]){ 'a', 257 }, 2, 0) == -SG_E_CORRUPT);
	CHECK(sg_tokenizer_decode(t, &b, (int32_t[]){ -1 }, 1, 0) == -SG_E_CORRUPT && b.len == 4);
	sg_buf_release(&b);
	sg_ids_release(&l);
	sg_tokenizer_free(t);
}

/* ---- golden file: several pipelines over small vocabularies ---- */

static void put_model(struct sg_jsonw *w, const struct sg_json *model, const struct sg_json *options)
{
	sg_jsonw_key(w, "model");
	sg_jsonw_object(w);
	for (const struct sg_json *m = model->child; m; m = m->next) {
		const struct sg_json *o = sg_json_get(options, m->key);

		sg_jsonw_key(w, m->key);
		sg_jsonw_node(w, o ? o : m);
	}
	sg_jsonw_end(w, '}');
}

static int assemble(struct sg_buf *out, const struct sg_json *models, const struct sg_json *variant)
{
	const struct sg_json *model = models->child;
	struct sg_jsonw w;
	int64_t k = 0;

	SG_TRY(sg_json_i64(variant, "model", 0, (int64_t)models->n - 1, &k));
	while (k--)
		model = model->next;
	sg_buf_clear(out);
	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	put_model(&w, model, sg_json_get(variant, "options"));
	for (const struct sg_json *r = sg_json_get(variant, "rest")->child; r; r = r->next) {
		sg_jsonw_key(&w, r->key);
		sg_jsonw_node(&w, r);
	}
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}

static bool ids_are(const struct sg_ids *l, const struct sg_json *want)
{
	size_t i = 0;

	if (l->n != want->n)
		return false;
	for (const struct sg_json *j = want->child; j; j = j->next)
		if (l->id[i++] != (int32_t)j->num)
			return false;
	return true;
}

static bool text_is(const struct sg_buf *b, const struct sg_json *want)
{
	return b->len == want->len && !memcmp(b->data ? b->data : "", want->str, want->len);
}

/* One direction and back; flags of encode and decode. */
static bool check_case(const struct sg_tokenizer *t, const struct sg_json *c, const char *ids, unsigned enc,
		       const char *back, unsigned dec)
{
	const struct sg_json *text = sg_json_get(c, "text");
	struct sg_ids l = { 0 };
	struct sg_buf b = { 0 };
	bool ok = sg_tokenizer_encode(t, &l, text->str, text->len, enc) >= 0 && ids_are(&l, sg_json_get(c, ids)) &&
		  sg_tokenizer_decode(t, &b, l.id, l.n, dec | SG_TOK_REPLACE) >= 0 && text_is(&b, sg_json_get(c, back));

	if (!ok) {
		printf("# text '%s', %s:", text->str, ids);
		for (size_t i = 0; i < l.n; i++)
			printf(" %d", l.id[i]);
		printf("\n# back '%s'\n", b.data ? b.data : "");
	}
	sg_ids_release(&l);
	sg_buf_release(&b);
	return ok;
}

static bool check_odd(const struct sg_tokenizer *t, const struct sg_json *c)
{
	struct sg_ids l = { 0 };
	struct sg_buf b = { 0 };
	bool ok;

	for (const struct sg_json *j = sg_json_get(c, "ids")->child; j; j = j->next)
		(void)sg_ids_add(&l, (int32_t)j->num);
	ok = sg_tokenizer_decode(t, &b, l.id, l.n, SG_TOK_REPLACE) >= 0 && text_is(&b, sg_json_get(c, "back"));
	sg_ids_release(&l);
	sg_buf_release(&b);
	return ok;
}

/* Cases of a golden file; the number of wrong ones is added to *bad. */
static int check_golden(const char *path, size_t *bad)
{
	struct sg_json_doc doc = { 0 };
	struct sg_buf f = { 0 }, text = { 0 };
	const struct sg_json *root, *v, *c;
	int cases = 0;

	SG_TRY(sg_file_read(&f, path, 1 << 22));
	SG_TRY(sg_json_parse(&doc, f.data, f.len, path));
	root = sg_json_root(&doc);
	for (v = sg_json_get(root, "variants")->child; v; v = v->next) {
		struct sg_tokenizer *t = NULL;
		size_t before = *bad;

		SG_TRY(assemble(&text, sg_json_get(root, "models"), v));
		SG_TRY(sg_tokenizer_parse(&t, text.data, text.len, sg_json_get(v, "name")->str));
		for (c = sg_json_get(v, "cases")->child; c; c = c->next, cases += 2) {
			*bad += !check_case(t, c, "ids", SG_TOK_TEMPLATE, "back", 0);
			*bad += !check_case(t, c, "open", SG_TOK_SPECIALS, "open_back", SG_TOK_SPECIALS);
		}
		for (c = sg_json_get(v, "odd")->child; c; c = c->next, cases++)
			*bad += !check_odd(t, c);
		if (*bad != before)
			printf("# in variant '%s'\n", sg_json_get(v, "name")->str);
		sg_tokenizer_free(t);
	}
	sg_json_release(&doc);
	sg_buf_release(&f);
	sg_buf_release(&text);
	return cases;
}

TEST(tokenizer_golden)
{
	size_t bad = 0;

	CHECK(check_golden("tests/golden/tokenizer.json", &bad) > 900);
	CHECK(!bad);
}

TEST(tokenizer_golden_level)
{
	size_t bad = 0;

	CHECK(check_golden("tests/golden/tokenizer_level.json", &bad) > 900);
	CHECK(!bad);
}

/* ---- byte-level: any text comes back, in its normal form where the file asks ---- */

static size_t random_text(uint64_t which, char *s)
{
	static const uint32_t limit[] = { 0x80, 0x250, 0x3100, 0x110000 };
	size_t n = 0, chars = sg_rng_below(11, which, 0, 40);

	for (size_t i = 1; i <= chars; i++) {
		uint32_t c = (uint32_t)sg_rng_below(11, which, 2 * i, limit[sg_rng_below(11, which, 2 * i + 1, 4)]);

		n += sg_utf8_put(s + n, c >= 0xd800 && c < 0xe000 ? ' ' : c);
	}
	return n;
}

/* By decode and, piece by piece, as generation does. */
static bool round_trip(const struct sg_tokenizer *t, bool nfc, const char *s, size_t n)
{
	struct sg_buf want = { 0 }, b = { 0 }, c = { 0 };
	struct sg_detok state = { 0 };
	struct sg_ids l = { 0 };
	bool ok = (nfc ? sg_nfc(&want, s, n) : sg_buf_add(&want, s, n)) >= 0 && sg_tokenizer_encode(t, &l, s, n, 0) >= 0 &&
		  sg_tokenizer_decode(t, &b, l.id, l.n, SG_TOK_REPLACE) >= 0;

	for (size_t i = 0; i < l.n && ok; i++)
		ok = sg_tokenizer_next(t, &state, &c, l.id[i], 0) >= 0;
	ok = ok && b.len == c.len && b.len == want.len &&
	     (!b.len || (!memcmp(b.data, c.data, b.len) && !memcmp(b.data, want.data, b.len)));
	sg_buf_release(&want);
	sg_buf_release(&b);
	sg_buf_release(&c);
	sg_ids_release(&l);
	return ok;
}

TEST(tokenizer_level_round_trip)
{
	/* every second normalises */
	static const char *const name[] = { "gpt2", "neox", "llama3", "qwen2" }, path[] = "tests/golden/tokenizer_level.json";
	struct sg_json_doc doc = { 0 };
	struct sg_buf f = { 0 }, text = { 0 };
	size_t bad = 0, n = 0;
	char s[256];

	PASS(sg_file_read(&f, path, 1 << 22));
	PASS(sg_json_parse(&doc, f.data, f.len, path));
	for (const struct sg_json *v = sg_json_get(sg_json_root(&doc), "variants")->child; v; v = v->next)
		for (size_t i = 0; i < SG_LEN(name); i++) {
			struct sg_tokenizer *t = NULL;

			if (strcmp(sg_json_get(v, "name")->str, name[i]))
				continue;
			PASS(assemble(&text, sg_json_get(sg_json_root(&doc), "models"), v));
			PASS(sg_tokenizer_parse(&t, text.data, text.len, name[i]));
			for (int k = 0; k < 3000; k++, n++)
				bad += !round_trip(t, i % 2, s, random_text(n, s));
			sg_tokenizer_free(t);
		}
	sg_json_release(&doc);
	sg_buf_release(&f);
	sg_buf_release(&text);
	CHECK(n == 12000);
	CHECK(!bad);
}

/* ---- threads share a tokenizer; each borrows its own table of words ---- */

struct job { const struct sg_tokenizer *t; const char *s; size_t n; bool ok; };

static void *encode_often(void *arg)
{
	struct job *j = arg;
	struct sg_ids first = { 0 }, l = { 0 };

	j->ok = sg_tokenizer_encode(j->t, &first, j->s, j->n, 0) >= 0;
	for (int i = 0; i < 50 && j->ok; i++) {
		l.n = 0;
		j->ok = sg_tokenizer_encode(j->t, &l, j->s, j->n, 0) >= 0 && same(&l, first.id, first.n);
	}
	sg_ids_release(&first);
	sg_ids_release(&l);
	return NULL;
}

TEST(tokenizer_level_threads)
{
	static const char path[] = "tests/fuzz/corpus/tokenizer/level-llama3.json";
	struct sg_tokenizer *t = NULL;
	struct job job[4];
	pthread_t thread[4];
	struct sg_buf f = { 0 };

	PASS(sg_tokenizer_open(&t, path, NULL));
	PASS(sg_file_read(&f, path, 1 << 20));
	for (size_t i = 0; i < SG_LEN(job); i++) {
		job[i] = (struct job){ t, f.data, f.len, false };
		CHECK(!pthread_create(&thread[i], NULL, encode_often, &job[i]));
	}
	for (size_t i = 0; i < SG_LEN(job); i++) {
		pthread_join(thread[i], NULL);
		CHECK(job[i].ok);
	}
	sg_buf_release(&f);
	sg_tokenizer_free(t);
}

/* ---- what is not there is refused by name ---- */

static bool refuses(const char *json, int code, const char *name)
{
	struct sg_tokenizer *t = NULL;
	int rc = sg_tokenizer_parse(&t, json, strlen(json), "t.json");
	bool ok = rc == -code && strstr(sg_error_message(), name);

	if (!ok)
		printf("# %d %s\n", rc, rc < 0 ? sg_error_message() : "");
	sg_tokenizer_free(t);
	return ok;
}

#define MODEL "\"model\":{\"type\":\"BPE\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a\":1,\"b\":2,\"ab\":3},\"merges\":[\"a b\"]}"
#define BACK  "\"decoder\":{\"type\":\"Fuse\"}"

TEST(tokenizer_refuses_by_name)
{
	struct sg_tokenizer *t = NULL;

	PASS(sg_tokenizer_parse(&t, "{" MODEL "," BACK "}", strlen("{" MODEL "," BACK "}"), "t"));
	sg_tokenizer_free(t);
	CHECK(refuses("{" BACK ",\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", SG_E_UNSUPPORTED, "Unigram"));
	CHECK(refuses("{" MODEL "," BACK ",\"normalizer\":{\"type\":\"NFKC\"}}", SG_E_UNSUPPORTED, "NFKC"));
	CHECK(refuses("{" MODEL "," BACK ",\"pre_tokenizer\":{\"type\":\"Digits\"}}", SG_E_UNSUPPORTED, "Digits"));
	CHECK(refuses("{" MODEL "," BACK ",\"post_processor\":{\"type\":\"BertProcessing\"}}", SG_E_UNSUPPORTED, "BertProcessing"));
	CHECK(refuses("{" MODEL ",\"decoder\":{\"type\":\"WordPiece\"}}", SG_E_UNSUPPORTED, "WordPiece"));
	CHECK(refuses("{" MODEL "," BACK ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a+\"},"
		      "\"behavior\":\"Isolated\",\"invert\":false}}", SG_E_UNSUPPORTED, "regular expression 'a+'"));
	CHECK(refuses("{" BACK ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}",
		      SG_E_UNSUPPORTED, "drops characters"));
	CHECK(refuses("{" MODEL "," BACK ",\"added_tokens\":[{\"id\":5,\"content\":\"x\"}]}", SG_E_CORRUPT, "'x'"));
	CHECK(refuses("{" BACK ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", SG_E_UNSUPPORTED, "drops characters"));
	CHECK(refuses("{" BACK ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", SG_E_CORRUPT, "merge 0"));
	CHECK(refuses("{" BACK ",\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", SG_E_CORRUPT, "twice"));
	CHECK(refuses("{" BACK ",\"model\":{\"vocab\":{\"a\":4000000000},\"merges\":[]}}", SG_E_CORRUPT, "'a'"));
	CHECK(refuses("{}", SG_E_CORRUPT, "no model"));
	CHECK(refuses("[]", SG_E_CORRUPT, "no object"));
}

TEST(tokenizer_refuses_sentencepiece)
{
	static const char path[] = "../shared/models/stories260K/tokenizer.model", space[] = "\n \n{}";
	struct sg_tokenizer *t = NULL;

	CHECK(sg_tokenizer_parse(&t, "\n\x0c\n\x05<unk>\x15", 10, "tokenizer.model") == -SG_E_UNSUPPORTED);
	CHECK(strstr(sg_error_message(), "tokenizer.json"));
	CHECK(sg_tokenizer_parse(&t, space, strlen(space), "t.json") == -SG_E_CORRUPT);
	if (!sg_file_exists(path))
		SKIP("shared");
	CHECK(sg_tokenizer_open(&t, path, NULL) == -SG_E_UNSUPPORTED && strstr(sg_error_message(), "SentencePiece"));
}

TEST(tokenizer_text_must_be_utf8)
{
	struct sg_tokenizer *t = NULL;
	struct sg_ids l = { 0 };

	PASS(sg_tokenizer_parse(&t, "{" MODEL "," BACK "}", strlen("{" MODEL "," BACK "}"), "t"));
	CHECK(sg_tokenizer_encode(t, &l, "ab\xc3", 3, 0) == -SG_E_CORRUPT && strstr(sg_error_message(), "byte 2"));
	CHECK(l.n == 0);
	sg_ids_release(&l);
	sg_tokenizer_free(t);
}

/* ---- a real tokenizer ---- */

static struct sg_tokenizer *open_stories(void)
{
	struct sg_tokenizer *t = NULL;
	char id[65];

	if (sg_tokenizer_open(&t, stories, id) < 0)
		return NULL;
	return strcmp(id, "b97eb0dd9ebc870db99401517120be52b3bb76292a5b24abde301027ee5c3f40") ? NULL : t;
}

TEST(tokenizer_stories)
{
	static const int32_t once[] = { 1, 403, 407, 261, 378 };
	static const int32_t habia[] = { 1, 320, 412, 430, 198, 176, 412, 318, 416, 412, 410, 360, 451 };
	static const int32_t greedy[] = { 1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338,
		401, 396, 267, 337, 410, 408, 419, 292, 411, 322, 265, 282, 295, 433, 426, 385, 328, 432, 358, 394, 261, 370, 432 };
	struct sg_tokenizer *t;
	struct sg_ids l = { 0 };
	struct sg_buf b = { 0 }, s = { 0 };
	struct sg_detok state = { 0 };

	if (!sg_file_exists(stories))
		SKIP("shared");
	CHECK((t = open_stories()));
	CHECK(sg_tokenizer_vocab(t) == 512 && sg_tokenizer_bos(t) == 1 && sg_tokenizer_eos(t) == 2);
	PASS(sg_tokenizer_encode(t, &l, "Once upon a time", 16, SG_TOK_TEMPLATE));
	CHECK(same(&l, once, SG_LEN(once)));
	l.n = 0;
	PASS(sg_tokenizer_document(t, &l, "Hab\xc3\xad" "a una vez", 14));
	CHECK(same(&l, habia, SG_LEN(habia)));
	PASS(sg_tokenizer_decode(t, &b, habia, SG_LEN(habia), 0));
	CHECK(!strcmp(b.data, "Hab\xc3\xad" "a una vez"));
	sg_buf_clear(&b);
	PASS(sg_tokenizer_decode(t, &b, greedy, SG_LEN(greedy), 0));
	CHECK(!strcmp(b.data, "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big,"));
	for (size_t i = 0; i < SG_LEN(greedy); i++)
		PASS(sg_tokenizer_next(t, &state, &s, greedy[i], 0));
	CHECK(!strcmp(s.data, b.data));
	sg_buf_release(&b);
	sg_buf_release(&s);
	sg_ids_release(&l);
	sg_tokenizer_free(t);
}

/* 10,000 bytes give the numbers of tokens that the reference losses count, and
 * decode to the text again. */
TEST(tokenizer_corpora)
{
	static const struct { const char *path; size_t scored; } c[] = {
		{ "../shared/corpora/pd-en-tomsawyer.txt", 5587 },
		{ "../shared/corpora/pd-en-sherlock.txt", 5713 },
		{ "../shared/corpora/pd-es-rv1909.txt", 7313 },
	};
	struct sg_tokenizer *t;

	if (!sg_file_exists(stories) || !sg_file_exists(c[0].path))
		SKIP("shared");
	CHECK((t = open_stories()));
	for (size_t i = 0; i < SG_LEN(c); i++) {
		struct sg_ids l = { 0 };
		struct sg_buf b = { 0 };
		struct sg_map m;

		PASS(sg_map_open(&m, c[i].path));
		PASS(sg_tokenizer_document(t, &l, (const char *)m.data, 10000));
		CHECK(l.n == c[i].scored + 1);
		PASS(sg_tokenizer_decode(t, &b, l.id, l.n, 0));
		CHECK(b.len == 10000 && !memcmp(b.data, m.data, 10000));
		sg_map_release(&m);
		sg_ids_release(&l);
		sg_buf_release(&b);
	}
	sg_tokenizer_free(t);
}

/* A text without any place to cut goes through the heap, not a quadratic loop. */
TEST(tokenizer_one_long_word)
{
	struct sg_tokenizer *t = NULL;
	struct sg_ids l = { 0 };
	size_t n = 200000;
	char *s = sg_calloc(n, 1);
	clock_t begun = clock();

	for (size_t i = 0; i < n; i++)
		s[i] = i % 2 ? 'b' : 'a';
	PASS(sg_tokenizer_parse(&t, "{" MODEL "," BACK "}", strlen("{" MODEL "," BACK "}"), "t"));
	PASS(sg_tokenizer_encode(t, &l, s, n, 0));
	CHECK(l.n == n / 2 && l.id[0] == 3 && l.id[l.n - 1] == 3);
	l.n = 0;
	memset(s, 'a', n);
	PASS(sg_tokenizer_encode(t, &l, s, n, 0));
	CHECK(l.n == n && l.id[n - 1] == 1);
	CHECK(clock() - begun < 20 * CLOCKS_PER_SEC);
	free(s);
	sg_ids_release(&l);
	sg_tokenizer_free(t);
}
