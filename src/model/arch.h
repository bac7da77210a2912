#ifndef SG_MODEL_ARCH_H
#define SG_MODEL_ARCH_H
#include "base/json.h"
#include "model/model.h"
SG_C_BEGIN
/*
 * An architecture maps a configuration and a checkpoint's tensor names onto the
 * decoder. Our names: embed, pos, layers.N.norm1, layers.N.attn.q ..., layers.N.norm2,
 * layers.N.mlp.gate ..., norm, head; biases of maps and norms have .bias behind them;
 * layers.N.attn.q_norm and k_norm. Which of them a model has, sg_desc_has says.
 */

/* How one of ours stands in the stored tensor. */
enum sg_layout {
	SG_AS_IS,
	SG_TURNED,			/* [in,out]: y = x W */
	SG_TURNED_Q, SG_TURNED_K, SG_TURNED_V,	/* the same, q, k, v side by side; vectors: one after another */
	SG_HEADS_Q, SG_HEADS_K, SG_HEADS_V,	/* rows of head 0 of q, of k, of v, then of head 1 ... */
	SG_ROWS_Q, SG_ROWS_K, SG_ROWS_V,	/* rows of q, then of k, then of v */
	SG_PAIRED			/* rows of each head in pairs, see struct sg_mat */
};

struct sg_arch_tensor {
	const char *ours, *theirs;	/* one %zu each in a layer's tensors, else none */
	/* of theirs, a letter a dimension: V vocab, D width, Q heads * head_dim, G kv_heads * head_dim,
	 * F ffn, P rows of the table of positions, K head_dim, T = Q + 2 G */
	const char *shape;
	enum sg_layout layout;
};
size_t sg_arch_letter(const struct sg_desc *d, char letter);
/* The part of a stored tensor that is ours: its shape and steps, without data and
 * dtype, and the element of the stored tensor at which it begins. */
struct sg_mat sg_arch_view(const struct sg_desc *d, const struct sg_arch_tensor *a, size_t *begin);

struct sg_arch {
	const char *name;		/* model_type of the configuration */
	int (*config)(struct sg_desc *d, const struct sg_json *cfg);
	const struct sg_arch_tensor *tensors;	/* ours NULL ends */
	/* A prefix of theirs that a file may have otherwise; NULL: none. */
	const char *prefix, *or_prefix;
	/* Is a tensor of the file that is not in the list harmless? NULL: never. */
	bool (*ignore)(const struct sg_desc *d, const char *theirs);
	/* The frozen embedding table [vocab,d] where it is computed; NULL: it is a tensor. */
	void (*embed)(const struct sg_desc *d, float *table);
	/* config.json of this description, for a base that sg writes. */
	int (*write_config)(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out);
};

#define SG_ARCH(name) extern const struct sg_arch sg_arch_##name;
#include "model/archs.def"
#undef SG_ARCH
extern const struct sg_arch *const sg_archs[];	/* NULL ends */
/* By model_type; UNSUPPORTED lists those that are known. */
int sg_arch_find(const struct sg_arch **out, const char *model_type);

/* Helpers for config readers: a whole number in range that must be there, or
 * has a default (0: it must be there). */
int sg_arch_size(const struct sg_json *cfg, const char *key, size_t dflt, size_t max, size_t *out);
/* dflt: of a file that names none */
int sg_arch_act(const struct sg_json *cfg, const char *key, const char *dflt, enum sg_act *out);
bool sg_arch_null(const struct sg_json *cfg, const char *key);	/* there, and null */
/* `mask` into d->bias when the truth `key` holds. */
int sg_arch_bias(struct sg_desc *d, const struct sg_json *cfg, const char *key, bool dflt, unsigned mask);
/* UNSUPPORTED names a key whose value would change what is computed. */
int sg_arch_refuse(const struct sg_json *cfg);
/* Sizes that do not fit each other. */
int sg_arch_check(const struct sg_desc *d);
/* Attention windows: max_pos shrinks to one that some layers have. Absent key: dflt (0: none). */
int sg_arch_window(struct sg_desc *d, const struct sg_json *cfg, size_t dflt);
/* Does theirs end so? */
bool sg_arch_tail(const char *theirs, const char *tail);
/*
 * The Llama family: one table of names and one set of keys, with a member's own
 * values for keys that a file lacks. kv_heads and head_dim 0: what heads and
 * width give.
 */
struct sg_arch_llama { size_t vocab, d, ffn, layers, heads, kv_heads, head_dim, max_pos; };
int sg_arch_llama_config(struct sg_desc *d, const struct sg_json *cfg, const struct sg_arch_llama *dflt);
extern const struct sg_arch_tensor sg_arch_llama_tensors[];
bool sg_arch_llama_ignore(const struct sg_desc *d, const char *theirs);
int sg_arch_llama_write(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out);

/* config.json with some whole numbers or truths replaced or added, or keys left out. */
struct sg_arch_set { const char *key; size_t value; bool truth, drop; };
int sg_arch_rewrite(struct sg_buf *out, const struct sg_json *old, const struct sg_arch_set *set, size_t n);
SG_C_END
#endif
