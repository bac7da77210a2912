#include "format/zip.h"
#include "base/error.h"
#include "tests/test.h"

TEST(zip_both_ways)
{
	static char in[100000], out[100000];
	struct sg_buf b = { 0 }, e = { 0 };
	size_t len;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * i >> 7);
	PASS(sg_zip_compress(&b, in, sizeof(in), 1));
	CHECK(b.len < sizeof(in));
	PASS(sg_zip_decompress(out, sizeof(out), b.data, b.len, "test"));
	CHECK(!memcmp(in, out, sizeof(in)));
	PASS(sg_zip_expand(&e, sizeof(in), b.data, b.len, "test"));
	CHECK(e.len == sizeof(in) && !memcmp(in, e.data, e.len));
	PASS(sg_zip_frame(&len, b.data, b.len, "test"));
	CHECK(len == b.len);

	CHECK(sg_zip_decompress(out, sizeof(out) - 1, b.data, b.len, "test") == -SG_E_CORRUPT);
	CHECK(sg_zip_decompress(out, sizeof(out), b.data, b.len - 1, "test") == -SG_E_CORRUPT);
	CHECK(sg_zip_expand(&e, sizeof(in) - 1, b.data, b.len, "test") == -SG_E_CORRUPT);
	CHECK(e.len == sizeof(in));
	PASS(sg_buf_add(&b, "x", 1));
	CHECK(sg_zip_decompress(out, sizeof(out), b.data, b.len, "test") == -SG_E_CORRUPT);
	CHECK(sg_zip_decompress(out, 0, "", 0, "test") == -SG_E_CORRUPT);

	/* nothing is a frame too */
	sg_buf_clear(&b);
	PASS(sg_zip_compress(&b, in, 0, 1));
	PASS(sg_zip_decompress(out, 0, b.data, b.len, "test"));
	sg_buf_release(&b);
	sg_buf_release(&e);
}

/* A frame that declares 2^62 bytes allocates nothing. */
TEST(zip_declared_size)
{
	static const unsigned char bomb[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0,
	};
	struct sg_buf e = { 0 };
	char out[8];

	CHECK(sg_zip_expand(&e, SIZE_MAX, bomb, sizeof(bomb), "test") < 0);
	CHECK(sg_zip_expand(&e, 1000, bomb, sizeof(bomb), "test") == -SG_E_CORRUPT);
	CHECK(sg_zip_decompress(out, sizeof(out), bomb, sizeof(bomb), "test") == -SG_E_CORRUPT);
	CHECK(!e.cap);
	sg_buf_release(&e);
}
