#include "format/rd.h"
#include "base/error.h"

void sg_rd_init(struct sg_rd *r, const void *data, size_t n, const char *what)
{
	*r = (struct sg_rd){ .p = data, .start = data, .end = (const unsigned char *)data + n, .what = what };
}

const unsigned char *sg_rd_bytes(struct sg_rd *r, size_t n)
{
	const unsigned char *p = r->p;

	if (r->bad || (size_t)(r->end - p) < n) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

uint8_t sg_rd_u8(struct sg_rd *r)
{
	const unsigned char *p = sg_rd_bytes(r, 1);

	return p ? *p : 0;
}

uint16_t sg_rd_u16(struct sg_rd *r)
{
	const unsigned char *p = sg_rd_bytes(r, 2);

	return p ? sg_le16(p) : 0;
}

uint32_t sg_rd_u32(struct sg_rd *r)
{
	const unsigned char *p = sg_rd_bytes(r, 4);

	return p ? sg_le32(p) : 0;
}

uint64_t sg_rd_u64(struct sg_rd *r)
{
	const unsigned char *p = sg_rd_bytes(r, 8);

	return p ? sg_le64(p) : 0;
}

float sg_rd_f32(struct sg_rd *r)
{
	uint32_t u = sg_rd_u32(r);
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

double sg_rd_f64(struct sg_rd *r)
{
	uint64_t u = sg_rd_u64(r);
	double f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

bool sg_rd_fits(struct sg_rd *r, uint64_t count, size_t size)
{
	if (count > sg_rd_left(r) / SG_MAX(size, 1))
		r->bad = true;
	return !r->bad;
}

int sg_rd_check(const struct sg_rd *r)
{
	if (!r->bad)
		return 0;
	return sg_fail(SG_E_CORRUPT, "'%s' is truncated at byte %zu", r->what, (size_t)(r->p - r->start));
}

int sg_rd_end(const struct sg_rd *r)
{
	SG_TRY(sg_rd_check(r));
	if (r->p == r->end)
		return 0;
	return sg_fail(SG_E_CORRUPT, "'%s' has %zu bytes too many", r->what, (size_t)(r->end - r->p));
}

static int put(struct sg_buf *b, uint64_t v, size_t n)
{
	unsigned char s[8];

	for (size_t i = 0; i < n; i++)
		s[i] = (unsigned char)(v >> 8 * i);
	return sg_buf_add(b, s, n);
}

int sg_wr_u8(struct sg_buf *b, uint8_t v)
{
	return put(b, v, 1);
}

int sg_wr_u16(struct sg_buf *b, uint16_t v)
{
	return put(b, v, 2);
}

int sg_wr_u32(struct sg_buf *b, uint32_t v)
{
	return put(b, v, 4);
}

int sg_wr_u64(struct sg_buf *b, uint64_t v)
{
	return put(b, v, 8);
}

int sg_wr_f32(struct sg_buf *b, float v)
{
	uint32_t u;

	memcpy(&u, &v, sizeof(u));
	return put(b, u, 4);
}

int sg_wr_f64(struct sg_buf *b, double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof(u));
	return put(b, u, 8);
}
