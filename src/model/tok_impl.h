#ifndef SG_MODEL_TOK_IMPL_H
#define SG_MODEL_TOK_IMPL_H
#include "base/base.h"
#include "model/tok_bpe.h"
#include "model/tok_level.h"
#include "model/tok_split.h"
#include "model/tok_words.h"
#include "model/tokenizer.h"
SG_C_BEGIN
/* What a tokenizer is made of, for the tok_*.c files only. A text passes
 * through it in this order: added tokens that match raw text are cut out, the
 * rest is normalised, added tokens that match normalised text are cut out, the
 * rest is split into words, words go to the model, the template goes around. */

/* Normaliser: each step in order. */
enum sg_tok_step_kind { SG_TOK_PREPEND, SG_TOK_REPLACE_ALL, SG_TOK_NFC };
struct sg_tok_step { enum sg_tok_step_kind kind; char *from, *to; size_t from_len, to_len; };
#define SG_TOK_STEPS 8
#define SG_TOK_CUTS  4

/* A token that is found in text by its spelling. */
struct sg_tok_added {
	int32_t id;
	bool special, normalized, lstrip, rstrip, single;
	char *pattern;		/* what is looked for: normalised when `normalized` */
	size_t n;
};

/* Leftmost-longest search: patterns sorted by first byte, then longest first;
 * second has the bytes that may come after each first one. */
struct sg_tok_finder {
	const struct sg_tok_added **list;
	size_t n;
	uint32_t first[257];
	uint64_t second[256][4];
};

enum sg_tok_scheme { SG_TOK_ALWAYS, SG_TOK_FIRST, SG_TOK_NEVER };

struct sg_tokenizer {
	bool byte;			/* else bpe */
	struct sg_bpe bpe;
	struct sg_vocab extra;		/* added tokens that the model's vocabulary lacks */
	struct sg_tok_added *added;
	size_t n_added;
	struct sg_tok_finder raw, normal;
	struct sg_tok_step step[SG_TOK_STEPS];
	size_t n_steps;
	/* words: byte-level, each cut in order on what the one before gave */
	bool level;
	struct sg_level lev;
	sg_split_fn *cut[SG_TOK_CUTS];
	size_t n_cuts, space_at;	/* before this cut a space is put in front, SIZE_MAX: before none */
	struct sg_words_shelf *shelf;
	/* or by metaspace, else the whole text */
	bool metaspace, split;
	enum sg_tok_scheme scheme;
	char meta[5];			/* the replacement character */
	size_t meta_len;
	struct sg_ids prefix, suffix;	/* template */
	/* decoding */
	struct sg_tok_step back[SG_TOK_STEPS];	/* replacements on each token's spelling */
	size_t n_back;
	bool back_level;		/* the byte-level spelling is undone */
	bool back_bytes, back_meta;	/* <0xNN> is a byte; metaspace's own way */
	bool back_strip;		/* one space is taken off the front of a text */
	struct sg_buf piece;		/* decoded spellings, by id */
	struct { uint32_t at, len; } *piece_at;
	unsigned char *piece_kind;	/* 0 unknown, else bits below */
	size_t vocab;
	int32_t bos, eos;
};
enum { SG_TOK_KNOWN = 1, SG_TOK_IS_BYTE = 2, SG_TOK_IS_SPECIAL = 4 };

struct sg_json;
/* tok_json.c: everything but what sg_tok_finish makes. */
int sg_tok_json(struct sg_tokenizer *t, const struct sg_json *root, const char *what);
/* Tables over vocabulary and merges, for the kind of words that t has; refuses
 * a vocabulary that would lose characters of a text. */
int sg_tok_tables(struct sg_tokenizer *t, const char *what);
/* Normalise the patterns of added tokens that are looked for in normalised text. */
int sg_tok_normalise_added(struct sg_tokenizer *t);
/* Finders, pieces, ends: the last step of making a tokenizer. */
int sg_tok_finish(struct sg_tokenizer *t);
/* tok_added.c */
int sg_tok_finder_init(struct sg_tok_finder *f, const struct sg_tok_added *list, size_t n, bool normalized);
/* A single_word token at s + at has no word character beside it. */
bool sg_tok_stands_alone(const char *s, size_t n, size_t at, size_t len);
/* The first match at or after *at: *at is its start; NULL for none. */
const struct sg_tok_added *sg_tok_find(const struct sg_tok_finder *f, const char *s, size_t n, size_t *at);
void sg_tok_finder_release(struct sg_tok_finder *f);
/* Spelling of an id, borrowed; NULL when unknown. */
const char *sg_tok_spelling(const struct sg_tokenizer *t, int64_t id, size_t *n);
/* Run a text through n steps into out, which is replaced. */
int sg_tok_steps(const struct sg_tok_step *step, size_t n_steps, struct sg_buf *out, const char *s, size_t n);
SG_C_END
#endif
