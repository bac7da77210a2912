#ifndef SG_MODEL_TOK_UNI_H
#define SG_MODEL_TOK_UNI_H
#include "base/base.h"
SG_C_BEGIN
/*
 * What the `tokenizers` library takes characters for, asked of it and not of a
 * Unicode version: its regular expressions and word characters know Unicode 16,
 * its digits some more, its normaliser far less. The tables are in
 * tok_unidata.c, which tests/golden/unidata.py makes.
 */
enum {
	SG_UNI_OTHER = 0, SG_UNI_LETTER = 1, SG_UNI_NUMBER = 2, SG_UNI_SPACE = 3,	/* \p{L} \p{N} \s */
	SG_UNI_CLASS = 3,	/* mask of the four above */
	SG_UNI_NFC = 4,		/* composition may touch it: a mark, a part, or what is no NFC */
	SG_UNI_WORD = 8,	/* \w */
};

/* Below END every character has a nibble: block picks 128 of them from bits. Of
 * what lies above only the selectors HIGH..HIGH_LAST are anything: WORD. */
#define SG_UNI_END       0x32400u
#define SG_UNI_HIGH      0xe0100u
#define SG_UNI_HIGH_LAST 0xe01efu
extern const uint8_t sg_uni_ascii[128], sg_uni_block[];
extern const uint64_t sg_uni_bits[];

static inline unsigned sg_uni(uint32_t c)
{
	if (c < SG_UNI_END)
		return (unsigned)(sg_uni_bits[sg_uni_block[c >> 7] * 8u + (c >> 4 & 7)] >> 4 * (c & 15)) & 15;
	return c >= SG_UNI_HIGH && c <= SG_UNI_HIGH_LAST ? SG_UNI_WORD : 0;
}

/* Ranges of digits that are not in \p{N} there yet. */
extern const uint32_t sg_uni_numeric[];
extern const size_t sg_uni_n_numeric;

/* Canonical combining classes, by first character. */
struct sg_uni_mark { uint32_t first, last; uint8_t class_; };
extern const struct sg_uni_mark sg_uni_mark[];
extern const size_t sg_uni_n_mark;

/* Decompositions of one step: runs of characters in a row, whose parts stand in
 * single or pair from `at` on; by_pair lists the pairs that compose again. */
struct sg_uni_run { uint32_t first; uint16_t n, at; };
struct sg_uni_pair { uint32_t a, b; };
extern const struct sg_uni_run sg_uni_single_run[], sg_uni_pair_run[];
extern const uint32_t sg_uni_single[];
extern const struct sg_uni_pair sg_uni_pair[];
extern const uint16_t sg_uni_by_pair[];
extern const size_t sg_uni_n_single_run, sg_uni_n_pair_run, sg_uni_n_by_pair;
SG_C_END
#endif
