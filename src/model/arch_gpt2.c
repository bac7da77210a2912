/*
 * gpt2: GPT-2 (Radford and others 2019) and kin (config.json of GPT2LMHeadModel). Its
 * maps are stored as [in,out], query, key and value in one.
 */
#include "model/arch.h"
#include "base/error.h"

static int refuse(const struct sg_json *cfg)
{
	bool scale = true, by_layer = false;

	SG_TRY(sg_arch_refuse(cfg));
	SG_TRY(sg_json_bool(cfg, "scale_attn_weights", &scale));
	SG_TRY(sg_json_bool(cfg, "scale_attn_by_inverse_layer_idx", &by_layer));
	if (!scale)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: 'scale_attn_weights' false is not supported");
	return by_layer ? sg_fail(SG_E_UNSUPPORTED, "config.json: 'scale_attn_by_inverse_layer_idx' is not supported") : 0;
}

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	double eps = 1e-5;

	SG_TRY(refuse(cfg));
	SG_TRY(sg_arch_size(cfg, "vocab_size", 50257, 1 << 24, &d->vocab));
	SG_TRY(sg_arch_size(cfg, "n_embd", 768, 1 << 20, &d->d));
	SG_TRY(sg_arch_size(cfg, "n_layer", 12, 4096, &d->layers));
	SG_TRY(sg_arch_size(cfg, "n_head", 12, 4096, &d->heads));
	SG_TRY(sg_arch_size(cfg, "n_positions", 1024, 1 << 26, &d->max_pos));
	SG_TRY(sg_arch_size(cfg, "n_inner", 4 * d->d, 1 << 22, &d->ffn));
	if (d->d % d->heads)
		return sg_fail(SG_E_CORRUPT, "config.json: a width of %zu is no multiple of %zu heads", d->d, d->heads);
	d->kv_heads = d->heads;
	d->head_dim = d->d / d->heads;
	SG_TRY(sg_json_f64(cfg, "layer_norm_epsilon", &eps));
	d->eps = (float)eps;
	SG_TRY(sg_arch_act(cfg, "activation_function", "gelu_new", &d->act));
	d->tied = d->has_head = d->layernorm = d->learned_pos = true;
	d->rope_gain = 1;
	SG_TRY(sg_json_bool(cfg, "tie_word_embeddings", &d->tied));
	d->bias = 1 << SG_Q | 1 << SG_K | 1 << SG_V | 1 << SG_O | 1 << SG_UP | 1 << SG_DOWN;
	return sg_arch_check(d);
}

#define L "layers.%zu."
#define H "transformer.h.%zu."
static const struct sg_arch_tensor tensors[] = {
	{ "embed", "transformer.wte.weight", "VD", SG_AS_IS },
	{ "pos", "transformer.wpe.weight", "PD", SG_AS_IS },
	{ L "norm1", H "ln_1.weight", "D", SG_AS_IS },
	{ L "norm1.bias", H "ln_1.bias", "D", SG_AS_IS },
	{ L "attn.q", H "attn.c_attn.weight", "DT", SG_TURNED_Q },
	{ L "attn.k", H "attn.c_attn.weight", "DT", SG_TURNED_K },
	{ L "attn.v", H "attn.c_attn.weight", "DT", SG_TURNED_V },
	{ L "attn.q.bias", H "attn.c_attn.bias", "T", SG_TURNED_Q },
	{ L "attn.k.bias", H "attn.c_attn.bias", "T", SG_TURNED_K },
	{ L "attn.v.bias", H "attn.c_attn.bias", "T", SG_TURNED_V },
	{ L "attn.o", H "attn.c_proj.weight", "QD", SG_TURNED },
	{ L "attn.o.bias", H "attn.c_proj.bias", "D", SG_AS_IS },
	{ L "norm2", H "ln_2.weight", "D", SG_AS_IS },
	{ L "norm2.bias", H "ln_2.bias", "D", SG_AS_IS },
	{ L "mlp.up", H "mlp.c_fc.weight", "DF", SG_TURNED },
	{ L "mlp.up.bias", H "mlp.c_fc.bias", "F", SG_AS_IS },
	{ L "mlp.down", H "mlp.c_proj.weight", "FD", SG_TURNED },
	{ L "mlp.down.bias", H "mlp.c_proj.bias", "D", SG_AS_IS },
	{ "norm", "transformer.ln_f.weight", "D", SG_AS_IS },
	{ "norm.bias", "transformer.ln_f.bias", "D", SG_AS_IS },
	{ "head", "lm_head.weight", "VD", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

/* Masks of attention, and a tied head that is stored twice. */
static bool ignore(const struct sg_desc *d, const char *theirs)
{
	return sg_arch_tail(theirs, ".attn.bias") || sg_arch_tail(theirs, ".attn.masked_bias") ||
	       (d->tied && !strcmp(theirs, "lm_head.weight"));
}

static int write_config(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out)
{
	const struct sg_arch_set set[] = {
		{ .key = "n_layer", .value = d->layers },
		{ .key = "n_inner", .value = d->ffn },
		{ .key = "tie_word_embeddings", .value = d->tied, .truth = true },
	};

	return sg_arch_rewrite(out, old, set, SG_LEN(set));
}

const struct sg_arch sg_arch_gpt2 = {
	.name = "gpt2", .config = config, .tensors = tensors, .prefix = "transformer.", .or_prefix = "", .ignore = ignore,
	.write_config = write_config,
};
