/* Tokenizers from the parts that GGUF carries give what the same vocabularies
 * give as tokenizer.json. */
#include "model/tokenizer.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "format/rd.h"
#include "tests/test.h"
#include <math.h>

struct parts { struct sg_tok_parts p; struct sg_tok_text *token, *merge; int32_t *type; };

static void release(struct parts *s)
{
	free(s->token);
	free(s->merge);
	free(s->type);
}

/* Vocabulary, merges and added tokens of a golden variant. */
static int from_variant(struct parts *s, const struct sg_json *model, const struct sg_json *added, const char *pre)
{
	const struct sg_json *vocab = sg_json_get(model, "vocab"), *merges = sg_json_get(model, "merges");
	static char joined[4096][64];
	size_t n = vocab->n + added->n, k = 0;

	s->p = (struct sg_tok_parts){ .model = "gpt2", .pre = pre, .bos = -1, .eos = -1, .unk = -1, .add_bos = -1,
				      .add_eos = -1, .add_space = -1 };
	SG_TRY(SG_NEW(s->token, n));
	SG_TRY(SG_NEW(s->type, n));
	SG_TRY(SG_NEW(s->merge, merges->n));
	for (const struct sg_json *j = vocab->child; j; j = j->next) {
		s->token[(size_t)j->num] = (struct sg_tok_text){ j->key, j->key_len };
		s->type[(size_t)j->num] = SG_TOK_NORMAL;
		s->p.n = SG_MAX(s->p.n, (size_t)j->num + 1);
	}
	for (const struct sg_json *j = added->child; j; j = j->next) {
		const struct sg_json *text = sg_json_get(j, "content");
		size_t id = (size_t)sg_json_get(j, "id")->num;

		s->token[id] = (struct sg_tok_text){ text->str, text->len };
		s->type[id] = sg_json_get(j, "special")->truth ? SG_TOK_CONTROL : SG_TOK_USER;
		s->p.n = SG_MAX(s->p.n, id + 1);
	}
	for (const struct sg_json *j = merges->child; j && k < SG_LEN(joined); j = j->next) {
		int len;

		if (j->type == SG_JSON_STRING && !strncmp(j->str, "#version", 8))
			continue;
		len = j->type == SG_JSON_STRING ? snprintf(joined[k], 64, "%s", j->str) :
		      snprintf(joined[k], 64, "%s %s", j->child->str, j->child->next->str);
		s->merge[k] = (struct sg_tok_text){ joined[k], (size_t)len };
		k++;
	}
	s->p.n_merges = k;
	s->p.token = s->token;
	s->p.type = s->type;
	s->p.merge = s->merge;
	return 0;
}

static bool ids_are(const struct sg_ids *l, const struct sg_json *want)
{
	size_t i = 0;

	for (const struct sg_json *j = want->child; j; j = j->next)
		if (i == l->n || l->id[i++] != (int32_t)j->num)
			return false;
	return i == l->n;
}

static size_t check_cases(const struct sg_tokenizer *t, const struct sg_json *cases, size_t *bad)
{
	struct sg_ids l = { 0 };
	size_t n = 0;

	for (const struct sg_json *c = cases->child; c; c = c->next, n++) {
		const struct sg_json *text = sg_json_get(c, "text");
		bool ok = sg_tokenizer_encode(t, &l, text->str, text->len, SG_TOK_TEMPLATE) >= 0 && ids_are(&l, sg_json_get(c, "ids"));

		l.n = 0;
		ok = ok && sg_tokenizer_encode(t, &l, text->str, text->len, SG_TOK_SPECIALS) >= 0 &&
		     ids_are(&l, sg_json_get(c, "open"));
		l.n = 0;
		if (!ok)
			printf("# '%s'\n", text->str);
		*bad += !ok;
	}
	sg_ids_release(&l);
	return n;
}

TEST(tokenizer_parts_level)
{
	static const char *const same[][2] = { { "gpt2", "gpt-2" }, { "smollm", "smollm" }, { "qwen2", "qwen2" }, { "llama3", "llama-bpe" } };
	static const char path[] = "tests/golden/tokenizer_level.json";
	struct sg_json_doc doc = { 0 };
	struct sg_buf f = { 0 };
	const struct sg_json *root;
	size_t bad = 0, n = 0;

	PASS(sg_file_read(&f, path, 1 << 22));
	PASS(sg_json_parse(&doc, f.data, f.len, path));
	root = sg_json_root(&doc);
	for (const struct sg_json *v = sg_json_get(root, "variants")->child; v; v = v->next)
		for (size_t i = 0; i < SG_LEN(same); i++) {
			const struct sg_json *model = sg_json_get(root, "models")->child;
			struct sg_tokenizer *t = NULL;
			struct parts s = { 0 };

			if (strcmp(sg_json_get(v, "name")->str, same[i][0]))
				continue;
			for (int k = (int)sg_json_get(v, "model")->num; k--; )
				model = model->next;
			PASS(from_variant(&s, model, sg_json_get(sg_json_get(v, "rest"), "added_tokens"), same[i][1]));
			if (i == 3)
				s.p.bos = (int32_t)s.p.n - 3;	/* <|begin_of_text|>, which llama-bpe adds */
			PASS(sg_tokenizer_from_parts(&t, &s.p, same[i][0]));
			release(&s);
			n += check_cases(t, sg_json_get(v, "cases"), &bad);
			sg_tokenizer_free(t);
		}
	sg_json_release(&doc);
	sg_buf_release(&f);
	CHECK(n > 150);
	CHECK(!bad);
}

/* ---- SentencePiece ---- */

/* llama2.c's tokenizer.bin: u32 longest, then f32 score, u32 bytes, the bytes. */
static int read_bin(struct parts *s, const struct sg_map *m, float *score)
{
	const unsigned char *p = m->data + 4, *end = m->data + m->size;

	s->p = (struct sg_tok_parts){ .model = "llama", .bos = 1, .eos = 2, .unk = 0, .add_bos = -1, .add_eos = -1, .add_space = -1 };
	SG_TRY(SG_NEW(s->token, 512));
	SG_TRY(SG_NEW(s->type, 512));
	for (; end - p >= 8 && s->p.n < 512; s->p.n++) {
		uint32_t n = sg_le32(p + 4);
		bool byte = n == 6 && !memcmp(p + 8, "<0x", 3);

		memcpy(&score[s->p.n], p, 4);
		s->token[s->p.n] = (struct sg_tok_text){ (const char *)p + 8, n };
		s->type[s->p.n] = s->p.n == 0 ? SG_TOK_UNKNOWN : s->p.n < 3 ? SG_TOK_CONTROL : byte ? SG_TOK_BYTE : SG_TOK_NORMAL;
		p += 8 + n;
	}
	s->p.token = s->token;
	s->p.type = s->type;
	s->p.score = score;
	return p == end ? 0 : -SG_E_CORRUPT;
}

TEST(tokenizer_parts_stories)
{
	static const char bin[] = "../shared/models/stories260K/tokenizer.bin", json[] = "../shared/models/stories260K/tokenizer.json";
	static const char book[] = "../shared/corpora/pd-es-rv1909.txt";
	struct sg_tokenizer *t = NULL, *u = NULL;
	struct sg_ids l = { 0 }, k = { 0 };
	struct sg_buf b = { 0 };
	struct parts s = { 0 };
	float score[512];
	struct sg_map m;

	if (!sg_file_exists(bin) || !sg_file_exists(book))
		SKIP("shared");
	PASS(sg_map_open(&m, bin));
	PASS(read_bin(&s, &m, score));
	/* this file writes spaces as such, where GGUF has SentencePiece's mark */
	char (*spelled)[32] = sg_calloc(512, sizeof(*spelled));

	for (size_t i = 0; i < s.p.n; i++) {
		size_t n = 0;

		for (size_t j = 0; j < s.token[i].n && n < 28; j++)
			n += (size_t)snprintf(spelled[i] + n, 32 - n, s.token[i].s[j] == ' ' ? "\xe2\x96\x81" : "%c", s.token[i].s[j]);
		if (s.type[i] == SG_TOK_CONTROL)
			n = (size_t)snprintf(spelled[i], 32, i == 1 ? "<s>" : "</s>");
		s.token[i] = (struct sg_tok_text){ spelled[i], n };
	}
	PASS(sg_tokenizer_from_parts(&t, &s.p, bin));
	sg_map_release(&m);
	free(spelled);
	PASS(sg_tokenizer_open(&u, json, NULL));
	PASS(sg_map_open(&m, book));
	PASS(sg_tokenizer_encode(t, &l, (const char *)m.data, 1000000, SG_TOK_TEMPLATE));
	PASS(sg_tokenizer_encode(u, &k, (const char *)m.data, 1000000, SG_TOK_TEMPLATE));
	CHECK(l.n == k.n && !memcmp(l.id, k.id, l.n * sizeof(*l.id)) && l.id[0] == 1);
	PASS(sg_tokenizer_decode(t, &b, l.id, l.n, SG_TOK_REPLACE));
	CHECK(b.len == 1000000 && !memcmp(b.data, m.data, b.len));
	CHECK(sg_tokenizer_bos(t) == 1 && sg_tokenizer_eos(t) == 2);
	sg_map_release(&m);
	sg_buf_release(&b);
	sg_ids_release(&l);
	sg_ids_release(&k);
	sg_tokenizer_free(t);
	sg_tokenizer_free(u);
	release(&s);
}

static bool refuses(const struct sg_tok_parts *p, int code, const char *name)
{
	struct sg_tokenizer *t = NULL;
	int rc = sg_tokenizer_from_parts(&t, p, "x.gguf");
	bool ok = rc == -code && strstr(sg_error_message(), name);

	if (!ok)
		printf("# %d %s\n", rc, rc < 0 ? sg_error_message() : "");
	sg_tokenizer_free(t);
	return ok;
}

TEST(tokenizer_parts_refuses)
{
	const struct sg_tok_text token[] = { { "a", 1 }, { "b", 1 }, { "b", 1 } }, merge[] = { { "ab", 2 } };
	struct sg_tok_parts p = { .model = "bert", .n = 2, .token = token, .bos = -1, .eos = -1, .unk = -1 };
	float score[] = { 0, NAN };

	CHECK(refuses(&p, SG_E_UNSUPPORTED, "'bert'"));
	p.model = "gpt2";
	CHECK(refuses(&p, SG_E_UNSUPPORTED, "none said"));
	p.pre = "tekken";
	CHECK(refuses(&p, SG_E_UNSUPPORTED, "'tekken'"));
	p.pre = "gpt-2";
	CHECK(refuses(&p, SG_E_UNSUPPORTED, "drops characters"));
	p.merge = merge;
	p.n_merges = 1;
	CHECK(refuses(&p, SG_E_CORRUPT, "merge 0"));
	p.model = "llama";
	CHECK(refuses(&p, SG_E_CORRUPT, "scores"));
	p.score = score;
	CHECK(refuses(&p, SG_E_UNSUPPORTED, "token 1 has no score"));
	score[1] = 0;
	CHECK(refuses(&p, SG_E_UNSUPPORTED, "drops characters"));
	p.bos = 2;
	CHECK(refuses(&p, SG_E_CORRUPT, "past"));
	p.bos = -1;
	p.n = 3;
	CHECK(refuses(&p, SG_E_CORRUPT, "token 2 is there twice"));
}
