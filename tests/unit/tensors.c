#include "format/tensors.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "format/rd.h"
#include "format/shards.h"
#include "tests/test.h"
#include <unistd.h>

/* Parse a file made of this header and n bytes of data; the file is on the heap
 * at its exact size, so that a read past it is seen. */
static int try(const char *header, size_t n, struct sg_tensors *out, unsigned char **keep)
{
	struct sg_buf b = { 0 };
	struct sg_tensors t = { 0 };
	unsigned char *file;
	size_t len;
	int rc = sg_wr_u64(&b, strlen(header));

	if (rc >= 0)
		rc = sg_buf_str(&b, header);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = sg_wr_u8(&b, (uint8_t)i);
	len = b.len;
	file = malloc(len ? len : 1);
	if (!file || rc < 0)
		return -1;
	memcpy(file, b.data, len);
	sg_buf_release(&b);
	rc = sg_tensors_parse(&t, file, len, "test");
	if (rc >= 0 && out) {
		*out = t;
		*keep = file;
		return rc;
	}
	sg_tensors_release(&t);
	free(file);
	return rc;
}

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

TEST(tensors_good)
{
	CHECK(try("{}", 0, NULL, NULL) == 0);
	CHECK(try(" \n{}  \t ", 0, NULL, NULL) == 0);
	CHECK(try("{\"a\":" T("F32", "[2,3]", "[0,24]") "}", 24, NULL, NULL) == 0);
	CHECK(try("{\"s\":" T("F64", "[]", "[0,8]") "}", 8, NULL, NULL) == 0);
	CHECK(try("{\"a\":" T("F4", "[4]", "[0,2]") ",\"b\":" T("F6_E2M3", "[4]", "[2,5]") "}", 5, NULL, NULL) == 0);
	/* empty tensors share an offset, at the ends and in the middle */
	CHECK(try("{\"z\":" T("F32", "[0,5]", "[0,0]") ",\"a\":" T("U8", "[3]", "[0,3]") ",\"y\":"
		  T("I64", "[0]", "[3,3]") ",\"b\":" T("U8", "[1]", "[3,4]") ",\"x\":" T("I8", "[0]", "[4,4]") "}",
		  4, NULL, NULL) == 0);
	CHECK(try("{\"__metadata__\":{\"format\":\"pt\"},\"a\":" T("BOOL", "[1]", "[0,1]") "}", 1, NULL, NULL) == 0);
}

TEST(tensors_bad)
{
	static const struct { const char *header; size_t n; } bad[] = {
		{ "", 0 }, { "{", 0 }, { "[]", 0 }, { "\xff", 0 }, { "null", 0 },
		{ "{\"a\":" T("F32", "[2]", "[0,8]") "}", 7 },			/* truncated */
		{ "{\"a\":" T("F32", "[2]", "[0,8]") "}", 9 },			/* tail: a polyglot */
		{ "{\"a\":" T("F32", "[2]", "[4,12]") "}", 12 },		/* hole at the start */
		{ "{\"a\":" T("U8", "[1]", "[0,1]") ",\"b\":" T("U8", "[1]", "[2,3]") "}", 3 },
		{ "{\"a\":" T("U8", "[2]", "[0,2]") ",\"b\":" T("U8", "[2]", "[1,3]") "}", 3 },
		{ "{\"a\":" T("U8", "[2]", "[0,2]") ",\"b\":" T("U8", "[2]", "[0,2]") "}", 2 },
		{ "{\"a\":" T("F32", "[3]", "[0,8]") "}", 8 },			/* shape and offsets differ */
		{ "{\"a\":" T("F32", "[2]", "[8,0]") "}", 8 },
		{ "{\"a\":" T("F32", "[2,18446744073709551614]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[2,9223372036854775807]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[18446744073709551616]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[-2]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[2.0]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[2e0]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[\"2\"]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32", "2", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F4", "[3]", "[0,1]") "}", 1 },			/* ends within a byte */
		{ "{\"a\":" T("F4", "[9223372036854775808]", "[0,1]") "}", 1 },
		{ "{\"a\":" T("F32", "[2]", "[0,8,8]") "}", 8 },
		{ "{\"a\":" T("F32", "[2]", "[0]") "}", 8 },
		{ "{\"a\":" T("F32", "[2]", "[0,18446744073709551615]") "}", 8 },
		{ "{\"a\":" T("F32", "[2]", "[18446744073709551608,18446744073709551615]") "}", 8 },
		{ "{\"a\":" T("F99", "[2]", "[0,8]") "}", 8 },
		{ "{\"a\":" T("F32\\u0000", "[2]", "[0,8]") "}", 8 },
		{ "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8 },
		{ "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8 },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8 },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}", 8 },
		{ "{\"a\":7}", 0 },
		{ "{\"\":" T("U8", "[1]", "[0,1]") "}", 1 },
		{ "{\"a\":" T("U8", "[1]", "[0,1]") ",\"a\":" T("U8", "[1]", "[1,2]") "}", 2 },
		{ "{\"a\":" T("U8", "[1]", "[0,1]") ",\"a\\u0000b\":" T("U8", "[1]", "[1,2]") "}", 2 },
		{ "{\"__metadata__\":7}", 0 }, { "{\"__metadata__\":{\"a\":1}}", 0 },
		{ "{\"__metadata__\":{},\"__metadata__\":{}}", 0 }, { "{} x", 0 },
	};

	for (size_t i = 0; i < SG_LEN(bad); i++)
		CHECK(try(bad[i].header, bad[i].n, NULL, NULL) == -SG_E_CORRUPT);
}

TEST(tensors_bad_length)
{
	struct sg_tensors t = { 0 };
	unsigned char huge[16] = { 0x42, 0, 0, 0, 0, 0xff, 0xff, 0xff, '{', '}' };
	unsigned char past[10] = { 3, 0, 0, 0, 0, 0, 0, 0, '{', '}' };
	unsigned char none[8] = { 0 };

	CHECK(sg_tensors_parse(&t, none, 0, "test") == -SG_E_CORRUPT);
	CHECK(sg_tensors_parse(&t, none, 7, "test") == -SG_E_CORRUPT);
	CHECK(sg_tensors_parse(&t, none, 8, "test") == -SG_E_CORRUPT);
	CHECK(sg_tensors_parse(&t, huge, 16, "test") == -SG_E_CORRUPT);
	CHECK(sg_tensors_parse(&t, past, 10, "test") == -SG_E_CORRUPT);
	past[0] = 2;
	PASS(sg_tensors_parse(&t, past, 10, "test"));
	CHECK(t.n == 0);
	sg_tensors_release(&t);
}

/* Many claims on one range cost no more than their header. */
TEST(tensors_overlap_many)
{
	struct sg_buf b = { 0 };
	int rc = sg_buf_str(&b, "{");

	for (int i = 0; rc >= 0 && i < 20000; i++)
		rc = sg_buf_fmt(&b, "%s\"t%d\":" T("U8", "[1]", "[0,1]"), i ? "," : "", i);
	PASS(rc);
	PASS(sg_buf_str(&b, "}"));
	CHECK(try(b.data, 1, NULL, NULL) == -SG_E_CORRUPT);
	sg_buf_release(&b);
}

TEST(tensors_access)
{
	const struct sg_tensor_info *i;
	struct sg_tensors t = { 0 };
	unsigned char *file = NULL;
	const char *format = NULL;

	PASS(try("{\"__metadata__\":{\"format\":\"pt\"},\"b\":" T("F8_E4M3", "[2]", "[0,2]") ",\"a\":"
		 T("BF16", "[1,2]", "[2,6]") "}", 6, &t, &file));
	CHECK(t.n == 2 && !strcmp(t.t[0].name, "a") && !strcmp(t.t[1].name, "b"));
	PASS(sg_json_str(t.meta, "format", &format));
	CHECK(!strcmp(format, "pt"));
	PASS(sg_tensors_find(&i, &t, "a"));
	CHECK(i->dtype == SG_BF16 && i->ndim == 2 && i->shape[1] == 2 && i->bytes == 4 && i->data[0] == 2);
	CHECK(sg_tensors_get(&t, "b") && sg_tensors_get(&t, "b")->dtype == SG_DTYPE_COUNT);
	CHECK(sg_tensors_find(&i, &t, "b") == -SG_E_UNSUPPORTED);
	CHECK(strstr(sg_error_message(), "'b'") && strstr(sg_error_message(), "F8_E4M3"));
	CHECK(sg_tensors_find(&i, &t, "c") == -SG_E_NOTFOUND);
	sg_tensors_release(&t);
	free(file);
}

/* ---- writing and folders: each test in a folder of its own ---- */

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[2][160];
	static unsigned turn;

	snprintf(path[turn ^= 1], sizeof(path[0]), "%s/%s", folder, name);
	return path[turn];
}

static bool make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/sg-tensors-XXXXXX");
	return mkdtemp(folder) != NULL;
}

static int write_one(const char *name, const struct sg_tensor_put *t, size_t n,
		     const struct sg_tensor_meta *meta, size_t n_meta)
{
	struct sg_out o;
	int rc;

	SG_TRY(sg_out_open(&o, in_folder(name)));
	rc = sg_tensors_write(&o, t, n, meta, n_meta);
	if (rc >= 0)
		rc = sg_out_commit(&o);
	sg_out_release(&o);
	return rc;
}

static int write_text(const char *name, const char *text)
{
	return sg_file_write(in_folder(name), text, strlen(text));
}

static const float floats[6] = { 1, 2, 3, 4, 5, 6 };
static const uint16_t halves[3] = { 0x3c00, 0x4000, 0x4200 };

TEST(tensors_write)
{
	const struct sg_tensor_put t[] = {
		{ "z", SG_F16, 1, { 3 }, halves }, { "y", SG_F32, 2, { 2, 3 }, floats },
		{ "x", SG_F32, 0, { 0 }, floats + 2 }, { "e", SG_BOOL, 1, { 0 }, NULL },
	};
	const struct sg_tensor_put turned[] = { t[3], t[2], t[1], t[0] };
	const struct sg_tensor_meta meta[] = { { "z", "1" }, { "format", "pt" } };
	const struct sg_tensor_meta turned_meta[] = { meta[1], meta[0] };
	static const char header[] = "{\"__metadata__\":{\"format\":\"pt\",\"z\":\"1\"},"
		"\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
		"\"y\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]},"
		"\"z\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[28,34]},"
		"\"e\":{\"dtype\":\"BOOL\",\"shape\":[0],\"data_offsets\":[34,34]}}";
	struct sg_buf a = { 0 }, b = { 0 };
	struct sg_tensors r = { 0 };
	const struct sg_tensor_put twice[] = { t[0], { "z", SG_F32, 0, { 0 }, floats } };

	CHECK(make_folder());
	PASS(write_one("a", t, 4, meta, 2));
	PASS(write_one("b", turned, 4, turned_meta, 2));
	PASS(sg_file_read(&a, in_folder("a"), 4096));
	PASS(sg_file_read(&b, in_folder("b"), 4096));
	CHECK(a.len == b.len && !memcmp(a.data, b.data, a.len));
	CHECK(!memcmp(a.data + 8, header, strlen(header)));
	CHECK((a.len - 34) % 8 == 0 && a.len - 34 - 8 - strlen(header) < 8);
	PASS(sg_tensors_parse(&r, (unsigned char *)a.data, a.len, "a"));
	CHECK(r.n == 4 && !memcmp(sg_tensors_get(&r, "y")->data, floats, 24));
	sg_tensors_release(&r);
	CHECK(write_one("c", twice, 2, NULL, 0) < 0 && !sg_file_exists(in_folder("c")));
	PASS(write_one("empty", NULL, 0, NULL, 0));
	PASS(sg_file_read(&a, in_folder("empty"), 4096));
	CHECK(a.len == 16 && !memcmp(a.data + 8, "{}      ", 8));
	sg_buf_release(&a);
	sg_buf_release(&b);
	PASS(sg_dir_remove(folder));
}

/* The file that safetensors 0.8 for python writes for these tensors. */
TEST(tensors_golden)
{
	const struct sg_tensor_put t[] = {
		{ "z", SG_F16, 1, { 3 }, halves }, { "y", SG_F32, 2, { 2, 3 }, floats },
		{ "x", SG_F32, 0, { 0 }, floats + 2 }, { "e", SG_BOOL, 1, { 0 }, NULL },
	};
	const struct sg_tensor_meta meta = { "format", "pt" };
	struct sg_buf b = { 0 };
	char hex[SG_SHA256_HEX];

	CHECK(make_folder());
	PASS(write_one("golden", t, 4, &meta, 1));
	PASS(sg_file_read(&b, in_folder("golden"), 4096));
	PASS(sg_sha256_hex(hex, b.data, b.len));
	CHECK(!strcmp(hex, "378e215a2a9d5db4c874e1421c2097cef9d42651e905626f94afa0519c4e85c1"));
	sg_buf_release(&b);
	PASS(sg_dir_remove(folder));
}

static int next_tensor(void *arg, size_t i, const void **data)
{
	static float f[2];

	++*(int *)arg;
	f[0] = (float)i;
	f[1] = -(float)i;
	*data = f;
	return 0;
}

TEST(shards_write_and_open)
{
	struct sg_tensor_put t[] = {
		{ "c", SG_F32, 1, { 2 }, NULL }, { "a", SG_F32, 1, { 2 }, NULL }, { "b", SG_F32, 1, { 2 }, NULL },
	};
	int calls = 0;
	struct sg_tensor_source src = { next_tensor, &calls };
	const struct sg_tensor_info *i;
	struct sg_shards s = { 0 };
	float f[2];

	CHECK(make_folder());
	PASS(sg_shards_write(folder, t, 3, 16, &src));
	CHECK(calls == 3 && sg_file_exists(in_folder("model-00002-of-00002.safetensors")));
	PASS(sg_shards_open(&s, folder));
	CHECK(s.n_shards == 2 && s.n == 3 && !strcmp(s.t[0]->name, "a") && !s.size_differs);
	PASS(sg_shards_find(&i, &s, "b"));
	memcpy(f, i->data, sizeof(f));
	CHECK(f[0] == 2 && f[1] == -2);
	CHECK(sg_shards_find(&i, &s, "d") == -SG_E_NOTFOUND);
	sg_shards_release(&s);

	/* one file wins over the index, and a file may be named itself */
	PASS(sg_shards_write(folder, t, 1, 0, &src));
	PASS(sg_shards_open(&s, folder));
	CHECK(s.n == 1);
	sg_shards_release(&s);
	PASS(sg_shards_open(&s, in_folder("model-00001-of-00002.safetensors")));
	CHECK(s.n == 2 && sg_shards_get(&s, "a") && !sg_shards_get(&s, "b"));
	sg_shards_release(&s);
	PASS(sg_dir_remove(folder));
}

TEST(shards_traps)
{
	static const struct { const char *map; int rc; } traps[] = {
		{ "{\"weight_map\":{\"a\":\"one\",\"b\":\"two\"}}", 0 },
		{ "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"a\":\"one\",\"b\":\"two\"}}", 0 },
		{ "{\"weight_map\":{\"a\":\"one\"}}", 0 },			/* two is not named at all */
		{ "{\"weight_map\":{\"a\":\"two\",\"b\":\"one\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"one\",\"b\":\"two\",\"c\":\"two\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"one\",\"b\":\"both\"}}", -SG_E_CORRUPT },	/* a twice */
		{ "{\"weight_map\":{\"b\":\"both\"}}", -SG_E_CORRUPT },			/* a not in the map */
		{ "{\"weight_map\":{\"a\":\"one\",\"b\":\"./two\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"../one\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"one\\u0000\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"\"}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":{\"file\":\"one\"}}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{}}", -SG_E_CORRUPT },
		{ "{\"weight_map\":[]}", -SG_E_CORRUPT },
		{ "{}", -SG_E_CORRUPT },
		{ "{\"weight_map\":{\"a\":\"missing\"}}", -SG_E_NOTFOUND },
	};
	const struct sg_tensor_put a = { "a", SG_F32, 1, { 6 }, floats }, b = { "b", SG_F32, 1, { 3 }, floats };
	const struct sg_tensor_put both[] = { a, b };
	struct sg_shards s = { 0 };

	CHECK(make_folder());
	CHECK(sg_shards_open(&s, folder) == -SG_E_NOTFOUND);
	PASS(write_text("pytorch_model.bin", "x"));
	CHECK(sg_shards_open(&s, folder) == -SG_E_UNSUPPORTED && strstr(sg_error_message(), "save_pretrained"));
	PASS(write_one("one", &a, 1, NULL, 0));
	PASS(write_one("two", &b, 1, NULL, 0));
	PASS(write_one("both", both, 2, NULL, 0));
	for (size_t i = 0; i < SG_LEN(traps); i++) {
		PASS(write_text("model.safetensors.index.json", traps[i].map));
		CHECK(sg_shards_open(&s, folder) == traps[i].rc);
		if (!traps[i].rc)
			CHECK(s.size_differs == (i == 1));
		sg_shards_release(&s);
	}
	CHECK(sg_shards_open(&s, in_folder("nothing")) == -SG_E_NOTFOUND);
	PASS(sg_dir_remove(folder));
}
