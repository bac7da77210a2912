#include "format/pack.h"
#include "base/error.h"
#include "base/mem.h"
#include "tests/test.h"

static int sample(struct sg_buf *b)
{
	static const double f[2] = { 0.5, -3 };
	static const uint32_t u[3] = { 1, 2, 0xffffffff };
	struct sg_packw w;

	sg_packw_init(&w, b);
	sg_packw_map(&w, 9);
	sg_packw_key(&w, "s");
	sg_packw_str(&w, "text");
	sg_packw_key(&w, "u");
	sg_packw_u64(&w, UINT64_MAX);
	sg_packw_key(&w, "i");
	sg_packw_i64(&w, INT64_MIN);
	sg_packw_key(&w, "p");
	sg_packw_i64(&w, 200);
	sg_packw_key(&w, "f");
	sg_packw_f64(&w, 0.1);
	sg_packw_key(&w, "t");
	sg_packw_bool(&w, true);
	sg_packw_key(&w, "f64s");
	sg_packw_f64s(&w, f, 2);
	sg_packw_key(&w, "u32s");
	sg_packw_u32s(&w, u, 3);
	sg_packw_key(&w, "list");
	sg_packw_array(&w, 3);
	sg_packw_nil(&w);
	sg_packw_array(&w, 0);
	sg_packw_map(&w, 1);
	sg_packw_key(&w, "k");
	sg_packw_i64(&w, -1);
	return sg_packw_done(&w);
}

TEST(pack_both_ways)
{
	struct sg_buf b = { 0 }, again = { 0 };
	struct sg_pack_doc d = { 0 };
	const struct sg_pack *m, *l;
	const char *s = NULL;
	uint64_t u = 0;
	int64_t i = 0;
	double f = 0, *fs = NULL;
	uint32_t *us = NULL;
	bool t = false;
	size_t n = 0;

	PASS(sample(&b));
	PASS(sample(&again));
	CHECK(b.len == again.len && !memcmp(b.data, again.data, b.len));
	PASS(sg_pack_parse(&d, b.data, b.len, "test"));
	m = sg_pack_root(&d);
	CHECK(m->type == SG_PACK_MAP && m->n == 9);
	PASS(sg_pack_str(m, "s", &s));
	CHECK(!strcmp(s, "text"));
	PASS(sg_pack_u64(m, "u", UINT64_MAX, &u));
	CHECK(u == UINT64_MAX);
	CHECK(sg_pack_u64(m, "u", 10, &u) == -SG_E_CORRUPT);
	CHECK(sg_pack_i64(m, "u", INT64_MIN, INT64_MAX, &i) == -SG_E_CORRUPT);
	PASS(sg_pack_i64(m, "i", INT64_MIN, INT64_MAX, &i));
	CHECK(i == INT64_MIN);
	PASS(sg_pack_i64(m, "p", 0, 200, &i));
	CHECK(i == 200);
	PASS(sg_pack_f64(m, "f", &f));
	CHECK(f == 0.1);
	PASS(sg_pack_bool(m, "t", &t));
	CHECK(t);
	CHECK(sg_pack_bool(m, "f", &t) == -SG_E_CORRUPT && strstr(sg_error_message(), "'f'"));
	PASS(sg_pack_f64s(m, "f64s", &fs, &n));
	CHECK(n == 2 && fs[0] == 0.5 && fs[1] == -3);
	PASS(sg_pack_u32s(m, "u32s", &us, &n));
	CHECK(n == 3 && us[2] == 0xffffffff);
	free(fs);
	fs = NULL;
	CHECK(sg_pack_f64s(m, "u32s", &fs, &n) == -SG_E_CORRUPT && !fs);
	PASS(sg_pack_f64s(m, "absent", &fs, &n));
	CHECK(!fs);
	l = sg_pack_get(m, "list");
	CHECK(l && l->n == 3 && l->child->type == SG_PACK_NIL && l->child->next->type == SG_PACK_ARRAY);
	PASS(sg_pack_i64(l->child->next->next, "k", -1, -1, &i));
	CHECK(i == -1);
	free(us);
	for (size_t cut = 0; cut < b.len; cut++) {
		struct sg_pack_doc none = { 0 };

		CHECK(sg_pack_parse(&none, b.data, cut, "test") == -SG_E_CORRUPT);
	}
	sg_pack_release(&d);
	sg_pack_release(&d);
	sg_buf_release(&b);
	sg_buf_release(&again);
}

TEST(pack_integers)
{
	static const int64_t v[] = {
		0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, INT64_MAX, -1, -32, -33, -128,
		-129, -32768, -32769, -2147483648LL, -2147483649LL, INT64_MIN,
	};
	struct sg_pack_doc d = { 0 };
	struct sg_buf b = { 0 };
	struct sg_packw w;
	const struct sg_pack *j;
	size_t k = 0;

	sg_packw_init(&w, &b);
	sg_packw_array(&w, SG_LEN(v));
	for (size_t i = 0; i < SG_LEN(v); i++)
		sg_packw_i64(&w, v[i]);
	PASS(sg_packw_done(&w));
	PASS(sg_pack_parse(&d, b.data, b.len, "test"));
	for (j = sg_pack_root(&d)->child; j; j = j->next, k++)
		CHECK(v[k] < 0 ? j->type == SG_PACK_I64 && j->i == v[k] : j->type == SG_PACK_U64 && j->u == (uint64_t)v[k]);
	CHECK(k == SG_LEN(v));
	sg_pack_release(&d);
	sg_buf_release(&b);
}

TEST(pack_counts)
{
	struct sg_buf b = { 0 };
	struct sg_packw w;

	sg_packw_init(&w, &b);
	CHECK(sg_packw_done(&w) < 0);
	sg_packw_init(&w, &b);
	sg_packw_array(&w, 2);
	sg_packw_nil(&w);
	CHECK(sg_packw_done(&w) < 0);
	sg_packw_init(&w, &b);
	sg_packw_array(&w, 1);
	sg_packw_nil(&w);
	sg_packw_nil(&w);
	CHECK(sg_packw_done(&w) < 0);
	sg_packw_init(&w, &b);
	for (int i = 0; i < SG_PACK_DEPTH; i++)
		sg_packw_array(&w, 1);
	sg_packw_nil(&w);
	PASS(sg_packw_done(&w));
	sg_packw_init(&w, &b);
	for (int i = 0; i < SG_PACK_DEPTH + 1; i++)
		sg_packw_array(&w, 1);
	CHECK(sg_packw_done(&w) < 0);
	sg_buf_release(&b);
}

TEST(pack_hostile)
{
#define CASE(s) { s, sizeof(s) - 1 }
	static const struct { const char *data; size_t n; } bad[] = {
		CASE(""), CASE("\xc1"), CASE("\xdd\xff\xff\xff\xff"), CASE("\xdf\xff\xff\xff\xff"),
		CASE("\xdb\xff\xff\xff\xff"), CASE("\xc6\xff\xff\xff\xff" "a"), CASE("\xdc\x00\x02\xc0"),
		CASE("\x81\xa1"), CASE("\x81\x01\x01"), CASE("\x82\xa1" "a\xc0\xa1" "a\xc0"), CASE("\xc0\xc0"),
		CASE("\xd4\x01\x01"), CASE("\xc7\x01\x01\x01"), CASE("\xcf\x01"), CASE("\xcb\x01"), CASE("\x91"),
		CASE("\x81\xa1" "a"),
	};
	struct sg_pack_doc d = { 0 };
	char deep[40];

	for (size_t i = 0; i < SG_LEN(bad); i++)
		CHECK(sg_pack_parse(&d, bad[i].data, bad[i].n, "test") == -SG_E_CORRUPT);
	memset(deep, '\x91', sizeof(deep));
	deep[SG_PACK_DEPTH] = '\xc0';
	PASS(sg_pack_parse(&d, deep, SG_PACK_DEPTH + 1, "test"));
	sg_pack_release(&d);
	deep[SG_PACK_DEPTH] = '\x91';
	deep[SG_PACK_DEPTH + 1] = '\xc0';
	CHECK(sg_pack_parse(&d, deep, SG_PACK_DEPTH + 2, "test") == -SG_E_CORRUPT);
}
