#include "format/chunk.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/rd.h"
#include "format/zip.h"

#define TRIAL ((size_t)64 << 10)

size_t sg_chunk_size(size_t tensor_bytes)
{
	size_t size = SG_CHUNK_MIN;

	while (size < SG_CHUNK_MAX && size * 2 <= tensor_bytes / 64)
		size *= 2;
	return size;
}

size_t sg_chunk_count(size_t tensor_bytes)
{
	size_t size = sg_chunk_size(tensor_bytes);

	return tensor_bytes / size + (tensor_bytes % size != 0);
}

/* ---- byte planes ---- */

/* gcc makes vector unpacks of these loops at -O3 only: 1.5 times the speed of a
 * whole decode. */
#if defined(__GNUC__) && !defined(__clang__)
# define VECTORISE __attribute__((optimize("O3")))
#else
# define VECTORISE
#endif

/* Plane k is at out + k * count. */
#define SPLIT(w) \
	VECTORISE static void split##w(unsigned char *restrict out, const unsigned char *restrict in, size_t count) \
	{ \
		for (size_t i = 0; i < count; i++) \
			for (unsigned k = 0; k < w; k++) \
				out[k * count + i] = in[i * w + k]; \
	} \
	VECTORISE static void join##w(unsigned char *restrict out, const unsigned char *restrict in, size_t count) \
	{ \
		for (size_t i = 0; i < count; i++) \
			for (unsigned k = 0; k < w; k++) \
				out[i * w + k] = in[k * count + i]; \
	}
SPLIT(2)
SPLIT(4)
SPLIT(8)

static void split(unsigned char *out, const unsigned char *in, size_t count, unsigned width)
{
	if (width == 2)
		split2(out, in, count);
	else if (width == 4)
		split4(out, in, count);
	else if (width == 8)
		split8(out, in, count);
	else
		for (size_t i = 0; i < count; i++)
			for (unsigned k = 0; k < width; k++)
				out[k * count + i] = in[i * width + k];
}

static void join(unsigned char *out, const unsigned char *in, size_t count, unsigned width)
{
	if (width == 2)
		join2(out, in, count);
	else if (width == 4)
		join4(out, in, count);
	else if (width == 8)
		join8(out, in, count);
	else
		for (size_t i = 0; i < count; i++)
			for (unsigned k = 0; k < width; k++)
				out[i * width + k] = in[k * count + i];
}

/* ---- encode ---- */

static int put_planes(struct sg_buf *out, const void *data, size_t n, unsigned width, int level)
{
	unsigned char *planes;
	size_t count = n / width;
	int rc;

	SG_TRY(SG_NEW(planes, n));
	split(planes, data, count, width);
	rc = 0;
	for (unsigned k = 0; rc >= 0 && k < width; k++)
		rc = sg_zip_compress(out, planes + k * count, count, level);
	free(planes);
	return rc;
}

static bool can_split(size_t n, unsigned width)
{
	return width > 1 && n && n % width == 0;
}

static int check(size_t n, unsigned width)
{
	if (n > SG_CHUNK_MAX)
		return sg_fail(SG_E_ERROR, "chunk of %zu bytes is too large", n);
	if (!width || width > 8)
		return sg_fail(SG_E_ERROR, "chunk with elements of %u bytes", width);
	return 0;
}

/* Is `packed` at least 2 % smaller than n? */
static bool saves(size_t packed, size_t n)
{
	return packed < n - n / 50;
}

int sg_chunk_pick(const void *data, size_t n, unsigned width, int level)
{
	struct sg_buf b = { 0 };
	size_t m = SG_MIN(n, TRIAL), plain;
	int rc, codec = SG_CHUNK_RAW;

	SG_TRY(check(SG_MIN(n, SG_CHUNK_MAX), width));
	rc = sg_zip_compress(&b, data, m, level);
	plain = b.len;
	if (rc >= 0 && saves(plain, m))
		codec = SG_CHUNK_ZSTD;
	sg_buf_clear(&b);
	m -= m % width;
	if (rc >= 0 && can_split(n, width)) {
		rc = put_planes(&b, data, m, width, level);
		if (saves(b.len, m) && b.len < plain)
			codec = SG_CHUNK_PLANES;
	}
	sg_buf_release(&b);
	return rc < 0 ? rc : codec;
}

static int put_header(struct sg_buf *out, enum sg_chunk_codec codec, unsigned width, size_t n)
{
	SG_TRY(sg_buf_add(out, "SGC1", 4));
	SG_TRY(sg_wr_u8(out, (uint8_t)codec));
	SG_TRY(sg_wr_u8(out, (uint8_t)width));
	SG_TRY(sg_wr_u16(out, 0));
	SG_TRY(sg_wr_u32(out, (uint32_t)n));
	return sg_wr_u32(out, 0);
}

/* What the trial promised may not hold for the whole chunk: then raw. */
int sg_chunk_encode_as(struct sg_buf *out, enum sg_chunk_codec codec, const void *data, size_t n,
		       unsigned width, int level)
{
	size_t start = out->len;
	int rc;

	SG_TRY(check(n, width));
	if (codec == SG_CHUNK_PLANES && !can_split(n, width))
		codec = SG_CHUNK_ZSTD;
	rc = put_header(out, codec, width, n);
	if (rc >= 0 && codec == SG_CHUNK_ZSTD)
		rc = sg_zip_compress(out, data, n, level);
	else if (rc >= 0 && codec == SG_CHUNK_PLANES)
		rc = put_planes(out, data, n, width, level);
	if (rc >= 0 && codec != SG_CHUNK_RAW && !saves(out->len - start - SG_CHUNK_HEADER, n)) {
		out->len = start;
		codec = SG_CHUNK_RAW;
		rc = put_header(out, codec, width, n);
	}
	if (rc >= 0 && codec == SG_CHUNK_RAW)
		rc = sg_buf_add(out, data, n);
	if (rc < 0)
		out->len = start;
	return rc;
}

/* Where the trial would be the whole chunk, do both and keep the smaller: the
 * same choice without compressing twice. */
static int encode_small(struct sg_buf *out, const void *data, size_t n, unsigned width, int level)
{
	struct sg_buf planes = { 0 };
	size_t start = out->len;
	int rc = sg_chunk_encode_as(out, SG_CHUNK_ZSTD, data, n, width, level);

	if (rc >= 0 && can_split(n, width))
		rc = sg_chunk_encode_as(&planes, SG_CHUNK_PLANES, data, n, width, level);
	if (rc >= 0 && planes.len && planes.len < out->len - start) {
		out->len = start;
		rc = sg_buf_add(out, planes.data, planes.len);
	}
	sg_buf_release(&planes);
	return rc;
}

int sg_chunk_encode(struct sg_buf *out, const void *data, size_t n, unsigned width, int level)
{
	int codec;

	SG_TRY(check(n, width));
	if (n <= TRIAL)
		return encode_small(out, data, n, width, level);
	codec = sg_chunk_pick(data, n, width, level);

	SG_TRY(codec);
	return sg_chunk_encode_as(out, (enum sg_chunk_codec)codec, data, n, width, level);
}

/* ---- decode ---- */

struct header { unsigned codec, width; size_t n; };

static int read_header(struct header *h, struct sg_rd *r)
{
	const unsigned char *magic = sg_rd_bytes(r, 4);
	unsigned zero;

	h->codec = sg_rd_u8(r);
	h->width = sg_rd_u8(r);
	zero = sg_rd_u16(r);
	h->n = sg_rd_u32(r);
	zero |= sg_rd_u32(r);
	SG_TRY(sg_rd_check(r));
	if (memcmp(magic, "SGC1", 4))
		return sg_fail(SG_E_CORRUPT, "'%s' is no chunk", r->what);
	if (h->codec > SG_CHUNK_PLANES || !h->width || h->width > 8 || zero)
		return sg_fail(SG_E_CORRUPT, "'%s' has a bad chunk header", r->what);
	if (h->n > SG_CHUNK_MAX)
		return sg_fail(SG_E_CORRUPT, "'%s' declares %zu bytes, too many for a chunk", r->what, h->n);
	if (h->codec == SG_CHUNK_PLANES && !can_split(h->n, h->width))
		return sg_fail(SG_E_CORRUPT, "'%s' does not divide into its planes", r->what);
	return 0;
}

static int get_planes(unsigned char *out, const struct header *h, struct sg_rd *r)
{
	unsigned char *planes;
	size_t count = h->n / h->width, len = 0;
	int rc;

	SG_TRY(SG_NEW(planes, h->n));
	rc = 0;
	for (unsigned k = 0; rc >= 0 && k < h->width; k++) {
		rc = sg_zip_frame(&len, r->p, sg_rd_left(r), r->what);
		if (rc >= 0)
			rc = sg_zip_decompress(planes + k * count, count, sg_rd_bytes(r, len), len, r->what);
	}
	if (rc >= 0)
		rc = sg_rd_end(r);
	if (rc >= 0)
		join(out, planes, count, h->width);
	free(planes);
	return rc;
}

int sg_chunk_decode(void *out, size_t n, const void *blob, size_t blob_n, const char *what)
{
	struct header h;
	struct sg_rd r;
	const unsigned char *raw;

	sg_rd_init(&r, blob, blob_n, what);
	SG_TRY(read_header(&h, &r));
	if (h.n != n)
		return sg_fail(SG_E_CORRUPT, "'%s' holds %zu bytes, not %zu", what, h.n, n);
	if (h.codec == SG_CHUNK_PLANES)
		return get_planes(out, &h, &r);
	if (h.codec == SG_CHUNK_ZSTD)
		return sg_zip_decompress(out, n, r.p, sg_rd_left(&r), what);
	raw = sg_rd_bytes(&r, n);
	SG_TRY(sg_rd_end(&r));
	memcpy(out, raw, n);
	return 0;
}

int sg_chunk_length(size_t *out, const void *blob, size_t blob_n, const char *what)
{
	struct header h;
	struct sg_rd r;

	sg_rd_init(&r, blob, blob_n, what);
	SG_TRY(read_header(&h, &r));
	*out = h.n;
	return 0;
}
