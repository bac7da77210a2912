#include "format/rd.h"
#include "base/error.h"
#include "tests/test.h"

TEST(rd_both_ways)
{
	struct sg_buf b = { 0 };
	struct sg_rd r;

	PASS(sg_wr_u8(&b, 0xfe));
	PASS(sg_wr_u16(&b, 0x1234));
	PASS(sg_wr_u32(&b, 0xdeadbeef));
	PASS(sg_wr_u64(&b, 0x0123456789abcdef));
	PASS(sg_wr_f32(&b, -1.5f));
	PASS(sg_wr_f64(&b, 0.1));
	CHECK(b.len == 27 && (unsigned char)b.data[1] == 0x34 && (unsigned char)b.data[3] == 0xef);
	sg_rd_init(&r, b.data, b.len, "test");
	CHECK(sg_rd_u8(&r) == 0xfe && sg_rd_u16(&r) == 0x1234 && sg_rd_u32(&r) == 0xdeadbeef);
	CHECK(sg_rd_end(&r) == -SG_E_CORRUPT);
	CHECK(sg_rd_u64(&r) == 0x0123456789abcdef && sg_rd_f32(&r) == -1.5f && sg_rd_f64(&r) == 0.1);
	PASS(sg_rd_end(&r));
	sg_buf_release(&b);
}

TEST(rd_sticky)
{
	unsigned char s[5] = { 1, 2, 3, 4, 5 };
	struct sg_rd r;

	sg_rd_init(&r, s, 5, "test");
	CHECK(sg_rd_fits(&r, 5, 1) && sg_rd_fits(&r, 2, 2));
	CHECK(sg_rd_u8(&r) == 1 && sg_rd_left(&r) == 4);
	CHECK(sg_rd_u64(&r) == 0);
	CHECK(sg_rd_u8(&r) == 0 && sg_rd_left(&r) == 0 && !sg_rd_bytes(&r, 0));
	CHECK(sg_rd_check(&r) == -SG_E_CORRUPT && strstr(sg_error_message(), "'test'"));
	sg_rd_init(&r, s, 5, "test");
	CHECK(!sg_rd_fits(&r, UINT64_MAX, 8));
	CHECK(sg_rd_check(&r) == -SG_E_CORRUPT);
	sg_rd_init(&r, s, 5, "test");
	CHECK(!sg_rd_bytes(&r, SIZE_MAX));
}
