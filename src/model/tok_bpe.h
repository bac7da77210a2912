#ifndef SG_MODEL_TOK_BPE_H
#define SG_MODEL_TOK_BPE_H
#include "base/base.h"
#include "model/tok_vocab.h"
#include "model/tokenizer.h"
SG_C_BEGIN
/*
 * Byte pair encoding of one word (Gage 1994; Sennrich et al. 2016): characters
 * become symbols, then the adjacent pair of lowest rank is joined, the leftmost
 * first among equals, until none is left.
 */
struct sg_bpe {
	struct sg_vocab vocab;
	struct sg_pairs merges;		/* (left, right) -> rank, id of the join */
	/* Pairs of first symbols over which some merge could ever reach. A word is
	 * cut wherever its neighbours are not in here: no merge crosses such a
	 * place, so the parts may be encoded alone, and a text of megabytes that the
	 * format calls one word costs no more than its words. */
	struct sg_pairs reach;
	struct sg_pairs chars;		/* code point + 1 -> id */
	int32_t byte[256];		/* fallback tokens, -1: none */
	int32_t unk;			/* -1: none */
	bool fuse_unk, byte_fallback, whole_first;	/* ignore_merges in the file */
};

/* Two ids as a key that is never 0. */
static inline uint64_t sg_bpe_key(int32_t a, int32_t b)
{
	return ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) + 1;
}

/* The two sides of "left right": -1 when it is not that. */
int sg_bpe_split(const char *s, size_t n, const char **left, size_t *left_n, const char **right, size_t *right_n);
/* A merge by its spellings, into merges, which has room. CORRUPT when a side or
 * the whole is no token. The last of equals stays, as in the original. */
int sg_bpe_add(struct sg_bpe *b, uint32_t rank, const char *left, size_t left_n, const char *right, size_t right_n);
/* Fill byte, chars and reach from vocab and merges: for sg_bpe_word only. */
int sg_bpe_prepare(struct sg_bpe *b);
/* Join n symbols in place. */
int sg_bpe_merge(const struct sg_bpe *b, int32_t *sym, size_t *n);
/* Append the ids of a word of valid UTF-8. */
int sg_bpe_word(const struct sg_bpe *b, struct sg_ids *out, const char *s, size_t n);
void sg_bpe_release(struct sg_bpe *b);
SG_C_END
#endif
