#ifndef SG_FORMAT_CHUNK_H
#define SG_FORMAT_CHUNK_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * Chunk blobs: how a tensor's bytes lie in the registry. A tensor is cut at
 * multiples of sg_chunk_size(its bytes), a pure function, so that equal tensors
 * are equal blobs. A blob is a 16-byte header and a payload:
 *
 *	0  4  "SGC1"
 *	4  1  codec: 0 raw, 1 one zstd frame, 2 byte planes, one zstd frame each
 *	5  1  width: bytes of an element, 1..8; the number of planes of codec 2
 *	6  2  0
 *	8  4  raw length, little endian
 *	12 4  0
 *
 * Plane k of codec 2 holds byte k of every element; the length is a multiple of
 * the width.
 */
#define SG_CHUNK_HEADER 16
#define SG_CHUNK_MIN ((size_t)64 << 10)
#define SG_CHUNK_MAX ((size_t)512 << 10)

enum sg_chunk_codec { SG_CHUNK_RAW, SG_CHUNK_ZSTD, SG_CHUNK_PLANES };

/* Power of two nearest below bytes / 64, within SG_CHUNK_MIN..SG_CHUNK_MAX. */
size_t sg_chunk_size(size_t tensor_bytes);
/* Number of chunks of a tensor; 0 for an empty one. */
size_t sg_chunk_count(size_t tensor_bytes);

/* Appends the blob of n bytes (at most SG_CHUNK_MAX). width: bytes of an
 * element. level: zstd's, 1 is right for weights. The codec is chosen by trying
 * on up to 64 KiB; raw when less than 2 % would be saved. */
int sg_chunk_encode(struct sg_buf *out, const void *data, size_t n, unsigned width, int level);
/* The two halves of it, to choose once for many chunks; pick returns a codec. */
int sg_chunk_pick(const void *data, size_t n, unsigned width, int level);
int sg_chunk_encode_as(struct sg_buf *out, enum sg_chunk_codec codec, const void *data, size_t n,
		       unsigned width, int level);
/* Fills out with exactly n bytes, or CORRUPT. */
int sg_chunk_decode(void *out, size_t n, const void *blob, size_t blob_n, const char *what);
/* Raw length that a blob declares, checked against SG_CHUNK_MAX. */
int sg_chunk_length(size_t *out, const void *blob, size_t blob_n, const char *what);
SG_C_END
#endif
