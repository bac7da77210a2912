#include "format/tokens.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "tests/test.h"

static char path[] = "build/tmp-tokens";

/* Three documents, the second empty. */
static int build(struct sg_tokens_builder *b, uint32_t vocab)
{
	int32_t ids[] = { 1, 5, 300, 0, 7 };
	unsigned char h[SG_DOC_HASH] = { 1 };

	SG_TRY(sg_tokens_builder_init(b, vocab));
	SG_TRY(sg_tokens_builder_add(b, ids, 3, 11, h));
	h[0] = 2;
	SG_TRY(sg_tokens_builder_add(b, ids, 0, 0, h));
	h[0] = 3;
	return sg_tokens_builder_add(b, ids + 2, 3, 22, h);
}

static int check(uint32_t vocab, uint32_t width)
{
	struct sg_tokens_builder b = { 0 };
	struct sg_shard s = { 0 };
	char want[SG_SHA256_HEX], got[SG_SHA256_HEX];
	int bad = 1;

	if (build(&b, vocab) < 0 || sg_tokens_builder_digest(&b, want) < 0 ||
	    sg_tokens_builder_write(&b, path) < 0 || sg_shard_open(&s, path) < 0)
		goto out;
	if (sg_sha256_hex(got, s.map.data, s.map.size) < 0 || strcmp(want, got))
		goto out;
	if (s.t.docs != 3 || s.t.tokens != 6 || s.t.width != width || s.t.vocab != vocab ||
	    s.map.size != 32 + 8 * 4 + 3 * 24 + 6 * width + 32)
		goto out;
	if (sg_tokens_len(&s.t, 0) != 3 || sg_tokens_len(&s.t, 1) || sg_tokens_begin(&s.t, 2) != 3 ||
	    sg_tokens_bytes(&s.t, 2) != 22 || sg_tokens_hash(&s.t, 1)[0] != 2)
		goto out;
	if (sg_tokens_at(&s.t, 2) != 300 || sg_tokens_at(&s.t, 3) != 300 || sg_tokens_at(&s.t, 5) != 7)
		goto out;
	bad = 0;
out:
	sg_shard_release(&s);
	sg_tokens_builder_release(&b);
	remove(path);
	return bad;
}

TEST(tokens_round_trip)
{
	PASS(sg_dir_make("build"));
	CHECK(!check(512, 2));
	CHECK(!check(65536, 2));
	CHECK(!check(65537, 4));
}

TEST(tokens_refuse_ids_outside)
{
	struct sg_tokens_builder b = { 0 };
	unsigned char h[SG_DOC_HASH] = { 0 };
	int32_t high = 512, low = -1;

	PASS(sg_tokens_builder_init(&b, 512));
	CHECK(sg_tokens_builder_add(&b, &high, 1, 1, h) == -SG_E_CORRUPT);
	CHECK(sg_tokens_builder_add(&b, &low, 1, 1, h) == -SG_E_CORRUPT);
	CHECK(b.docs == 0 && b.tokens == 0);
	sg_tokens_builder_release(&b);
}

/* Every byte of the file counts: a changed one is found, and never a crash. */
TEST(tokens_damage_is_found)
{
	struct sg_tokens_builder b = { 0 };
	struct sg_buf f = { 0 };
	struct sg_tokens t;
	size_t missed = 0;

	PASS(sg_dir_make("build"));
	PASS(build(&b, 512));
	PASS(sg_tokens_builder_write(&b, path));
	PASS(sg_file_read(&f, path, 1 << 20));
	remove(path);
	PASS(sg_tokens_parse(&t, (unsigned char *)f.data, f.len, "x"));
	PASS(sg_tokens_verify(&t, "x"));
	for (size_t i = 0; i < f.len; i++) {
		f.data[i] ^= 0x10;
		if (sg_tokens_parse(&t, (unsigned char *)f.data, f.len, "x") >= 0 && sg_tokens_verify(&t, "x") >= 0)
			missed++;
		f.data[i] ^= 0x10;
	}
	CHECK(!missed);
	for (size_t n = 0; n < f.len; n++)
		CHECK(sg_tokens_parse(&t, (unsigned char *)f.data, n, "x") < 0);
	sg_buf_release(&f);
	sg_tokens_builder_release(&b);
}

/* What another program, written from the page alone, reads out of a shard. */
TEST(tokens_second_reader)
{
	static const char want[] =
		"11 01000000000000000000000000000000 1 5 300\n"
		"0 02000000000000000000000000000000\n"
		"22 03000000000000000000000000000000 300 0 7\n";
	static const uint32_t vocab[] = { 512, 70000 };
	char got[512];

	if (system("python3 -c '' 2>/dev/null"))
		SKIP("python3");
	PASS(sg_dir_make("build"));
	for (size_t i = 0; i < SG_LEN(vocab); i++) {
		struct sg_tokens_builder b = { 0 };
		size_t n;
		FILE *f;

		PASS(build(&b, vocab[i]));
		PASS(sg_tokens_builder_write(&b, path));
		sg_tokens_builder_release(&b);
		CHECK((f = popen("python3 tests/golden/tokens_read.py build/tmp-tokens", "r")));
		n = fread(got, 1, sizeof(got) - 1, f);
		got[n] = '\0';
		CHECK(pclose(f) == 0);
		CHECK(!strcmp(got, want));
		remove(path);
	}
}
