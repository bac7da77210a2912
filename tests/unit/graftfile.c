#include "format/graftfile.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "format/chunk.h"
#include "tests/test.h"
#include <unistd.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_0 "0000000000000000000000000000000000000000000000000000000000000000"

/* SHA-256 of the floats 1, 2 */
#define TENSOR "{\"dtype\":\"F32\",\"name\":\"layers.0.A\",\"sha256\":" \
	"\"b9c80b5adeca450753a16950c3cc655d271f7bef7a485bc83f112b72fef21d37\",\"shape\":[1,2]}"
#define CANON "{\"after\":[],\"base\":\"" ID_0 "\",\"hyper\":{\"alpha\":\"0.5\",\"r\":16},\"kind\":\"lora\"," \
	"\"replaces\":[],\"requires\":[\"" ID_A "\",\"" ID_B "\"],\"sites\":[\"layers.3.mlp.up\",\"head\"]," \
	"\"tensors\":[" TENSOR "],\"version\":\"sg-graft-1\"}"

static int build(struct sg_graftfile *g)
{
	static const float data[2] = { 1, 2 };
	static const size_t shape[2] = { 1, 2 };

	memcpy(g->base, ID_0, sizeof(g->base));
	SG_TRY(sg_graftfile_set_kind(g, "lora"));
	SG_TRY(sg_names_add(&g->requires, ID_B));
	SG_TRY(sg_names_add(&g->requires, ID_A));
	SG_TRY(sg_names_add(&g->sites, "layers.3.mlp.up"));
	SG_TRY(sg_names_add(&g->sites, "head"));
	SG_TRY(sg_graftfile_set_str(g, "r", "to be replaced"));
	SG_TRY(sg_graftfile_set_i64(g, "r", 16));
	SG_TRY(sg_graftfile_set_f64(g, "alpha", 0.5));
	return sg_graftfile_add_tensor(g, "layers.0.A", SG_F32, 2, shape, data);
}

TEST(graftfile_canonical)
{
	struct sg_graftfile g = { 0 }, r = { 0 };
	struct sg_buf b = { 0 };
	char id[SG_SHA256_HEX], want[SG_SHA256_HEX];
	const char *s = NULL;
	int64_t i = 0;
	double f = 0;

	PASS(build(&g));
	PASS(sg_graftfile_write(&b, &g));
	CHECK(!strcmp(b.data, CANON));
	PASS(sg_graftfile_id(id, &g));
	PASS(sg_sha256_hex(want, CANON, strlen(CANON)));
	CHECK(!strcmp(id, want));

	PASS(sg_graftfile_parse(&r, b.data, b.len, "test"));
	CHECK(!strcmp(r.kind, "lora") && r.sites.n == 2 && !strcmp(r.sites.name[1], "head"));
	CHECK(r.n_tensors == 1 && r.tensor[0].bytes == 8 && r.tensor[0].dtype == SG_F32);
	CHECK(sg_graftfile_tensor(&r, "layers.0.A") && !sg_graftfile_tensor(&r, "B"));
	PASS(sg_graftfile_i64(&r, "r", 1, 64, &i));
	CHECK(i == 16);
	CHECK(sg_graftfile_i64(&r, "r", 1, 8, &i) == -SG_E_CORRUPT);
	PASS(sg_graftfile_f64(&r, "alpha", &f));
	CHECK(f == 0.5);
	PASS(sg_graftfile_f64(&r, "r", &f));
	CHECK(f == 16);
	PASS(sg_graftfile_str(&r, "alpha", &s));
	CHECK(!strcmp(s, "0.5"));
	CHECK(sg_graftfile_str(&r, "r", &s) == -SG_E_CORRUPT);
	PASS(sg_graftfile_str(&r, "none", &s));
	PASS(sg_graftfile_id(id, &r));
	CHECK(!strcmp(id, want));
	sg_graftfile_release(&g);
	sg_graftfile_release(&r);
	sg_graftfile_release(&r);
	sg_buf_release(&b);
}

TEST(graftfile_names)
{
	char longest[SG_GRAFTFILE_NAME + 2];

	CHECK(sg_graftfile_name_ok("layers.3.mlp.up") && sg_graftfile_name_ok("_a-1") && sg_graftfile_name_ok("0"));
	CHECK(!sg_graftfile_name_ok("") && !sg_graftfile_name_ok("a/b") && !sg_graftfile_name_ok("a..b"));
	CHECK(!sg_graftfile_name_ok(".git") && !sg_graftfile_name_ok("-x") && !sg_graftfile_name_ok("a b"));
	CHECK(!sg_graftfile_name_ok("a\n") && !sg_graftfile_name_ok("\xc3\xa9"));
	memset(longest, 'a', sizeof(longest));
	longest[SG_GRAFTFILE_NAME] = '\0';
	CHECK(sg_graftfile_name_ok(longest));
	longest[SG_GRAFTFILE_NAME] = 'a';
	longest[SG_GRAFTFILE_NAME + 1] = '\0';
	CHECK(!sg_graftfile_name_ok(longest));
}

/* Each case is the canonical text with one piece exchanged. */
TEST(graftfile_refused)
{
	static const struct { const char *from, *to; } cases[] = {
		{ "{\"after\"", " {\"after\"" }, { "sg-graft-1\"}", "sg-graft-1\"}\n" }, { "\"r\":16", "\"r\": 16" },
		{ "\"r\":16", "\"r\":16.0" }, { "\"r\":16", "\"r\":016" }, { "\"r\":16", "\"r\":1e1" },
		{ "\"r\":16", "\"r\":-0" }, { "\"r\":16", "\"r\":true" }, { "\"r\":16", "\"r\":null" },
		{ "\"r\":16", "\"r\":9223372036854775808" }, { "\"r\":16", "\"alpha\":16" },
		{ "\"r\":16", "\"Z\":16" }, { "\"r\":16", "\"r/\":16" }, { "\"0.5\"", "\"0\\u002e5\"" },
		{ "\"0.5\"", "\"a\\u0000\"" }, { "\"after\":[],", "" }, { "\"after\"", "\"afteR\"" },
		{ "\"kind\":\"lora\"", "\"kind\":\"lo ra\"" }, { "\"kind\":\"lora\"", "\"kind\":\"\"" },
		{ "\"kind\":\"lora\"", "\"kind\":7" }, { "\"kind\":", "\"extra\":1,\"kind\":" },
		{ "\"" ID_A "\",\"" ID_B "\"", "\"" ID_B "\",\"" ID_A "\"" },
		{ "\"" ID_A "\",\"" ID_B "\"", "\"" ID_A "\",\"" ID_A "\"" }, { ID_A, "AAAA" },
		{ "\"base\":\"0", "\"base\":\"" }, { "\"base\":\"0", "\"base\":\"A" }, { "\"head\"", "\"..\"" },
		{ "\"head\"", "1" }, { "[1,2]", "[]" }, { "[1,2]", "[1,0]" }, { "[1,2]", "[-1,2]" },
		{ "[1,2]", "[1,1,1,1,1,1,1,1,1]" }, { "[1,2]", "[4294967296,4294967296]" },
		{ "[1,2]", "[4611686018427387904,1]" }, { "\"F32\"", "\"F33\"" }, { "\"F32\"", "\"F8_E4M3\"" },
		{ "\"b9c80b", "\"b9c80B" }, { TENSOR, TENSOR "," TENSOR }, { TENSOR, "7" },
		{ "layers.0.A", "../../x" }, { "layers.0.A", ".git" },
	};
	struct sg_graftfile g = { 0 };
	struct sg_buf b = { 0 };

	for (size_t i = 0; i < SG_LEN(cases); i++) {
		const char *at = strstr(CANON, cases[i].from);

		CHECK(at);
		sg_buf_clear(&b);
		PASS(sg_buf_add(&b, CANON, (size_t)(at - CANON)));
		PASS(sg_buf_str(&b, cases[i].to));
		PASS(sg_buf_str(&b, at + strlen(cases[i].from)));
		CHECK(sg_graftfile_parse(&g, b.data, b.len, "test") == -SG_E_CORRUPT);
	}
	sg_buf_clear(&b);
	PASS(sg_buf_str(&b, CANON));
	memcpy(strstr(b.data, "sg-graft-1"), "sg-graft-2", 10);
	CHECK(sg_graftfile_parse(&g, b.data, b.len, "test") == -SG_E_UNSUPPORTED);
	CHECK(sg_graftfile_parse(&g, "[]", 2, "test") == -SG_E_CORRUPT);
	sg_buf_release(&b);
}

TEST(graftfile_write_refuses)
{
	struct sg_graftfile g = { 0 };
	struct sg_buf b = { 0 };
	const size_t none[1] = { 0 };

	CHECK(sg_graftfile_write(&b, &g) < 0);
	PASS(build(&g));
	CHECK(sg_graftfile_add_tensor(&g, "empty", SG_F32, 1, none, "") < 0 && g.n_tensors == 1);
	CHECK(sg_graftfile_set_f64(&g, "x", 1e308 * 10) < 0);
	PASS(sg_names_add(&g.requires, ID_A));
	CHECK(sg_graftfile_write(&b, &g) < 0 && !b.len);
	sg_graftfile_release(&g);
	sg_buf_release(&b);
}

/* ---- the second reader, tests/readers/graft.py ---- */

static int put_chunks(const char *folder, const unsigned char *data, size_t n, unsigned width)
{
	size_t size = sg_chunk_size(n);
	struct sg_buf b = { 0 };
	char path[300];
	int rc = sg_dir_make(folder);

	for (size_t at = 0; rc >= 0 && at < n; at += size) {
		sg_buf_clear(&b);
		rc = sg_chunk_encode(&b, data + at, SG_MIN(size, n - at), width, 1);
		snprintf(path, sizeof(path), "%s/%04zu", folder, at / size);
		if (rc >= 0)
			rc = sg_file_write(path, b.data, b.len);
	}
	sg_buf_release(&b);
	return rc;
}

/* Three tensors, so that every codec is used. */
static int put_graft(const char *folder, struct sg_graftfile *g, unsigned char *data, size_t n)
{
	struct sg_buf b = { 0 };
	char path[200];
	int rc = 0;

	memcpy(g->base, ID_0, sizeof(g->base));
	SG_TRY(sg_graftfile_set_kind(g, "phi"));
	SG_TRY(sg_graftfile_set_str(g, "note", "caf\xc3\xa9 \"\\\n\x01\x7f"));
	SG_TRY(sg_graftfile_set_i64(g, "r", -9007199254740993));
	for (unsigned k = 0; rc >= 0 && k < 3; k++) {
		static const char *const names[3] = { "raw", "zstd", "planes" };
		size_t shape[2] = { n / 8, 2 };

		for (size_t i = 0; i < n; i++) {
			uint64_t x = sg_rng_u64(k, 0, i);

			data[i] = k == 0 ? (unsigned char)x : k == 1 ? (unsigned char)(x % 10 ? 0 : i >> 6)
				: i % 4 == 3 ? 0x3c : (unsigned char)x;
		}
		rc = sg_graftfile_add_tensor(g, names[k], SG_F32, 2, shape, data);
		snprintf(path, sizeof(path), "%s/data/%s", folder, names[k]);
		if (rc >= 0)
			rc = put_chunks(path, data, n, 4);
	}
	snprintf(path, sizeof(path), "%s/graft.json", folder);
	if (rc >= 0)
		rc = sg_graftfile_write(&b, g);
	if (rc >= 0)
		rc = sg_file_write(path, b.data, b.len);
	sg_buf_release(&b);
	return rc;
}

TEST(graftfile_second_reader)
{
	size_t n = 200000;
	char folder[] = "/tmp/sg-graftfile-XXXXXX", command[200], said[100] = "", id[SG_SHA256_HEX];
	struct sg_graftfile g = { 0 };
	unsigned char *data;
	FILE *f;

	if (system("(command -v python3 && command -v zstd) >/dev/null 2>&1 && python3 -c 'import json' 2>/dev/null"))
		SKIP("python3 and zstd");
	PASS(SG_NEW(data, n));
	CHECK(mkdtemp(folder));
	PASS(put_graft(folder, &g, data, n));
	PASS(sg_graftfile_id(id, &g));
	snprintf(command, sizeof(command), "python3 tests/readers/graft.py %s", folder);
	f = popen(command, "r");
	CHECK(f);
	CHECK(fgets(said, sizeof(said), f));
	CHECK(!pclose(f) && !strncmp(said, id, 64));
	PASS(sg_dir_remove(folder));
	sg_graftfile_release(&g);
	free(data);
}
