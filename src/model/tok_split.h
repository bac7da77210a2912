#ifndef SG_MODEL_TOK_SPLIT_H
#define SG_MODEL_TOK_SPLIT_H
#include "base/base.h"
SG_C_BEGIN
/*
 * How a text is cut into words before byte pairs are joined. Files say it by a
 * regular expression; those in use are few, so each is a function here, found
 * by comparing the expression, and proved equal to it by test.
 */

/* Bytes of the word that begins at s, of n > 0 bytes of valid UTF-8. */
typedef size_t sg_split_fn(const char *s, size_t n);

size_t sg_split_gpt2(const char *s, size_t n);		/* GPT-2, NeoX, OPT, SmolLM: ByteLevel's own */
size_t sg_split_llama3(const char *s, size_t n);	/* up to three digits together */
size_t sg_split_qwen2(const char *s, size_t n);		/* every digit alone */
/* One digit, or what lies before the next; digits together for the second. */
size_t sg_split_digit(const char *s, size_t n);
size_t sg_split_digits(const char *s, size_t n);

/* The function of a regular expression, NULL for one that is not known. */
sg_split_fn *sg_split_find(const char *regex, size_t n);
SG_C_END
#endif
