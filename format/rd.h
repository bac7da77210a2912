#ifndef SG_FORMAT_RD_H
#define SG_FORMAT_RD_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * Bounded little-endian reading of bytes in memory, and the writing twin onto a
 * buffer. A read past the end gives zeros and marks the reader; look once, with
 * sg_rd_check or sg_rd_end, before anything that was read is believed.
 */
struct sg_rd { const unsigned char *p, *end, *start; const char *what; bool bad; };

/* `what` names the source in messages and must live as long as the reader. */
void sg_rd_init(struct sg_rd *r, const void *data, size_t n, const char *what);
uint8_t sg_rd_u8(struct sg_rd *r);
uint16_t sg_rd_u16(struct sg_rd *r);
uint32_t sg_rd_u32(struct sg_rd *r);
uint64_t sg_rd_u64(struct sg_rd *r);
float sg_rd_f32(struct sg_rd *r);
double sg_rd_f64(struct sg_rd *r);
/* The next n bytes, borrowed, unaligned; NULL when there are fewer. */
const unsigned char *sg_rd_bytes(struct sg_rd *r, size_t n);
static inline size_t sg_rd_left(const struct sg_rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}
/* Can `count` more elements of at least `size` bytes each follow? Marks the
 * reader when not: ask before allocating for a count that was read. */
bool sg_rd_fits(struct sg_rd *r, uint64_t count, size_t size);
/* 0, or CORRUPT: "'what' is truncated". */
int sg_rd_check(const struct sg_rd *r);
/* The same, and CORRUPT when bytes are left. */
int sg_rd_end(const struct sg_rd *r);

int sg_wr_u8(struct sg_buf *b, uint8_t v);
int sg_wr_u16(struct sg_buf *b, uint16_t v);
int sg_wr_u32(struct sg_buf *b, uint32_t v);
int sg_wr_u64(struct sg_buf *b, uint64_t v);
int sg_wr_f32(struct sg_buf *b, float v);
int sg_wr_f64(struct sg_buf *b, double v);

/* Single values at any address. */
static inline uint16_t sg_le16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t sg_le32(const unsigned char *p)
{
	return (uint32_t)sg_le16(p) | (uint32_t)sg_le16(p + 2) << 16;
}
static inline uint64_t sg_le64(const unsigned char *p)
{
	return (uint64_t)sg_le32(p) | (uint64_t)sg_le32(p + 4) << 32;
}
SG_C_END
#endif
