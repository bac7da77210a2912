/*
 * Protocol buffers as far as this message needs them. A field is a varint, number * 8
 * + wire type, and its value: 0 a varint, 1 eight bytes, 2 a length and bytes, 5 four
 * bytes. A field that comes again counts the last time, a message within is merged.
 *
 *	1 piece      { 1 text, 2 float score, 3 kind (1) }, in the order of ids
 *	2 trained as { 3 model (1), 24 spaces as suffix, 35 byte fallback, 40 unk (0), 41 bos (1), 42 eos (2) }
 *	3 normaliser { 2 table of characters, 3 space in front (true), 4 trim (true), 5 escape (true) }
 */
#include "format/spm.h"
#include "base/error.h"
#include "base/mem.h"
#include "format/rd.h"

#define PIECES_MAX ((size_t)1 << 24)

enum wire { VARINT, EIGHT, BYTES, FOUR = 5 };

struct field { uint64_t number; enum wire wire; uint64_t value; const unsigned char *data; size_t n; };

static int corrupt(const struct sg_rd *r, const char *why)
{
	return sg_fail(SG_E_CORRUPT, "'%s' is no SentencePiece model: %s", r->what, why);
}

static int varint(uint64_t *out, struct sg_rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = sg_rd_u8(r);

		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128) {
			*out = v;
			return sg_rd_check(r);
		}
	}
	return corrupt(r, "a number of more than 64 bits");
}

/* 0 at the end, 1: *f is set. */
static int next(struct field *f, struct sg_rd *r)
{
	uint64_t key, n;

	if (!sg_rd_left(r))
		return 0;
	SG_TRY(varint(&key, r));
	*f = (struct field){ .number = key >> 3, .wire = (enum wire)(key & 7) };
	if (!f->number || f->number >> 29)
		return corrupt(r, "a field without a number");
	switch (f->wire) {
	case VARINT:
		SG_TRY(varint(&f->value, r));
		break;
	case EIGHT:
		f->value = sg_rd_u64(r);
		break;
	case FOUR:
		f->value = sg_rd_u32(r);
		break;
	case BYTES:
		SG_TRY(varint(&n, r));
		if (!sg_rd_fits(r, n, 1))
			return sg_rd_check(r);
		f->n = (size_t)n;
		f->data = sg_rd_bytes(r, f->n);
		break;
	default:
		return corrupt(r, "a field of a type that is not known");
	}
	SG_TRY(sg_rd_check(r));
	return 1;
}

/* A field that is known has one type only. */
static int expect(const struct sg_rd *r, const struct field *f, enum wire wire)
{
	return f->wire == wire ? 0 : corrupt(r, "a field of another type than it should be");
}

static int truth(bool *out, const struct sg_rd *r, const struct field *f)
{
	SG_TRY(expect(r, f, VARINT));
	*out = f->value != 0;
	return 0;
}

/* Ids are 32 bits, negative ones written as 64. */
static int id(int32_t *out, const struct sg_rd *r, const struct field *f)
{
	SG_TRY(expect(r, f, VARINT));
	*out = (int64_t)f->value < 0 || f->value > INT32_MAX ? -1 : (int32_t)f->value;
	return 0;
}

static int range(uint64_t *out, const struct sg_rd *r, const struct field *f, uint64_t hi)
{
	SG_TRY(expect(r, f, VARINT));
	if (!f->value || f->value > hi)
		return corrupt(r, "a kind that is not known");
	*out = f->value;
	return 0;
}

static int piece_field(struct sg_spm_piece *p, const struct sg_rd *r, const struct field *f)
{
	uint64_t kind = p->kind;
	uint32_t bits = (uint32_t)f->value;

	switch (f->number) {
	case 1:
		SG_TRY(expect(r, f, BYTES));
		p->s = (const char *)f->data;
		p->n = f->n;
		break;
	case 2:
		SG_TRY(expect(r, f, FOUR));
		memcpy(&p->score, &bits, sizeof(bits));
		break;
	case 3:
		SG_TRY(range(&kind, r, f, SG_SPM_BYTE));
		p->kind = (enum sg_spm_kind)kind;
		break;
	}
	return 0;
}

static int piece(struct sg_spm *s, struct sg_rd *r)
{
	struct sg_spm_piece p = { .kind = SG_SPM_NORMAL };
	struct field f;
	int rc;

	while ((rc = next(&f, r)) > 0)
		SG_TRY(piece_field(&p, r, &f));
	SG_TRY(rc);
	if (!p.n || memchr(p.s, 0, p.n))
		return corrupt(r, p.n ? "a piece holds a NUL" : "a piece without text");
	if (!(p.score - p.score == 0))
		return corrupt(r, "a score that is not finite");
	if (s->n == PIECES_MAX)
		return corrupt(r, "too many pieces");
	SG_TRY(SG_GROW(s->piece, s->n, s->cap));
	s->piece[s->n++] = p;
	return 0;
}

static int trained(struct sg_spm *s, struct sg_rd *r)
{
	struct field f;
	uint64_t model = s->model;
	int rc;

	while ((rc = next(&f, r)) > 0)
		switch (f.number) {
		case 3: SG_TRY(range(&model, r, &f, SG_SPM_CHAR)); break;
		case 24: SG_TRY(truth(&s->suffix, r, &f)); break;
		case 35: SG_TRY(truth(&s->byte_fallback, r, &f)); break;
		case 40: SG_TRY(id(&s->unk, r, &f)); break;
		case 41: SG_TRY(id(&s->bos, r, &f)); break;
		case 42: SG_TRY(id(&s->eos, r, &f)); break;
		}
	s->model = (enum sg_spm_model)model;
	return rc;
}

static int normaliser(struct sg_spm *s, struct sg_rd *r)
{
	struct field f;
	int rc;

	while ((rc = next(&f, r)) > 0)
		switch (f.number) {
		case 2: SG_TRY(expect(r, &f, BYTES)); s->charsmap = f.n > 0; break;
		case 3: SG_TRY(truth(&s->prefix, r, &f)); break;
		case 4: SG_TRY(truth(&s->trim, r, &f)); break;
		case 5: SG_TRY(truth(&s->escape, r, &f)); break;
		}
	return rc;
}

static int parts(struct sg_spm *s, struct sg_rd *r)
{
	static int (*const read[])(struct sg_spm *, struct sg_rd *) = { NULL, piece, trained, normaliser };
	struct field f;
	struct sg_rd in;
	int rc;

	while ((rc = next(&f, r)) > 0) {
		if (f.number >= SG_LEN(read))
			continue;
		SG_TRY(expect(r, &f, BYTES));
		sg_rd_init(&in, f.data, f.n, r->what);
		SG_TRY(read[f.number](s, &in));
	}
	SG_TRY(rc);
	if (!s->n)
		return corrupt(r, "it has no pieces");
	if ((size_t)(s->unk + 1) > s->n || (size_t)(s->bos + 1) > s->n || (size_t)(s->eos + 1) > s->n)
		return corrupt(r, "a special id that no piece has");
	return 0;
}

int sg_spm_parse(struct sg_spm *out, const unsigned char *data, size_t n, const char *what)
{
	struct sg_spm s = { .model = SG_SPM_UNIGRAM, .prefix = true, .trim = true, .escape = true, .bos = 1, .eos = 2 };
	struct sg_rd r;
	int rc;

	sg_rd_init(&r, data, n, what);
	rc = parts(&s, &r);
	if (rc < 0)
		sg_spm_release(&s);
	else
		*out = s;
	return rc;
}

void sg_spm_release(struct sg_spm *s)
{
	free(s->piece);
	*s = (struct sg_spm){ .piece = NULL };
}
