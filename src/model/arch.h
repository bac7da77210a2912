#ifndef SG_MODEL_ARCH_H
#define SG_MODEL_ARCH_H
#include "base/json.h"
#include "model/model.h"
SG_C_BEGIN
/*
 * An architecture maps a configuration and a checkpoint's tensor names onto the
 * decoder. Our names: embed, layers.N.norm1, layers.N.attn.q ..., layers.N.norm2,
 * layers.N.mlp.gate ..., norm, head.
 */
struct sg_arch_tensor {
	const char *ours, *theirs;	/* one %zu each in a layer's tensors, else none */
	const char *shape;		/* letters: V vocab, D width, Q heads * head_dim, G kv_heads * head_dim, F ffn */
	bool (*absent)(const struct sg_desc *d);	/* NULL: always there */
};

struct sg_arch {
	const char *name;		/* model_type of the configuration */
	int (*config)(struct sg_desc *d, const struct sg_json *cfg);
	const struct sg_arch_tensor *tensors;	/* ours NULL ends */
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
/* By model_type; UNSUPPORTED lists those that are known. */
int sg_arch_find(const struct sg_arch **out, const char *model_type);

/* Helpers for config readers: a whole number in range that must be there, or
 * has a default (0: it must be there). */
int sg_arch_size(const struct sg_json *cfg, const char *key, size_t dflt, size_t max, size_t *out);
int sg_arch_act(const struct sg_json *cfg, const char *key, enum sg_act *out);
/* config.json with some whole numbers or truths replaced or added. */
struct sg_arch_set { const char *key; size_t value; bool truth; };
int sg_arch_rewrite(struct sg_buf *out, const struct sg_json *old, const struct sg_arch_set *set, size_t n);
SG_C_END
#endif
