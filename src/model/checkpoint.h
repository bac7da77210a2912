#ifndef SG_MODEL_CHECKPOINT_H
#define SG_MODEL_CHECKPOINT_H
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "format/tensors.h"
#include "model/model.h"
SG_C_BEGIN
/*
 * A base: configuration, tokenizer and weights, read-only. It comes from a
 * Hugging Face folder (mapped, weights stay in their stored type) or from bytes
 * in memory (a substrate, or a base that a registry holds). Opening checks that
 * the tensors are those of the architecture, with their shapes; what is missing,
 * unknown or of another shape is refused with the list.
 */
struct sg_checkpoint;

/* path: a folder with config.json, weights and tokenizer.json, or a GGUF file, whose
 * texts are made from its metadata (model/gguf_base.h). NOTFOUND, CORRUPT,
 * UNSUPPORTED. */
int sg_checkpoint_open(struct sg_checkpoint **out, const char *path);
/* Texts are copied. t[n] and what they point at are borrowed; `own` (may be NULL)
 * is freed with the checkpoint. tokenizer NULL: bytes. */
int sg_checkpoint_make(struct sg_checkpoint **out, const char *config, size_t config_n, const char *tokenizer,
		       size_t tokenizer_n, const struct sg_tensor_info *t, size_t n, void *own);
void sg_checkpoint_free(struct sg_checkpoint *c);

const struct sg_desc *sg_checkpoint_desc(const struct sg_checkpoint *c);
/* As given; the tokenizer's is NULL for bytes. */
const struct sg_buf *sg_checkpoint_config(const struct sg_checkpoint *c);
const struct sg_buf *sg_checkpoint_tokenizer(const struct sg_checkpoint *c);
/* By our name (model/arch.h), as a view of what is stored. NOTFOUND. */
int sg_checkpoint_mat(struct sg_mat *out, const struct sg_checkpoint *c, const char *ours);
bool sg_checkpoint_has(const struct sg_checkpoint *c, const char *ours);
/* Stored tensors, sorted by their own name; ours is the name of the (first) part of
 * it, "" for one that the engine ignores. */
size_t sg_checkpoint_count(const struct sg_checkpoint *c);
const struct sg_tensor_info *sg_checkpoint_tensor(const struct sg_checkpoint *c, size_t i, const char **ours);
/* Name in a checkpoint of this architecture of one of our tensors. */
int sg_checkpoint_theirs(char *out, size_t size, const struct sg_checkpoint *c, const char *ours);
/* The tensor of a checkpoint like c, described by d, that holds one of ours: its name
 * and shape, and where ours are: a view (without data and dtype) that begins at an
 * element of it. */
struct sg_spot { char theirs[160]; unsigned ndim; size_t shape[2]; struct sg_mat view; size_t begin; };
int sg_checkpoint_spot(struct sg_spot *out, const struct sg_checkpoint *c, const struct sg_desc *d,
			 const char *ours);
/* config.json text of c with layers, ffn, tied and has_head of d. */
int sg_checkpoint_config_for(struct sg_buf *out, const struct sg_checkpoint *c, const struct sg_desc *d);

/*
 * The pin: canonical JSON that names architecture and, by SHA-256, config,
 * tokenizer and every tensor's raw bytes. Its own SHA-256 is the base id. Reads
 * all weights; REFUSED when one of them is not finite.
 */
int sg_checkpoint_pin(struct sg_buf *manifest, const struct sg_checkpoint *c, const struct sg_progress *progress);
/* config.json of the default substrate. */
int sg_substrate_config(struct sg_buf *out, uint64_t seed, size_t d);
SG_C_END
#endif
