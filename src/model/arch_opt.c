/*
 * opt: OPT (Zhang and others 2022), all sizes but 350m, whose norms stand behind the
 * residual additions and whose embedding is narrower than the model. The first two
 * rows of its table of positions belong to no position.
 */
#include "model/arch.h"
#include "base/error.h"

static int truth(const struct sg_json *cfg, const char *key, bool want)
{
	bool yes = want;

	SG_TRY(sg_json_bool(cfg, key, &yes));
	return yes == want ? 0 : sg_fail(SG_E_UNSUPPORTED, "config.json: '%s' %s is not supported", key,
					 want ? "false" : "true");
}

static int refuse(const struct sg_json *cfg, size_t d)
{
	size_t embed;

	SG_TRY(sg_arch_refuse(cfg));
	if (truth(cfg, "do_layer_norm_before", true) < 0)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: 'do_layer_norm_before' false (OPT-350m) is not supported: its "
			       "norms stand behind the residual additions");
	SG_TRY(truth(cfg, "layer_norm_elementwise_affine", true));
	SG_TRY(truth(cfg, "_remove_final_layer_norm", false));
	SG_TRY(sg_arch_size(cfg, "word_embed_proj_dim", d, 1 << 20, &embed));
	return embed == d ? 0 : sg_fail(SG_E_UNSUPPORTED, "config.json: 'word_embed_proj_dim' %zu is not supported: it needs "
					"a projection to the width %zu", embed, d);
}

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	const unsigned bias = 1 << SG_Q | 1 << SG_K | 1 << SG_V | 1 << SG_O | 1 << SG_UP | 1 << SG_DOWN;

	SG_TRY(sg_arch_size(cfg, "vocab_size", 50272, 1 << 24, &d->vocab));
	SG_TRY(sg_arch_size(cfg, sg_json_get(cfg, "hidden_size") ? "hidden_size" : "d_model", 768, 1 << 20, &d->d));
	SG_TRY(refuse(cfg, d->d));
	SG_TRY(sg_arch_size(cfg, "num_hidden_layers", 12, 4096, &d->layers));
	SG_TRY(sg_arch_size(cfg, "num_attention_heads", 12, 4096, &d->heads));
	SG_TRY(sg_arch_size(cfg, "ffn_dim", 3072, 1 << 22, &d->ffn));
	SG_TRY(sg_arch_size(cfg, "max_position_embeddings", 2048, 1 << 26, &d->max_pos));
	if (d->d % d->heads)
		return sg_fail(SG_E_CORRUPT, "config.json: a width of %zu is no multiple of %zu heads", d->d, d->heads);
	d->kv_heads = d->heads;
	d->head_dim = d->d / d->heads;
	d->eps = 1e-5f;
	d->pos_first = 2;
	d->rope_gain = 1;
	SG_TRY(sg_arch_act(cfg, "activation_function", "relu", &d->act));
	d->tied = d->has_head = d->layernorm = d->learned_pos = true;
	SG_TRY(sg_json_bool(cfg, "tie_word_embeddings", &d->tied));
	SG_TRY(sg_arch_bias(d, cfg, "enable_bias", true, bias));
	return sg_arch_check(d);
}

#define L "layers.%zu."
#define M "model.decoder.layers.%zu."
static const struct sg_arch_tensor tensors[] = {
	{ "embed", "model.decoder.embed_tokens.weight", "VD", SG_AS_IS },
	{ "pos", "model.decoder.embed_positions.weight", "PD", SG_AS_IS },
	{ L "norm1", M "self_attn_layer_norm.weight", "D", SG_AS_IS },
	{ L "norm1.bias", M "self_attn_layer_norm.bias", "D", SG_AS_IS },
	{ L "attn.q", M "self_attn.q_proj.weight", "QD", SG_AS_IS },
	{ L "attn.q.bias", M "self_attn.q_proj.bias", "Q", SG_AS_IS },
	{ L "attn.k", M "self_attn.k_proj.weight", "GD", SG_AS_IS },
	{ L "attn.k.bias", M "self_attn.k_proj.bias", "G", SG_AS_IS },
	{ L "attn.v", M "self_attn.v_proj.weight", "GD", SG_AS_IS },
	{ L "attn.v.bias", M "self_attn.v_proj.bias", "G", SG_AS_IS },
	{ L "attn.o", M "self_attn.out_proj.weight", "DQ", SG_AS_IS },
	{ L "attn.o.bias", M "self_attn.out_proj.bias", "D", SG_AS_IS },
	{ L "norm2", M "final_layer_norm.weight", "D", SG_AS_IS },
	{ L "norm2.bias", M "final_layer_norm.bias", "D", SG_AS_IS },
	{ L "mlp.up", M "fc1.weight", "FD", SG_AS_IS },
	{ L "mlp.up.bias", M "fc1.bias", "F", SG_AS_IS },
	{ L "mlp.down", M "fc2.weight", "DF", SG_AS_IS },
	{ L "mlp.down.bias", M "fc2.bias", "D", SG_AS_IS },
	{ "norm", "model.decoder.final_layer_norm.weight", "D", SG_AS_IS },
	{ "norm.bias", "model.decoder.final_layer_norm.bias", "D", SG_AS_IS },
	{ "head", "lm_head.weight", "VD", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

static bool ignore(const struct sg_desc *d, const char *theirs)
{
	return d->tied && !strcmp(theirs, "lm_head.weight");
}

static int write_config(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out)
{
	const struct sg_arch_set set[] = {
		{ .key = "num_hidden_layers", .value = d->layers },
		{ .key = "ffn_dim", .value = d->ffn },
		{ .key = "tie_word_embeddings", .value = d->tied, .truth = true },
	};

	return sg_arch_rewrite(out, old, set, SG_LEN(set));
}

const struct sg_arch sg_arch_opt = {
	.name = "opt", .config = config, .tensors = tensors, .prefix = "model.decoder.", .or_prefix = "decoder.",
	.ignore = ignore, .write_config = write_config,
};
