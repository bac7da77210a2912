#include "format/chunk.h"
#include "base/error.h"
#include "base/rng.h"
#include "tests/test.h"
#include <math.h>

static unsigned char in[SG_CHUNK_MAX], out[SG_CHUNK_MAX];

/* Weights as they are: normal, small. Plain libm, so the bytes are not fixed. */
static void fill_f32(size_t n)
{
	for (size_t i = 0; i < n / 4; i++) {
		double u = (double)((sg_rng_u64(1, 0, i) >> 11) + 1) * 0x1p-53;
		double v = (double)(sg_rng_u64(1, 1, i) >> 11) * 0x1p-53;
		float f = (float)(0.02 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));

		memcpy(in + 4 * i, &f, 4);
	}
}

static int round_trip(size_t n, unsigned width, size_t *len, int *codec)
{
	struct sg_buf b = { 0 };
	size_t declared = 0;
	int rc = sg_chunk_encode(&b, in, n, width, 1);

	memset(out, 0xaa, sizeof(out));
	if (rc >= 0)
		rc = sg_chunk_length(&declared, b.data, b.len, "test");
	if (rc >= 0)
		rc = sg_chunk_decode(out, n, b.data, b.len, "test");
	if (rc >= 0 && (declared != n || memcmp(in, out, n)))
		rc = -1;
	if (rc >= 0) {
		*len = b.len;
		*codec = b.data[4];
	}
	sg_buf_release(&b);
	return rc;
}

TEST(chunk_sizes)
{
	CHECK(sg_chunk_size(0) == SG_CHUNK_MIN && sg_chunk_count(0) == 0);
	CHECK(sg_chunk_size(1) == SG_CHUNK_MIN && sg_chunk_count(1) == 1);
	CHECK(sg_chunk_size(128 * SG_CHUNK_MIN - 1) == SG_CHUNK_MIN);
	CHECK(sg_chunk_size(128 * SG_CHUNK_MIN) == 2 * SG_CHUNK_MIN);
	CHECK(sg_chunk_size((size_t)1 << 40) == SG_CHUNK_MAX);
	CHECK(sg_chunk_size(SIZE_MAX) == SG_CHUNK_MAX);
	CHECK(sg_chunk_count(SG_CHUNK_MIN + 1) == 2 && sg_chunk_count(SG_CHUNK_MIN) == 1);
	CHECK(sg_chunk_count(SIZE_MAX) == SIZE_MAX / SG_CHUNK_MAX + 1);
}

TEST(chunk_both_ways)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 7, 8, 40, 1001, 4096, 65536, 65544, SG_CHUNK_MAX };
	size_t len;
	int codec;

	for (unsigned kind = 0; kind < 3; kind++) {
		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = kind == 0 ? (unsigned char)(sg_rng_u64(3, 0, i)) : kind == 1 ? 0 : (unsigned char)(i >> 4);
		for (size_t s = 0; s < SG_LEN(sizes); s++)
			for (unsigned width = 1; width <= 8; width++)
				PASS(round_trip(sizes[s], width, &len, &codec));
	}
}

TEST(chunk_codecs)
{
	size_t len, n = 256 << 10;
	int codec;

	fill_f32(n);
	PASS(round_trip(n, 4, &len, &codec));
	CHECK(codec == SG_CHUNK_PLANES && len < n * 87 / 100);
	for (size_t i = 0; i < n; i++)
		in[i] = (unsigned char)sg_rng_u64(4, 0, i);
	PASS(round_trip(n, 4, &len, &codec));
	CHECK(codec == SG_CHUNK_RAW && len == n + SG_CHUNK_HEADER);
	for (size_t i = 0; i < n; i++)
		in[i] = i % 10 ? 0 : (unsigned char)sg_rng_u64(4, 0, i);
	PASS(round_trip(n, 1, &len, &codec));
	CHECK(codec == SG_CHUNK_ZSTD && len < n / 2);
	/* a trial that promises more than the whole keeps */
	for (size_t i = 0; i < n; i++)
		in[i] = i < 65536 && i % 16 ? 0 : (unsigned char)sg_rng_u64(5, 0, i);
	PASS(round_trip(n, 4, &len, &codec));
	CHECK(len <= n + SG_CHUNK_HEADER);
}

TEST(chunk_hostile)
{
	struct sg_buf b = { 0 }, two = { 0 };

	CHECK(sg_chunk_encode(&b, in, SG_CHUNK_MAX + 1, 4, 1) < 0 && !b.len);
	CHECK(sg_chunk_encode(&b, in, 16, 0, 1) < 0 && sg_chunk_encode(&b, in, 16, 9, 1) < 0);
	fill_f32(65536);
	PASS(sg_chunk_encode(&b, in, 65536, 4, 1));
	CHECK(b.data[4] == SG_CHUNK_PLANES);
	CHECK(sg_chunk_decode(out, 65535, b.data, b.len, "test") == -SG_E_CORRUPT);
	CHECK(sg_chunk_decode(out, 65536, b.data, b.len - 1, "test") == -SG_E_CORRUPT);
	for (size_t n = 0; n < 64; n++)
		CHECK(sg_chunk_decode(out, 65536, b.data, n, "test") == -SG_E_CORRUPT);
	for (int i = 0; i < SG_CHUNK_HEADER; i++) {
		b.data[i] ^= 0x10;
		CHECK(sg_chunk_decode(out, 65536, b.data, b.len, "test") == -SG_E_CORRUPT);
		b.data[i] ^= 0x10;
	}
	b.data[5] = 2;	/* half of the planes: bytes are left */
	CHECK(sg_chunk_decode(out, 65536, b.data, b.len, "test") == -SG_E_CORRUPT);
	b.data[5] = 4;
	PASS(sg_chunk_decode(out, 65536, b.data, b.len, "test"));
	PASS(sg_buf_add(&b, "", 1));
	CHECK(sg_chunk_decode(out, 65536, b.data, b.len, "test") == -SG_E_CORRUPT);
	/* same bytes in, same blob out */
	b.len--;
	PASS(sg_chunk_encode(&two, in, 65536, 4, 1));
	CHECK(two.len == b.len && !memcmp(two.data, b.data, b.len));
	sg_buf_release(&b);
	sg_buf_release(&two);
}
