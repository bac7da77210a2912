#ifndef SG_MODEL_TOK_JSON_H
#define SG_MODEL_TOK_JSON_H
#include "base/base.h"
#include "base/json.h"
#include "model/tok_impl.h"
SG_C_BEGIN
/* Between the files that read tokenizer.json. Errors name the tokenizer `what`. */
int sg_tokj_unsupported(const char *what, const char *part, const char *name);
int sg_tokj_corrupt(const char *what, const char *why);
bool sg_tokj_is_null(const struct sg_json *j);
bool sg_tokj_is(const struct sg_json *j, const char *s);
/* The "type" of a part, "" when there is none. */
const char *sg_tokj_type(const struct sg_json *j);
int sg_tokj_copy(char **out, size_t *n, const struct sg_json *j, const char *what);
int sg_tokj_count(const struct sg_json *j, const char *key, int64_t hi, const char *what, int64_t *out);
int sg_tokj_flag(const struct sg_json *j, const char *key, const char *what, bool *out);
/* Parts of a Sequence under `list`, or the part itself; then the next or NULL. */
const struct sg_json *sg_tokj_parts(const struct sg_json *j, const char *list);
const struct sg_json *sg_tokj_next(const struct sg_json *whole, const struct sg_json *p);

/* What happens to text: tok_json_text.c. */
int sg_tokj_normalizer(struct sg_tokenizer *t, const struct sg_json *j, const char *what);
int sg_tokj_words(struct sg_tokenizer *t, const struct sg_json *j, const char *what);
int sg_tokj_decoder(struct sg_tokenizer *t, const struct sg_json *j, const char *what);
SG_C_END
#endif
