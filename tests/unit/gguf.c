/* The GGUF reader on files that are made byte by byte, good and bad. */
#include "format/gguf.h"
#include "base/error.h"
#include "tests/test.h"

static void text(struct sg_buf *b, const char *s)
{
	sg_wr_u64(b, strlen(s));
	sg_buf_str(b, s);
}

static void start(struct sg_buf *b, uint32_t version, uint64_t tensors, uint64_t keys)
{
	b->len = 0;
	sg_buf_add(b, "GGUF", 4);
	sg_wr_u32(b, version);
	sg_wr_u64(b, tensors);
	sg_wr_u64(b, keys);
}

static void key_u32(struct sg_buf *b, const char *key, uint32_t v)
{
	text(b, key);
	sg_wr_u32(b, SG_GGUF_U32);
	sg_wr_u32(b, v);
}

static void tensor(struct sg_buf *b, const char *name, uint32_t dims, const uint64_t *ne, uint32_t type, uint64_t at)
{
	text(b, name);
	sg_wr_u32(b, dims);
	for (uint32_t i = 0; i < dims; i++)
		sg_wr_u64(b, ne[i]);
	sg_wr_u32(b, type);
	sg_wr_u64(b, at);
}

/* Padding and n bytes of data. */
static void data(struct sg_buf *b, size_t align, size_t n)
{
	while (b->len % align)
		sg_wr_u8(b, 0);
	for (size_t i = 0; i < n; i++)
		sg_wr_u8(b, (uint8_t)i);
}

/* Parse a copy on the heap of its exact size, so that a read past it is seen. */
static int parse(const struct sg_buf *b, struct sg_gguf *out, unsigned char **keep)
{
	struct sg_gguf g = { 0 };
	unsigned char *copy = malloc(b->len ? b->len : 1);
	int rc;

	if (!copy)
		return -1;
	if (b->len)
		memcpy(copy, b->data, b->len);
	rc = sg_gguf_parse(&g, copy, b->len, "test");
	if (rc >= 0 && out) {
		*out = g;
		*keep = copy;
		return rc;
	}
	sg_gguf_release(&g);
	free(copy);
	return rc;
}

static const uint64_t four[] = { 4 }, wide[] = { 64, 3 };

TEST(gguf_good)
{
	struct sg_buf b = { 0 };
	const struct sg_gguf_kv *kv;
	const struct sg_tensor_info *t;
	struct sg_gguf_text s = { "", 0 };
	unsigned char *keep = NULL;
	struct sg_gguf g;
	size_t n = 7, at = 0;
	double f = 0;
	bool yes = false;

	start(&b, 3, 3, 6);
	key_u32(&b, "a.number", 5);
	text(&b, "a.text"), sg_wr_u32(&b, SG_GGUF_STRING), text(&b, "hello");
	text(&b, "a.list"), sg_wr_u32(&b, SG_GGUF_ARRAY), sg_wr_u32(&b, SG_GGUF_STRING), sg_wr_u64(&b, 2);
	text(&b, "x"), text(&b, "");
	text(&b, "a.float"), sg_wr_u32(&b, SG_GGUF_F32), sg_wr_f32(&b, 0.5f);
	text(&b, "a.truth"), sg_wr_u32(&b, SG_GGUF_BOOL), sg_wr_u8(&b, 1);
	text(&b, "a.less"), sg_wr_u32(&b, SG_GGUF_I8), sg_wr_u8(&b, 0xff);
	tensor(&b, "z", 1, four, 0, 0);
	tensor(&b, "none", 1, (const uint64_t[]){ 0 }, 1, 32);
	tensor(&b, "q", 2, wide, 8, 32);
	data(&b, 32, 32 + 204);
	PASS(parse(&b, &g, &keep));
	CHECK(g.version == 3 && g.n_kv == 6 && g.n == 3);
	t = sg_gguf_tensor(&g, "q");
	CHECK(t && t->dtype == SG_Q8_0 && t->ndim == 2 && t->shape[0] == 3 && t->shape[1] == 64 && t->bytes == 204);
	CHECK(t->data[0] == 32);
	CHECK(sg_gguf_tensor(&g, "none") && !sg_gguf_tensor(&g, "none")->bytes && !sg_gguf_tensor(&g, "p"));
	PASS(sg_gguf_size(&g, "a.number", 1, 9, &n));
	CHECK(n == 5);
	PASS(sg_gguf_size(&g, "a.lost", 1, 9, &n));
	CHECK(n == 5);
	FAILS(CORRUPT, sg_gguf_size(&g, "a.number", 6, 9, &n));
	FAILS(CORRUPT, sg_gguf_size(&g, "a.text", 0, 9, &n));
	FAILS(CORRUPT, sg_gguf_size(&g, "a.less", 0, SIZE_MAX, &n));
	PASS(sg_gguf_f64(&g, "a.float", &f));
	PASS(sg_gguf_bool(&g, "a.truth", &yes));
	PASS(sg_gguf_str(&g, "a.text", &s));
	CHECK(f == 0.5 && yes && sg_gguf_is(s, "hello"));
	FAILS(CORRUPT, sg_gguf_f64(&g, "a.truth", &f));
	FAILS(CORRUPT, sg_gguf_bool(&g, "a.list", &yes));
	FAILS(CORRUPT, sg_gguf_str(&g, "a.list", &s));
	FAILS(CORRUPT, sg_gguf_array(&g, "a.list", SG_GGUF_F32, &kv));
	PASS(sg_gguf_array(&g, "a.list", SG_GGUF_STRING, &kv));
	CHECK(kv->n == 2 && sg_gguf_is(sg_gguf_next(kv, &at), "x") && sg_gguf_next(kv, &at).n == 0 && at == kv->bytes);
	sg_gguf_release(&g);
	free(keep);
	/* every cut of it is refused; padding behind the last tensor may be there */
	for (size_t k = 0; k < b.len; k++) {
		struct sg_buf cut = { .data = b.data, .len = k };

		CHECK(parse(&cut, NULL, NULL) == -SG_E_CORRUPT);
	}
	data(&b, 32, 0);
	PASS(parse(&b, NULL, NULL));
	sg_wr_u8(&b, 0);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	sg_buf_release(&b);
}

TEST(gguf_versions)
{
	struct sg_buf b = { 0 };
	static const struct { uint32_t version; int rc; } v[] = {
		{ 0, -SG_E_UNSUPPORTED }, { 1, -SG_E_UNSUPPORTED }, { 2, 0 }, { 3, 0 }, { 4, -SG_E_UNSUPPORTED },
		{ 3u << 24, -SG_E_UNSUPPORTED },
	};

	for (size_t i = 0; i < SG_LEN(v); i++) {
		start(&b, v[i].version, 0, 0);
		CHECK(parse(&b, NULL, NULL) == v[i].rc);
		if (v[i].version == 1)
			CHECK(strstr(sg_error_message(), "version 1"));
		if (v[i].version == 3u << 24)
			CHECK(strstr(sg_error_message(), "big-endian"));
	}
	start(&b, 3, 0, 0);
	b.data[0] = 'g';
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	sg_buf_release(&b);
}

/* The key of a file with one, from its type word on. */
static int one_key(const char *key, const void *rest, size_t n)
{
	struct sg_buf b = { 0 };
	int rc;

	start(&b, 3, 0, 1);
	text(&b, key);
	sg_buf_add(&b, rest, n);
	rc = parse(&b, NULL, NULL);
	sg_buf_release(&b);
	return rc;
}

#define W(x) (x), 0, 0, 0
#define D(x) (x), 0, 0, 0, 0, 0, 0, 0
#define HUGE_ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define KEY(key, ...) one_key(key, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

TEST(gguf_bad_keys)
{
	struct sg_buf b = { 0 };
	char odd[] = "a\x01", high[] = "a\xc3\xa9";

	CHECK(KEY("a", W(4), W(1)) == 0);
	CHECK(KEY("a", W(13), W(1)) == -SG_E_CORRUPT);			/* type */
	CHECK(KEY("a", HUGE_) == -SG_E_CORRUPT);
	CHECK(KEY("", W(4), W(1)) == -SG_E_CORRUPT);
	CHECK(KEY(odd, W(4), W(1)) == -SG_E_CORRUPT);
	CHECK(KEY(high, W(4), W(1)) == -SG_E_CORRUPT);
	CHECK(KEY("a", W(7), 1) == 0);
	CHECK(KEY("a", W(7), 2) == -SG_E_CORRUPT);			/* no truth */
	CHECK(KEY("a", W(9), W(7), D(2), 1, 3) == -SG_E_CORRUPT);
	CHECK(KEY("a", W(8), D(2), 'x') == -SG_E_CORRUPT);		/* string past the end */
	CHECK(KEY("a", W(8), HUGE_, 'x') == -SG_E_CORRUPT);
	CHECK(KEY("a", W(9), W(4), D(0)) == 0);
	CHECK(KEY("a", W(9), W(4), D(2), W(1)) == -SG_E_CORRUPT);	/* array past the end */
	CHECK(KEY("a", W(9), W(0), HUGE_, 1) == -SG_E_CORRUPT);
	CHECK(KEY("a", W(9), W(8), D(2), D(1), 'x') == -SG_E_CORRUPT);
	CHECK(KEY("a", W(9), W(8), HUGE_) == -SG_E_CORRUPT);
	CHECK(KEY("a", W(9), W(9), D(1), W(4), D(1), W(1)) == -SG_E_CORRUPT);	/* array of arrays */
	CHECK(KEY("a", W(9), W(77), D(0)) == -SG_E_CORRUPT);
	CHECK(KEY("general.alignment", W(4), W(64)) == 0);
	CHECK(KEY("general.alignment", W(4), W(13)) == -SG_E_CORRUPT);
	CHECK(KEY("general.alignment", W(4), W(0)) == -SG_E_CORRUPT);
	CHECK(KEY("general.alignment", W(4), W(4)) == -SG_E_CORRUPT);
	CHECK(KEY("general.alignment", W(10), D(32)) == -SG_E_CORRUPT);
	CHECK(KEY("general.alignment", W(9), W(4), D(1), W(32)) == -SG_E_CORRUPT);
	/* a name longer than the file, then counts that it cannot hold */
	start(&b, 3, 0, 1), sg_wr_u64(&b, UINT64_MAX), sg_wr_u64(&b, 0), sg_wr_u64(&b, 0);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	start(&b, 3, UINT64_MAX, 0);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	start(&b, 3, 0, UINT64_MAX);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	start(&b, 3, 1ull << 40, 1ull << 40);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	start(&b, 3, 0, 2), key_u32(&b, "a", 1), key_u32(&b, "a", 1);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	CHECK(strstr(sg_error_message(), "twice"));
	sg_buf_release(&b);
}

TEST(gguf_bad_tensors)
{
	static const uint64_t zero[] = { 0, 5 }, huge[] = { 1ull << 32, 1ull << 32 }, edge[] = { 1ull << 62, 1, 1, 2 };
	static const uint64_t minus[] = { UINT64_MAX }, odd[] = { 33 }, most[] = { INT64_MAX }, hides[] = { 1ull << 62, 4, 0 };
	static const struct {
		const char *name;
		uint32_t dims;
		const uint64_t *ne;
		uint32_t type;
		uint64_t at;
		size_t n;
		int rc;
	} t[] = {
		{ "a", 1, four, 0, 0, 16, 0 },
		{ "a", 0, four, 0, 0, 4, 0 },
		{ "a", 2, zero, 0, 0, 0, 0 },
		{ "a", 1, four, 10000, 0, 16, -SG_E_CORRUPT },
		{ "a", 1, four, 4, 0, 16, -SG_E_CORRUPT },		/* a type that was withdrawn */
		{ "a", 1, four, 0, 0, 15, -SG_E_CORRUPT },		/* truncated */
		{ "a", 1, four, 0, 0, 64, -SG_E_CORRUPT },		/* a tail */
		{ "a", 1, four, 0, 32, 48, -SG_E_CORRUPT },		/* a hole */
		{ "a", 1, four, 0, 1, 48, -SG_E_CORRUPT },
		{ "a", 1, four, 0, UINT64_MAX - 31, 48, -SG_E_CORRUPT },
		{ "a", 5, edge, 0, 0, 48, -SG_E_CORRUPT },
		{ "a", UINT32_MAX, edge, 0, 0, 48, -SG_E_CORRUPT },
		{ "a", 1, minus, 0, 0, 48, -SG_E_CORRUPT },
		{ "a", 2, huge, 0, 0, 48, -SG_E_CORRUPT },
		{ "a", 4, edge, 24, 0, 48, -SG_E_CORRUPT },
		{ "a", 1, most, 0, 0, 48, -SG_E_CORRUPT },
		{ "a", 1, most, 24, 0, 48, -SG_E_CORRUPT },
		{ "a", 3, hides, 0, 0, 48, -SG_E_CORRUPT },		/* a zero does not excuse an overflow */
		{ "a", 1, odd, 2, 0, 48, -SG_E_CORRUPT },		/* ends within a block */
		{ "", 1, four, 0, 0, 16, -SG_E_CORRUPT },
		{ "a b", 1, four, 0, 0, 16, -SG_E_CORRUPT },
		{ "123456789012345678901234567890123456789012345678901234567890123", 1, four, 0, 0, 16, 0 },
		{ "1234567890123456789012345678901234567890123456789012345678901234", 1, four, 0, 0, 16, -SG_E_CORRUPT },
	};
	struct sg_buf b = { 0 };

	for (size_t i = 0; i < SG_LEN(t); i++) {
		start(&b, 3, 1, 0);
		tensor(&b, t[i].name, SG_MIN(t[i].dims, 4), t[i].ne, t[i].type, t[i].at);
		if (t[i].dims > 4)
			memcpy(b.data + 24 + 8 + strlen(t[i].name), &t[i].dims, 4);
		data(&b, 32, t[i].n);
		if (parse(&b, NULL, NULL) != t[i].rc)
			sg_test_fail(__FILE__, __LINE__, "case %zu: %s", i, sg_error_message());
	}
	sg_buf_release(&b);
}

TEST(gguf_two_tensors)
{
	static const uint64_t most[] = { INT64_MAX - 31 };
	struct sg_buf b = { 0 };

	start(&b, 3, 2, 0), tensor(&b, "a", 1, four, 0, 0), tensor(&b, "a", 1, four, 0, 32), data(&b, 32, 48);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	CHECK(strstr(sg_error_message(), "twice"));
	start(&b, 3, 2, 0), tensor(&b, "a", 1, four, 0, 0), tensor(&b, "b", 1, four, 0, 0), data(&b, 32, 48);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	CHECK(strstr(sg_error_message(), "overlaps"));
	start(&b, 3, 2, 0), tensor(&b, "a", 1, four, 0, 0), tensor(&b, "b", 1, four, 0, 16), data(&b, 32, 48);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	/* each fits alone, the two together do not */
	start(&b, 3, 2, 0), tensor(&b, "a", 1, most, 24, 0), tensor(&b, "b", 1, most, 24, INT64_MAX - 31);
	data(&b, 32, 48);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	/* another alignment moves both */
	start(&b, 3, 2, 1), key_u32(&b, "general.alignment", 8);
	tensor(&b, "a", 1, four, 1, 0), tensor(&b, "b", 1, four, 1, 8), data(&b, 8, 16);
	PASS(parse(&b, NULL, NULL));
	start(&b, 3, 2, 1), key_u32(&b, "general.alignment", 64);
	tensor(&b, "a", 1, four, 1, 0), tensor(&b, "b", 1, four, 1, 32), data(&b, 64, 48);
	FAILS(CORRUPT, parse(&b, NULL, NULL));
	sg_buf_release(&b);
}
