#include "format/tokens.h"
#include "format/rd.h"
#include "base/error.h"
#include "base/mem.h"

/*
 * Header (32 bytes), offsets (docs + 1), byte lengths, hashes, tokens, digest.
 * The tables stand in front of the tokens so that they are aligned whatever
 * the number of tokens is.
 */
static const char magic[4] = { 'S', 'G', 'T', 'K' };
#define VERSION 1
#define HEADER  32

/* Sizes of a shard; false when they do not fit into memory. */
static bool layout(uint64_t docs, uint64_t tokens, uint32_t width, size_t *tables, size_t *ids, size_t *all)
{
	return docs < SIZE_MAX / 64 && tokens <= SIZE_MAX / 8 &&
	       sg_mul(tables, (size_t)docs, 8 + 8 + SG_DOC_HASH) && sg_sum(tables, *tables, HEADER + 8) &&
	       sg_mul(ids, (size_t)tokens, width) && sg_sum(all, *tables, *ids) &&
	       sg_sum(all, *all, SG_SHA256_LEN);
}

int sg_tokens_parse(struct sg_tokens *out, const unsigned char *data, size_t n, const char *what)
{
	struct sg_tokens t = { .data = data, .size = n };
	size_t tables, ids, all;
	uint64_t last = 0;

	if (n < HEADER || memcmp(data, magic, 4))
		return sg_fail(SG_E_CORRUPT, "'%s' is no token shard", what);
	if (sg_le32(data + 4) != VERSION)
		return sg_fail(SG_E_UNSUPPORTED, "'%s' is a token shard of version %u, not %u", what,
			       sg_le32(data + 4), VERSION);
	t.width = sg_le32(data + 8);
	t.vocab = sg_le32(data + 12);
	t.docs = sg_le64(data + 16);
	t.tokens = sg_le64(data + 24);
	if ((t.width != 2 && t.width != 4) || t.vocab > (t.width == 2 ? 65536u : 0x7fffffffu))
		return sg_fail(SG_E_CORRUPT, "'%s' has tokens of %u bytes for a vocabulary of %u", what,
			       t.width, t.vocab);
	if (!layout(t.docs, t.tokens, t.width, &tables, &ids, &all) || all != n)
		return sg_fail(SG_E_CORRUPT, "'%s' has %zu bytes, which do not fit its header", what, n);
	t.offset = data + HEADER;
	t.bytes = t.offset + 8 * (t.docs + 1);
	t.hash = t.bytes + 8 * t.docs;
	t.id = data + tables;
	for (uint64_t d = 0; d <= t.docs; d++) {
		uint64_t at = sg_tokens_begin(&t, d);

		if (at < last || at > t.tokens || (!d && at) || (d == t.docs && at != t.tokens))
			return sg_fail(SG_E_CORRUPT, "'%s' has a bad offset for document %llu", what,
				       (unsigned long long)d);
		last = at;
	}
	*out = t;
	return 0;
}

int sg_tokens_verify(const struct sg_tokens *t, const char *what)
{
	unsigned char sum[SG_SHA256_LEN];
	size_t body = t->size - SG_SHA256_LEN;

	SG_TRY(sg_sha256(sum, t->data, body));
	if (memcmp(sum, t->data + body, SG_SHA256_LEN))
		return sg_fail(SG_E_CORRUPT, "'%s' is damaged: its digest does not fit", what);
	for (uint64_t i = 0; i < t->tokens; i++)
		if (sg_tokens_at(t, i) >= t->vocab)
			return sg_fail(SG_E_CORRUPT, "'%s' has token %u, but its vocabulary is %u", what,
				       sg_tokens_at(t, i), t->vocab);
	return 0;
}

int sg_shard_open(struct sg_shard *out, const char *path)
{
	struct sg_shard s = { 0 };
	int rc;

	SG_TRY(sg_map_open(&s.map, path));
	rc = sg_tokens_parse(&s.t, s.map.data, s.map.size, path);
	if (rc >= 0)
		rc = sg_tokens_verify(&s.t, path);
	if (rc < 0) {
		sg_map_release(&s.map);
		return rc;
	}
	*out = s;
	return 0;
}

void sg_shard_release(struct sg_shard *s)
{
	sg_map_release(&s->map);
	*s = (struct sg_shard){ 0 };
}

int sg_tokens_builder_init(struct sg_tokens_builder *b, uint32_t vocab)
{
	if (!vocab || vocab > 0x7fffffff)
		return sg_fail(SG_E_CORRUPT, "a vocabulary of %u tokens cannot be stored", vocab);
	*b = (struct sg_tokens_builder){ .width = vocab <= 65536 ? 2 : 4, .vocab = vocab };
	return 0;
}

/* Room for one more document and n more tokens. */
static int room(struct sg_tokens_builder *b, size_t n)
{
	size_t need, cap = b->doc_cap ? b->doc_cap * 2 : 64;
	void *p;

	if (b->docs + 1 >= b->doc_cap) {
		if (!(p = sg_realloc(b->offset, cap, sizeof(*b->offset))))
			return -SG_E_NOMEM;
		b->offset = p;
		if (!(p = sg_realloc(b->bytes, cap, sizeof(*b->bytes))))
			return -SG_E_NOMEM;
		b->bytes = p;
		if (!(p = sg_realloc(b->hash, cap, sizeof(*b->hash))))
			return -SG_E_NOMEM;
		b->hash = p;
		b->doc_cap = cap;
	}
	if (!sg_sum(&need, (size_t)b->tokens, n))
		return sg_fail(SG_E_NOMEM, "too many tokens");
	if (need <= b->id_cap)
		return 0;
	need = SG_MAX(need, b->id_cap + b->id_cap / 2 + 1024);
	if (!(p = sg_realloc(b->id, need, b->width)))
		return -SG_E_NOMEM;
	b->id = p;
	b->id_cap = need;
	return 0;
}

int sg_tokens_builder_add(struct sg_tokens_builder *b, const int32_t *ids, size_t n, uint64_t bytes,
			  const unsigned char hash[SG_DOC_HASH])
{
	unsigned char *p;

	for (size_t i = 0; i < n; i++)
		if (ids[i] < 0 || (uint32_t)ids[i] >= b->vocab)
			return sg_fail(SG_E_CORRUPT, "token %d is outside the vocabulary of %u", ids[i], b->vocab);
	SG_TRY(room(b, n));
	p = b->id + b->tokens * b->width;
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < b->width; k++)
			*p++ = (unsigned char)((uint32_t)ids[i] >> 8 * k);
	b->bytes[b->docs] = bytes;
	memcpy(b->hash[b->docs], hash, SG_DOC_HASH);
	b->offset[b->docs++] = b->tokens;
	b->tokens += n;
	b->total_bytes += bytes;
	return 0;
}

/* Every byte of the file in order, to a function. */
typedef int (*sink)(void *arg, const void *data, size_t n);

static int numbers(sink fn, void *arg, const uint64_t *v, size_t n)
{
	unsigned char buf[8 * 512];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < 8; k++)
			buf[used++] = (unsigned char)(v[i] >> 8 * k);
		if (used == sizeof(buf) || i + 1 == n) {
			SG_TRY(fn(arg, buf, used));
			used = 0;
		}
	}
	return 0;
}

static int body(const struct sg_tokens_builder *b, sink fn, void *arg)
{
	struct sg_buf head = { 0 };
	int rc;

	if ((rc = sg_buf_add(&head, magic, 4)) >= 0 && (rc = sg_wr_u32(&head, VERSION)) >= 0 &&
	    (rc = sg_wr_u32(&head, b->width)) >= 0 && (rc = sg_wr_u32(&head, b->vocab)) >= 0 &&
	    (rc = sg_wr_u64(&head, b->docs)) >= 0 && (rc = sg_wr_u64(&head, b->tokens)) >= 0)
		rc = fn(arg, head.data, head.len);
	sg_buf_release(&head);
	SG_TRY(rc);
	SG_TRY(numbers(fn, arg, b->offset, b->docs));
	SG_TRY(numbers(fn, arg, &b->tokens, 1));
	SG_TRY(numbers(fn, arg, b->bytes, b->docs));
	if (b->docs)
		SG_TRY(fn(arg, b->hash, b->docs * SG_DOC_HASH));
	return b->tokens ? fn(arg, b->id, b->tokens * b->width) : 0;
}

struct write { struct sg_hash in, all; struct sg_out *out; };

static int to_hash(void *arg, const void *data, size_t n)
{
	struct write *w = arg;

	SG_TRY(sg_hash_update(&w->in, data, n));
	SG_TRY(sg_hash_update(&w->all, data, n));
	return w->out ? sg_out_write(w->out, data, n) : 0;
}

/* One pass: the closing digest, the digest of the file, and the file if out is set. */
static int run(const struct sg_tokens_builder *b, struct sg_out *out, unsigned char sum[SG_SHA256_LEN])
{
	struct write w = { .out = out };
	unsigned char inner[SG_SHA256_LEN];
	int rc;

	if ((rc = sg_sha256_init(&w.in)) >= 0 && (rc = sg_sha256_init(&w.all)) >= 0 &&
	    (rc = body(b, to_hash, &w)) >= 0 && (rc = sg_hash_final(&w.in, inner)) >= 0 &&
	    (rc = sg_hash_update(&w.all, inner, sizeof(inner))) >= 0 &&
	    (rc = sg_hash_final(&w.all, sum)) >= 0 && out)
		rc = sg_out_write(out, inner, sizeof(inner));
	sg_hash_release(&w.in);
	sg_hash_release(&w.all);
	return rc;
}

int sg_tokens_builder_digest(const struct sg_tokens_builder *b, char hex[SG_SHA256_HEX])
{
	unsigned char sum[SG_SHA256_LEN];

	SG_TRY(run(b, NULL, sum));
	sg_hex(hex, sum, sizeof(sum));
	return 0;
}

int sg_tokens_builder_write(const struct sg_tokens_builder *b, const char *path)
{
	unsigned char sum[SG_SHA256_LEN];
	struct sg_out out;
	int rc;

	SG_TRY(sg_out_open(&out, path));
	rc = run(b, &out, sum);
	if (rc >= 0)
		rc = sg_out_commit(&out);
	sg_out_release(&out);
	return rc;
}

void sg_tokens_builder_release(struct sg_tokens_builder *b)
{
	free(b->id);
	free(b->offset);
	free(b->bytes);
	free(b->hash);
	*b = (struct sg_tokens_builder){ 0 };
}
