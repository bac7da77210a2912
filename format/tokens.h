#ifndef SG_FORMAT_TOKENS_H
#define SG_FORMAT_TOKENS_H
#include "base/base.h"
#include "base/file.h"
#include "base/hash.h"
SG_C_BEGIN
/*
 * A token shard: documents of one data set as token ids, with the byte length
 * and hash of each document's text. sg-tokens(5) has the layout to the byte.
 * It is read in place from a map; numbers in it are little endian and eight
 * byte aligned up to the tokens.
 */
#define SG_DOC_HASH 16	/* first bytes of the SHA-256 of a document's text */

/* A view into the bytes that were parsed; they must outlive it. */
struct sg_tokens {
	uint64_t docs, tokens;
	uint32_t width;		/* bytes of a token, 2 or 4 */
	uint32_t vocab;		/* every token is below this */
	const unsigned char *data;
	size_t size;
	const unsigned char *offset, *bytes, *hash, *id;	/* tables in data */
};

/*
 * Structure only: sizes, and that the offsets rise. Pure; `what` names the
 * source in messages. CORRUPT, or UNSUPPORTED for a newer version.
 */
int sg_tokens_parse(struct sg_tokens *out, const unsigned char *data, size_t n, const char *what);
/* The closing digest, and that every token is below vocab. CORRUPT. */
int sg_tokens_verify(const struct sg_tokens *t, const char *what);

static inline uint64_t sg_tokens_u64(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* Document d (below docs) is the tokens from its begin to the begin of d + 1;
 * d == docs gives the number of tokens. */
static inline uint64_t sg_tokens_begin(const struct sg_tokens *t, uint64_t d)
{
	return sg_tokens_u64(t->offset + 8 * d);
}
static inline uint64_t sg_tokens_len(const struct sg_tokens *t, uint64_t d)
{
	return sg_tokens_begin(t, d + 1) - sg_tokens_begin(t, d);
}
/* Bytes of the document's text. */
static inline uint64_t sg_tokens_bytes(const struct sg_tokens *t, uint64_t d)
{
	return sg_tokens_u64(t->bytes + 8 * d);
}
/* SG_DOC_HASH bytes. */
static inline const unsigned char *sg_tokens_hash(const struct sg_tokens *t, uint64_t d)
{
	return t->hash + SG_DOC_HASH * d;
}
static inline uint32_t sg_tokens_at(const struct sg_tokens *t, uint64_t i)
{
	const unsigned char *p = t->id + i * t->width;
	uint32_t v = p[0] | (uint32_t)p[1] << 8;

	return t->width == 2 ? v : v | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A shard on disk: mapped, parsed and verified. Release is safe on {0} and twice. */
struct sg_shard { struct sg_map map; struct sg_tokens t; };
int sg_shard_open(struct sg_shard *out, const char *path);
void sg_shard_release(struct sg_shard *s);

/* Collects documents in memory, then writes them at once. `{0}` before init. */
struct sg_tokens_builder {
	uint32_t width, vocab;
	uint64_t docs, tokens, total_bytes;
	unsigned char *id;	/* as stored */
	uint64_t *offset, *bytes;
	unsigned char (*hash)[SG_DOC_HASH];
	size_t id_cap, doc_cap;
};
/* Tokens take two bytes when vocab is at most 65536, else four. */
int sg_tokens_builder_init(struct sg_tokens_builder *b, uint32_t vocab);
/* ids must be in [0, vocab): CORRUPT. `bytes` and `hash` are of the text. A
 * failed add leaves the builder as it was. */
int sg_tokens_builder_add(struct sg_tokens_builder *b, const int32_t *ids, size_t n, uint64_t bytes,
			  const unsigned char hash[SG_DOC_HASH]);
/* SHA-256 of the file that write would make. */
int sg_tokens_builder_digest(const struct sg_tokens_builder *b, char hex[SG_SHA256_HEX]);
/* Atomic: the file appears whole or not at all. */
int sg_tokens_builder_write(const struct sg_tokens_builder *b, const char *path);
void sg_tokens_builder_release(struct sg_tokens_builder *b);
SG_C_END
#endif
