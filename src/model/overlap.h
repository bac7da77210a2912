#ifndef SG_MODEL_OVERLAP_H
#define SG_MODEL_OVERLAP_H
#include "base/base.h"
#include "base/file.h"
#include "model/dataset.h"
SG_C_BEGIN
/*
 * Near copies between sets. Texts are reduced to words (runs of letters and
 * digits, lower case; an ideograph is a word of its own); every 13 words in a row are hashed to 64 bits. Two
 * documents that share a 13-gram are called overlapping (the rule of Brown et
 * al. 2020, appendix C). A document of fewer words has none. The hashes of a set
 * stand beside its shard, sorted, so that a new set can be held against it
 * without its text. They are local: never committed.
 */
#define SG_NGRAM 13

/* Sorted, unique. Owned when cap is not 0, else in what was parsed. */
struct sg_ngrams { uint64_t *hash; size_t n, cap; struct sg_map map; };

/* All 13-grams of some documents. */
int sg_ngrams_make(struct sg_ngrams *out, const struct sg_doc *doc, size_t n);
int sg_ngrams_write(const struct sg_ngrams *g, const char *path);
/* Pure; the bytes, eight-byte aligned, must outlive out. */
int sg_ngrams_parse(struct sg_ngrams *out, const unsigned char *data, size_t n, const char *what);
/* NOTFOUND when there is no such file. */
int sg_ngrams_open(struct sg_ngrams *out, const char *path);
void sg_ngrams_release(struct sg_ngrams *g);

/* How many of the document's 13-grams stand in g; CORRUPT when it is no UTF-8. */
int64_t sg_ngrams_shared(const struct sg_ngrams *g, const char *text, size_t n);

/* Documents that share a 13-gram with g: their number; `list` (may be NULL) gets
 * their indices, at most `max`, in order. */
int64_t sg_overlap(const struct sg_ngrams *g, const struct sg_doc *doc, size_t n, size_t *list, size_t max);
SG_C_END
#endif
