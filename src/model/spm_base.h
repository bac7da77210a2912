#ifndef SG_MODEL_SPM_BASE_H
#define SG_MODEL_SPM_BASE_H
#include "base/buf.h"
#include "format/spm.h"
SG_C_BEGIN
/*
 * A SentencePiece model as the tokenizer.json that says the same, so that what reads
 * that reads this, and a registry keeps it. BPE with byte fallback, as Llama 1 and 2
 * have it; what else there is (unigram, tables of characters, trimmed spaces) is
 * refused by name. add_bos, add_eos: what goes around a text.
 */
int sg_spm_tokenizer(struct sg_buf *out, const struct sg_spm *s, bool add_bos, bool add_eos, const char *what);
/* The same from the files of a folder: tokenizer.model, and what tokenizer_config.json,
 * if there is one, says of the ends. */
int sg_spm_folder(struct sg_buf *out, const char *dir);
SG_C_END
#endif
