/*
 * gpt_neox: GPT-NeoX and Pythia (Biderman and others 2023). Rotary positions turn a
 * part of each head, attention and MLP stand side by side, and the rows of query, key
 * and value are interleaved head by head.
 */
#include "model/arch.h"
#include "base/error.h"
#include "model/rotary.h"

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	double eps = 1e-5, part = 0.25;

	SG_TRY(sg_arch_refuse(cfg));
	SG_TRY(sg_arch_size(cfg, "vocab_size", 50432, 1 << 24, &d->vocab));
	SG_TRY(sg_arch_size(cfg, "hidden_size", 6144, 1 << 20, &d->d));
	SG_TRY(sg_arch_size(cfg, "intermediate_size", 24576, 1 << 22, &d->ffn));
	SG_TRY(sg_arch_size(cfg, "num_hidden_layers", 44, 4096, &d->layers));
	SG_TRY(sg_arch_size(cfg, "num_attention_heads", 64, 4096, &d->heads));
	SG_TRY(sg_arch_size(cfg, "max_position_embeddings", 2048, 1 << 26, &d->max_pos));
	if (d->d % d->heads)
		return sg_fail(SG_E_CORRUPT, "config.json: a width of %zu is no multiple of %zu heads", d->d, d->heads);
	d->kv_heads = d->heads;
	d->head_dim = d->d / d->heads;
	SG_TRY(sg_json_f64(cfg, "layer_norm_eps", &eps));
	d->eps = (float)eps;
	SG_TRY(sg_arch_act(cfg, "hidden_act", "gelu", &d->act));
	d->has_head = d->layernorm = d->parallel = true;
	SG_TRY(sg_json_bool(cfg, "tie_word_embeddings", &d->tied));
	SG_TRY(sg_json_bool(cfg, "use_parallel_residual", &d->parallel));
	d->bias = 1 << SG_UP | 1 << SG_DOWN;
	SG_TRY(sg_arch_bias(d, cfg, "attention_bias", true, 1 << SG_Q | 1 << SG_K | 1 << SG_V | 1 << SG_O));
	SG_TRY(sg_arch_check(d));
	SG_TRY(sg_json_f64(cfg, "rotary_pct", &part));
	return sg_rotary_config(d, cfg, "rotary_emb_base", &part);
}

#define L "layers.%zu."
#define M "gpt_neox.layers.%zu."
static const struct sg_arch_tensor tensors[] = {
	{ "embed", "gpt_neox.embed_in.weight", "VD", SG_AS_IS },
	{ L "norm1", M "input_layernorm.weight", "D", SG_AS_IS },
	{ L "norm1.bias", M "input_layernorm.bias", "D", SG_AS_IS },
	{ L "attn.q", M "attention.query_key_value.weight", "TD", SG_HEADS_Q },
	{ L "attn.k", M "attention.query_key_value.weight", "TD", SG_HEADS_K },
	{ L "attn.v", M "attention.query_key_value.weight", "TD", SG_HEADS_V },
	{ L "attn.q.bias", M "attention.query_key_value.bias", "T", SG_HEADS_Q },
	{ L "attn.k.bias", M "attention.query_key_value.bias", "T", SG_HEADS_K },
	{ L "attn.v.bias", M "attention.query_key_value.bias", "T", SG_HEADS_V },
	{ L "attn.o", M "attention.dense.weight", "DQ", SG_AS_IS },
	{ L "attn.o.bias", M "attention.dense.bias", "D", SG_AS_IS },
	{ L "norm2", M "post_attention_layernorm.weight", "D", SG_AS_IS },
	{ L "norm2.bias", M "post_attention_layernorm.bias", "D", SG_AS_IS },
	{ L "mlp.up", M "mlp.dense_h_to_4h.weight", "FD", SG_AS_IS },
	{ L "mlp.up.bias", M "mlp.dense_h_to_4h.bias", "F", SG_AS_IS },
	{ L "mlp.down", M "mlp.dense_4h_to_h.weight", "DF", SG_AS_IS },
	{ L "mlp.down.bias", M "mlp.dense_4h_to_h.bias", "D", SG_AS_IS },
	{ "norm", "gpt_neox.final_layer_norm.weight", "D", SG_AS_IS },
	{ "norm.bias", "gpt_neox.final_layer_norm.bias", "D", SG_AS_IS },
	{ "head", "embed_out.weight", "VD", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

/* Masks and frequencies. */
static bool ignore(const struct sg_desc *d, const char *theirs)
{
	return sg_arch_tail(theirs, ".attention.bias") || sg_arch_tail(theirs, ".attention.masked_bias") ||
	       sg_arch_tail(theirs, ".attention.rotary_emb.inv_freq") || (d->tied && !strcmp(theirs, "embed_out.weight"));
}

static int write_config(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out)
{
	const struct sg_arch_set set[] = {
		{ .key = "num_hidden_layers", .value = d->layers },
		{ .key = "intermediate_size", .value = d->ffn },
		{ .key = "tie_word_embeddings", .value = d->tied, .truth = true },
	};

	return sg_arch_rewrite(out, old, set, SG_LEN(set));
}

const struct sg_arch sg_arch_gpt_neox = {
	.name = "gpt_neox", .config = config, .tensors = tensors, .ignore = ignore, .write_config = write_config,
};
