#ifndef SG_MODEL_GGUF_BASE_H
#define SG_MODEL_GGUF_BASE_H
#include "base/buf.h"
#include "format/gguf.h"
SG_C_BEGIN
/*
 * A GGUF file as the Hugging Face folder that it was made from: its metadata as
 * the config.json and tokenizer.json texts that say the same, so that what reads
 * those reads this, and a registry keeps them. The texts are a pure function of
 * the file. Architectures: llama (Mistral and SmolLM go under this name too),
 * gpt2, qwen2, qwen3. Whatever would change what is computed and cannot be
 * said in these texts is refused by name.
 */
int sg_gguf_config(struct sg_buf *out, const struct sg_gguf *g, const char *what);
/* Vocabularies: byte-level BPE ("gpt2") with the word patterns of GPT-2, Llama 3,
 * Qwen2 and SmolLM, and sentencepiece BPE ("llama"). */
int sg_gguf_tokenizer(struct sg_buf *out, const struct sg_gguf *g, const char *what);

/* Where files of this model_type have our tensors; NULL: of none that are known.
 * A base with a tensor of this name has the names of GGUF. */
#define SG_GGUF_EMBED "token_embd.weight"
struct sg_arch_tensor;
const struct sg_arch_tensor *sg_gguf_names(const char *model_type);
/* Its frequencies are in the configuration: see sg_gguf_config. */
#define SG_GGUF_FREQS "rope_freqs.weight"
SG_C_END
#endif
