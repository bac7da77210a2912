#ifndef SG_MODEL_TOK_LEVEL_H
#define SG_MODEL_TOK_LEVEL_H
#include "base/base.h"
#include "model/tok_bpe.h"
SG_C_BEGIN
/*
 * Byte-level words (GPT-2 and all that follow it): a vocabulary spells each byte
 * as one printable character, so that any text has symbols and none is unknown.
 * Here the spelling is undone when a vocabulary is read; words stay bytes.
 */
struct sg_level {
	int32_t sym[256];	/* byte -> token, -1: the vocabulary has none */
	bool spell;		/* some byte has none and the file says what then: words go spelled */
	struct sg_vocab whole;	/* tokens by their bytes, where whole words go first */
};

/* The character that spells a byte; the byte that a character spells, or -1. */
uint32_t sg_level_char(unsigned char byte);
int sg_level_byte(uint32_t c);
/* Append the spelling of n bytes. */
int sg_level_spell(struct sg_buf *out, const char *s, size_t n);
/* Append the bytes that a spelling stands for; where it holds anything else, the
 * spelling as it is. 1 for the former. */
int sg_level_read(struct sg_buf *out, const char *s, size_t n);

int sg_level_init(struct sg_level *l, const struct sg_bpe *b);
/* Bytes that texts have and l does not; a text of natural language needs none
 * of them when the answer is 0. */
int sg_level_missing(const struct sg_level *l);
/* Append the ids of a word. A byte without a token is left out, as in the original. */
int sg_level_word(const struct sg_level *l, const struct sg_bpe *b, struct sg_ids *out, const char *s, size_t n);
void sg_level_release(struct sg_level *l);
SG_C_END
#endif
