#ifndef SG_MODEL_TOKENIZER_H
#define SG_MODEL_TOKENIZER_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/*
 * Text to token ids and back.
 *
 * Two kinds: `byte` (ids 0..255 are bytes, 256 opens a document) and `bpe`, read
 * from a Hugging Face tokenizer.json and exact against the library that wrote
 * it: byte-level vocabularies (GPT-2 and all after it) and SentencePiece's. What
 * a file asks for and this does not do is refused by name at parse, never
 * approximated. A tokenizer does not change after it is made, so threads may
 * share it.
 */
struct sg_tokenizer;

#define SG_TOK_BYTE_BOS   256
#define SG_TOK_BYTE_VOCAB 257

/* Growing list of ids; `{0}` is empty. Release is safe twice. */
struct sg_ids { int32_t *id; size_t n, cap; };
int sg_ids_add(struct sg_ids *l, int32_t id);
void sg_ids_release(struct sg_ids *l);

/*
 * A tokenizer.json of n bytes; pure. sg-tokenizer(7) lists what is read. `what`
 * names it in messages. CORRUPT for a damaged file, UNSUPPORTED for one that
 * needs what is not here (the message says what). *out is yours.
 */
int sg_tokenizer_parse(struct sg_tokenizer **out, const char *data, size_t n, const char *what);
int sg_tokenizer_byte(struct sg_tokenizer **out);
/* "byte", or the path of a tokenizer.json; sha256 (65 bytes, may be NULL) gets the
 * digest of the file's bytes, which names a tokenizer (of "byte" for the byte kind). */
int sg_tokenizer_open(struct sg_tokenizer **out, const char *path, char *sha256);
void sg_tokenizer_free(struct sg_tokenizer *t);

/* Largest id + 1. */
size_t sg_tokenizer_vocab(const struct sg_tokenizer *t);
/* -1 where there is none. The file's template tells BOS; names such as "</s>"
 * tell EOS. */
int32_t sg_tokenizer_bos(const struct sg_tokenizer *t);
int32_t sg_tokenizer_eos(const struct sg_tokenizer *t);
/* What stands in front of every document: BOS, else EOS, else -1 (nothing). */
int32_t sg_tokenizer_start(const struct sg_tokenizer *t);

enum {
	/* encode: put around the text what the file's template says (BOS) */
	SG_TOK_TEMPLATE = 1 << 0,
	/* encode: spellings of special tokens in the text become those tokens. Off, a
	 * document cannot smuggle control tokens in. decode: print them too. */
	SG_TOK_SPECIALS = 1 << 1,
	/* decode: byte runs that are no UTF-8 become U+FFFD each, as the original
	 * library does; off, bytes come out as they are */
	SG_TOK_REPLACE = 1 << 2,
};

/* Appends to out. bpe: text must be UTF-8, else CORRUPT with the byte offset. */
int sg_tokenizer_encode(const struct sg_tokenizer *t, struct sg_ids *out, const char *text, size_t n,
			unsigned flags);
/* One document as it is stored: start id if any, then the text, specials inert. */
int sg_tokenizer_document(const struct sg_tokenizer *t, struct sg_ids *out, const char *text, size_t n);

/* Appends the text of n ids to out. CORRUPT for an id that is not a token. */
int sg_tokenizer_decode(const struct sg_tokenizer *t, struct sg_buf *out, const int32_t *ids, size_t n,
			unsigned flags);

/* Decode token by token, for generation: appends what this token adds (perhaps
 * part of a character). `{0}` at the start of a text; REPLACE is ignored. */
struct sg_detok { bool begun; };
int sg_tokenizer_next(const struct sg_tokenizer *t, struct sg_detok *state, struct sg_buf *out, int32_t id,
		      unsigned flags);
/* The bytes that a token stands for inside a text, borrowed; specials give 0
 * bytes, NULL for an id that is not a token. */
const char *sg_tokenizer_piece(const struct sg_tokenizer *t, int32_t id, size_t *n);
SG_C_END
#endif
