#ifndef SG_FORMAT_SPM_H
#define SG_FORMAT_SPM_H
#include "base/base.h"
SG_C_BEGIN
/*
 * A SentencePiece model (`tokenizer.model`): one protocol buffer message with the
 * pieces, what they were trained as, and how text is normalised. The reader is pure
 * and keeps what encoding depends on; fields that it does not know are passed over.
 */
enum sg_spm_kind { SG_SPM_NORMAL = 1, SG_SPM_UNKNOWN, SG_SPM_CONTROL, SG_SPM_USER, SG_SPM_UNUSED, SG_SPM_BYTE };
enum sg_spm_model { SG_SPM_UNIGRAM = 1, SG_SPM_BPE, SG_SPM_WORD, SG_SPM_CHAR };

struct sg_spm_piece { const char *s; size_t n; float score; enum sg_spm_kind kind; };	/* s borrowed, no NUL in it */

struct sg_spm {
	struct sg_spm_piece *piece;
	size_t n, cap;
	enum sg_spm_model model;
	bool byte_fallback;
	bool suffix;		/* spaces belong to the word in front of them */
	bool prefix;		/* a space is put in front of a text */
	bool trim;		/* spaces at the ends and doubled ones are taken out */
	bool escape;		/* a space is written as U+2581 */
	bool charsmap;		/* characters are rewritten by a table */
	int32_t unk, bos, eos;	/* -1: none */
};

/* data must outlive *out, which is written on success only. CORRUPT names `what`. */
int sg_spm_parse(struct sg_spm *out, const unsigned char *data, size_t n, const char *what);
void sg_spm_release(struct sg_spm *s);
SG_C_END
#endif
