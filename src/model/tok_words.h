#ifndef SG_MODEL_TOK_WORDS_H
#define SG_MODEL_TOK_WORDS_H
#include "base/base.h"
#include "model/tokenizer.h"
SG_C_BEGIN
/*
 * Words and their ids, remembered: most words of a text were there before. A
 * word has one place, which the last to come takes, so the table never grows;
 * long words are not kept. One is used by one thread at a time; the shelf lends
 * one out and keeps one, so that a second thread makes its own.
 */
struct sg_words;
struct sg_words_shelf;

int sg_words_shelf_new(struct sg_words_shelf **out);
void sg_words_shelf_free(struct sg_words_shelf *shelf);
int sg_words_take(struct sg_words **out, struct sg_words_shelf *shelf);
void sg_words_give(struct sg_words_shelf *shelf, struct sg_words *w);	/* NULL is fine */

/* Appends the ids of the word s of n bytes and returns 1, or 0: not known.
 * Bytes up to `end` may be read. */
int sg_words_get(struct sg_words *w, struct sg_ids *out, const char *s, size_t n, const char *end);
/* The word last asked for has these ids. */
void sg_words_put(struct sg_words *w, const int32_t *id, size_t n);
SG_C_END
#endif
