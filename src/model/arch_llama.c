/*
 * llama: Llama 1 to 3, SmolLM, SmolLM2 and kin (config.json of LlamaForCausalLM), and
 * what the rest of the family shares with it: Mistral, Qwen2, Qwen3.
 */
#include "model/arch.h"
#include "base/error.h"
#include "model/rotary.h"

int sg_arch_llama_config(struct sg_desc *d, const struct sg_json *cfg, const struct sg_arch_llama *dflt)
{
	size_t kv;
	double eps = 1e-6;

	SG_TRY(sg_arch_refuse(cfg));
	SG_TRY(sg_arch_size(cfg, "vocab_size", dflt->vocab, 1 << 24, &d->vocab));
	SG_TRY(sg_arch_size(cfg, "hidden_size", dflt->d, 1 << 20, &d->d));
	SG_TRY(sg_arch_size(cfg, "intermediate_size", dflt->ffn, 1 << 22, &d->ffn));
	SG_TRY(sg_arch_size(cfg, "num_hidden_layers", dflt->layers, 4096, &d->layers));
	SG_TRY(sg_arch_size(cfg, "num_attention_heads", dflt->heads, 4096, &d->heads));
	kv = dflt->kv_heads && !sg_arch_null(cfg, "num_key_value_heads") ? dflt->kv_heads : d->heads;
	SG_TRY(sg_arch_size(cfg, "num_key_value_heads", kv, 4096, &d->kv_heads));
	SG_TRY(sg_arch_size(cfg, "head_dim", dflt->head_dim ? dflt->head_dim : SG_MAX(d->d / d->heads, 1), 4096,
			    &d->head_dim));
	SG_TRY(sg_arch_size(cfg, "max_position_embeddings", dflt->max_pos, 1 << 26, &d->max_pos));
	SG_TRY(sg_json_f64(cfg, "rms_norm_eps", &eps));
	d->eps = (float)eps;
	SG_TRY(sg_arch_act(cfg, "hidden_act", "silu", &d->act));
	SG_TRY(sg_json_bool(cfg, "tie_word_embeddings", &d->tied));
	d->has_head = d->gated = true;
	SG_TRY(sg_arch_check(d));
	return sg_rotary_config(d, cfg, "rope_theta", NULL);
}

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	static const struct sg_arch_llama dflt = {
		.vocab = 32000, .d = 4096, .ffn = 11008, .layers = 32, .heads = 32, .max_pos = 2048,
	};

	SG_TRY(sg_arch_llama_config(d, cfg, &dflt));
	SG_TRY(sg_arch_bias(d, cfg, "attention_bias", false, 1 << SG_Q | 1 << SG_K | 1 << SG_V | 1 << SG_O));
	return sg_arch_bias(d, cfg, "mlp_bias", false, 1 << SG_GATE | 1 << SG_UP | 1 << SG_DOWN);
}

#define L "layers.%zu."
#define M "model.layers.%zu."
const struct sg_arch_tensor sg_arch_llama_tensors[] = {
	{ "embed", "model.embed_tokens.weight", "VD", SG_AS_IS },
	{ L "norm1", M "input_layernorm.weight", "D", SG_AS_IS },
	{ L "attn.q", M "self_attn.q_proj.weight", "QD", SG_AS_IS },
	{ L "attn.q.bias", M "self_attn.q_proj.bias", "Q", SG_AS_IS },
	{ L "attn.k", M "self_attn.k_proj.weight", "GD", SG_AS_IS },
	{ L "attn.k.bias", M "self_attn.k_proj.bias", "G", SG_AS_IS },
	{ L "attn.v", M "self_attn.v_proj.weight", "GD", SG_AS_IS },
	{ L "attn.v.bias", M "self_attn.v_proj.bias", "G", SG_AS_IS },
	{ L "attn.q_norm", M "self_attn.q_norm.weight", "K", SG_AS_IS },
	{ L "attn.k_norm", M "self_attn.k_norm.weight", "K", SG_AS_IS },
	{ L "attn.o", M "self_attn.o_proj.weight", "DQ", SG_AS_IS },
	{ L "attn.o.bias", M "self_attn.o_proj.bias", "D", SG_AS_IS },
	{ L "norm2", M "post_attention_layernorm.weight", "D", SG_AS_IS },
	{ L "mlp.gate", M "mlp.gate_proj.weight", "FD", SG_AS_IS },
	{ L "mlp.gate.bias", M "mlp.gate_proj.bias", "F", SG_AS_IS },
	{ L "mlp.up", M "mlp.up_proj.weight", "FD", SG_AS_IS },
	{ L "mlp.up.bias", M "mlp.up_proj.bias", "F", SG_AS_IS },
	{ L "mlp.down", M "mlp.down_proj.weight", "DF", SG_AS_IS },
	{ L "mlp.down.bias", M "mlp.down_proj.bias", "D", SG_AS_IS },
	{ "norm", "model.norm.weight", "D", SG_AS_IS },
	{ "head", "lm_head.weight", "VD", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

/* Old files carry a buffer of inverse frequencies; tied files may repeat the head. */
bool sg_arch_llama_ignore(const struct sg_desc *d, const char *theirs)
{
	return sg_arch_tail(theirs, ".self_attn.rotary_emb.inv_freq") || (d->tied && !strcmp(theirs, "lm_head.weight"));
}

/* layer_types, where there is one, says what its absence says: full attention everywhere. */
int sg_arch_llama_write(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out)
{
	const struct sg_arch_set set[] = {
		{ .key = "num_hidden_layers", .value = d->layers },
		{ .key = "intermediate_size", .value = d->ffn },
		{ .key = "tie_word_embeddings", .value = d->tied, .truth = true },
		{ .key = "layer_types", .drop = true },
	};
	int64_t layers = (int64_t)d->layers;

	SG_TRY(sg_json_i64(old, "num_hidden_layers", 0, 4096, &layers));
	if (d->windowed && (size_t)layers != d->layers)
		return sg_fail(SG_E_UNSUPPORTED, "a base with attention windows cannot become one of another depth: the "
			       "configuration gives its windows by the numbers of layers");
	return sg_arch_rewrite(out, old, set, d->windowed ? SG_LEN(set) - 1 : SG_LEN(set));
}

const struct sg_arch sg_arch_llama = {
	.name = "llama", .config = config, .tensors = sg_arch_llama_tensors, .ignore = sg_arch_llama_ignore,
	.write_config = sg_arch_llama_write,
};
