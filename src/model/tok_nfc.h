#ifndef SG_MODEL_TOK_NFC_H
#define SG_MODEL_TOK_NFC_H
#include "base/base.h"
#include "base/buf.h"
SG_C_BEGIN
/* Unicode's normalisation form C (UAX 15) over the tables of tok_uni.h. Texts
 * are valid UTF-8. */

/* Bytes from the start that surely stay as they are: n for most texts. */
size_t sg_nfc_same(const char *s, size_t n);
/* Appends the normalised text to out. */
int sg_nfc(struct sg_buf *out, const char *s, size_t n);
SG_C_END
#endif
