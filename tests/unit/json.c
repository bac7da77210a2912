#include "base/json.h"
#include "base/error.h"
#include "tests/test.h"
#include <math.h>

static bool parses(const char *s)
{
	struct sg_json_doc d = { 0 };
	bool ok = sg_json_parse(&d, s, strlen(s), "test") >= 0;

	sg_json_release(&d);
	return ok;
}

TEST(json_grammar)
{
	static const char *const good[] = {
		"0", "-0", "1.5e-3", " [ ] ", "{}", "\"\"", "null", "[1,2]", "{\"a\":{\"b\":[]}}",
		"\"\\u00e9\\ud83d\\ude00\\u0000\"", "123456789012345678901234567890", "\"\xc3\xa9\"",
		"\"\x7f\"", "{\"a\":1,\"A\":2,\"\":3}", "1E+2", "\t\r\n1",
	};
	static const char *const bad[] = {
		"", " ", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "1e999", "[1,]",
		"[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}", "[1]]", "[1] x", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
		"\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"", "\"\\", "[", "{", "{\"a\":1", "tru", "nul",
		"truex", "\xef\xbb\xbf{}", "/**/1", "'a'",
	};

	for (size_t i = 0; i < SG_LEN(good); i++)
		CHECK(parses(good[i]));
	for (size_t i = 0; i < SG_LEN(bad); i++)
		CHECK(!parses(bad[i]));
}

TEST(json_depth)
{
	char s[200];

	memset(s, '[', 64);
	memset(s + 64, ']', 64);
	s[128] = '\0';
	CHECK(parses(s));
	memset(s, '[', 65);
	memset(s + 65, ']', 65);
	s[130] = '\0';
	CHECK(!parses(s));
	memset(s, '[', 199);
	s[199] = '\0';
	CHECK(!parses(s));
}

TEST(json_access)
{
	static const char text[] = "{\"s\":\"a\\nb\",\"i\":-9223372036854775808,\"f\":0.1,\"t\":true,"
		"\"z\":null,\"n\":\"x\\u0000y\",\"l\":[1,{\"k\":2},\"three\"],\"e\":2e3,\"h\":1.5,"
		"\"big\":9223372036854775808}";
	struct sg_json_doc d = { 0 };
	const struct sg_json *o, *l;
	const char *s = "kept";
	int64_t i = 7;
	double f = 0;
	bool t = false;

	PASS(sg_json_parse(&d, text, strlen(text), "test"));
	o = sg_json_root(&d);
	CHECK(o->type == SG_JSON_OBJECT && o->n == 10);
	PASS(sg_json_str(o, "z", &s));
	PASS(sg_json_str(o, "none", &s));
	CHECK(!strcmp(s, "kept"));
	PASS(sg_json_str(o, "s", &s));
	CHECK(!strcmp(s, "a\nb"));
	CHECK(sg_json_str(o, "n", &s) == -SG_E_CORRUPT);
	CHECK(sg_json_str(o, "i", &s) == -SG_E_CORRUPT);
	PASS(sg_json_i64(o, "i", INT64_MIN, INT64_MAX, &i));
	CHECK(i == INT64_MIN);
	CHECK(sg_json_i64(o, "i", 0, 10, &i) == -SG_E_CORRUPT && strstr(sg_error_message(), "'i'"));
	CHECK(sg_json_i64(o, "h", INT64_MIN, INT64_MAX, &i) == -SG_E_CORRUPT);
	CHECK(sg_json_i64(o, "big", INT64_MIN, INT64_MAX, &i) == -SG_E_CORRUPT);
	PASS(sg_json_i64(o, "e", 0, 5000, &i));
	CHECK(i == 2000);
	PASS(sg_json_f64(o, "f", &f));
	CHECK(f == 0.1);
	PASS(sg_json_bool(o, "t", &t));
	CHECK(t);
	l = sg_json_get(o, "l");
	CHECK(l && l->n == 3 && l->child->num == 1 && l->child->next->child->num == 2);
	CHECK(!strcmp(l->child->next->next->str, "three") && !l->child->next->next->next);
	CHECK(!sg_json_get(l, "k") && !sg_json_get(NULL, "k"));
	sg_json_release(&d);
	sg_json_release(&d);
}

TEST(json_write)
{
	static const char want[] = "{\"a\":[1,-2.5,true,null,\"q\\\"\\\\\\n\\u0001\xc3\xa9\"],\"b\":{},\"c\":null,"
		"\"d\":[0.1,100,1e+20,1e-05,0.30000000000000004]}";
	struct sg_buf out = { 0 };
	struct sg_jsonw w;
	struct sg_json_doc d = { 0 };

	sg_jsonw_init(&w, &out);
	sg_jsonw_object(&w);
	sg_jsonw_key(&w, "a");
	sg_jsonw_array(&w);
	sg_jsonw_i64(&w, 1);
	sg_jsonw_f64(&w, -2.5);
	sg_jsonw_bool(&w, true);
	sg_jsonw_null(&w);
	sg_jsonw_str(&w, "q\"\\\n\x01\xc3\xa9");
	sg_jsonw_end(&w, ']');
	sg_jsonw_key(&w, "b");
	sg_jsonw_object(&w);
	sg_jsonw_end(&w, '}');
	sg_jsonw_key(&w, "c");
	sg_jsonw_f64(&w, HUGE_VAL);
	sg_jsonw_key(&w, "d");
	sg_jsonw_array(&w);
	sg_jsonw_f64(&w, 0.1);
	sg_jsonw_f64(&w, 100);
	sg_jsonw_f64(&w, 1e20);
	sg_jsonw_f64(&w, 1e-5);
	sg_jsonw_f64(&w, 0.1 + 0.2);
	sg_jsonw_end(&w, ']');
	CHECK(w.rc == 0 && w.depth == 1);
	sg_jsonw_end(&w, '}');
	PASS(sg_jsonw_done(&w));
	CHECK(!strcmp(out.data, want));

	/* read and written again: the same bytes */
	PASS(sg_json_parse(&d, out.data, out.len, "test"));
	sg_buf_clear(&out);
	sg_jsonw_init(&w, &out);
	sg_jsonw_node(&w, sg_json_root(&d));
	PASS(sg_jsonw_done(&w));
	CHECK(!strcmp(out.data, want));
	sg_json_release(&d);

	sg_buf_clear(&out);
	sg_jsonw_init(&w, &out);
	sg_jsonw_str(&w, "\xff");
	CHECK(sg_jsonw_done(&w) < 0);
	sg_buf_clear(&out);
	sg_jsonw_init(&w, &out);
	sg_jsonw_text(&w, "a\xff\"", 3);
	PASS(sg_jsonw_done(&w));
	CHECK(!strcmp(out.data, "\"a\xef\xbf\xbd\\\"\""));
	sg_buf_clear(&out);
	sg_jsonw_init(&w, &out);
	sg_jsonw_array(&w);
	CHECK(sg_jsonw_done(&w) < 0);
	sg_buf_release(&out);
}

/* The shape of a large tokenizer: many keys, many small arrays. */
TEST(json_large)
{
	struct sg_buf b = { 0 };
	struct sg_json_doc d = { 0 };
	int rc = 0;

	rc = sg_buf_str(&b, "{\"vocab\":{");
	for (int i = 0; rc >= 0 && i < 150000; i++)
		rc = sg_buf_fmt(&b, "%s\"tok%d\":%d", i ? "," : "", i * 7, i);
	PASS(rc);
	PASS(sg_buf_str(&b, "},\"merges\":["));
	for (int i = 0; rc >= 0 && i < 280000; i++)
		rc = sg_buf_fmt(&b, "%s[\"t%d\",\"\xc4\xa0x\"]", i ? "," : "", i);
	PASS(sg_buf_str(&b, "]}"));
	PASS(sg_json_parse(&d, b.data, b.len, "test"));
	CHECK(sg_json_get(sg_json_root(&d), "vocab")->n == 150000);
	CHECK(d.n_nodes == 3 + 150000 + 3 * 280000);
	sg_json_release(&d);
	memcpy(strstr(b.data, "\"tok700\":") + 1, "tok707", 6);
	CHECK(sg_json_parse(&d, b.data, b.len, "test") == -SG_E_CORRUPT);
	CHECK(strstr(sg_error_message(), "tok707"));
	sg_buf_release(&b);
}
