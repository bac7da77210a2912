/* llama: Llama 1 and 2, SmolLM and kin (config.json of LlamaForCausalLM). */
#include "model/arch.h"
#include "base/error.h"

static int refuse_true(const struct sg_json *cfg, const char *key)
{
	bool yes = false;

	SG_TRY(sg_json_bool(cfg, key, &yes));
	return yes ? sg_fail(SG_E_UNSUPPORTED, "config.json: '%s' is not supported", key) : 0;
}

/* v4 files have rope_theta and rope_scaling, v5 files rope_parameters. */
static int rope(struct sg_desc *d, const struct sg_json *cfg)
{
	const struct sg_json *p = sg_json_get(cfg, "rope_parameters"), *s = sg_json_get(cfg, "rope_scaling");
	const char *type = "default";

	d->rope_theta = 10000.0;
	SG_TRY(sg_json_f64(cfg, "rope_theta", &d->rope_theta));
	if (p && p->type == SG_JSON_OBJECT) {
		SG_TRY(sg_json_f64(p, "rope_theta", &d->rope_theta));
		SG_TRY(sg_json_str(p, "rope_type", &type));
	} else if (s && s->type == SG_JSON_OBJECT) {
		SG_TRY(sg_json_str(s, "type", &type));
		SG_TRY(sg_json_str(s, "rope_type", &type));
	}
	if (strcmp(type, "default"))
		return sg_fail(SG_E_UNSUPPORTED, "config.json: rope type '%s' is not supported", type);
	if (!(d->rope_theta > 0))
		return sg_fail(SG_E_CORRUPT, "config.json: 'rope_theta' is not positive");
	return 0;
}

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	double eps = 1e-6;

	SG_TRY(sg_arch_size(cfg, "vocab_size", 32000, 1 << 24, &d->vocab));
	SG_TRY(sg_arch_size(cfg, "hidden_size", 4096, 1 << 20, &d->d));
	SG_TRY(sg_arch_size(cfg, "intermediate_size", 11008, 1 << 22, &d->ffn));
	SG_TRY(sg_arch_size(cfg, "num_hidden_layers", 32, 4096, &d->layers));
	SG_TRY(sg_arch_size(cfg, "num_attention_heads", 32, 4096, &d->heads));
	SG_TRY(sg_arch_size(cfg, "num_key_value_heads", d->heads, 4096, &d->kv_heads));
	SG_TRY(sg_arch_size(cfg, "head_dim", SG_MAX(d->d / d->heads, 1), 4096, &d->head_dim));
	SG_TRY(sg_arch_size(cfg, "max_position_embeddings", 2048, 1 << 26, &d->max_pos));
	if (d->heads % d->kv_heads)
		return sg_fail(SG_E_CORRUPT, "config.json: %zu heads are no multiple of %zu key/value heads", d->heads,
			       d->kv_heads);
	if (d->head_dim % 2)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: head_dim %zu is odd", d->head_dim);
	SG_TRY(sg_json_f64(cfg, "rms_norm_eps", &eps));
	d->eps = (float)eps;
	SG_TRY(refuse_true(cfg, "attention_bias"));
	SG_TRY(refuse_true(cfg, "mlp_bias"));
	SG_TRY(sg_arch_act(cfg, "hidden_act", &d->act));
	SG_TRY(sg_json_bool(cfg, "tie_word_embeddings", &d->tied));
	d->has_head = true;
	return rope(d, cfg);
}

static bool tied(const struct sg_desc *d)
{
	return d->tied;
}

static const struct sg_arch_tensor tensors[] = {
	{ "embed",               "model.embed_tokens.weight", "VD", NULL },
	{ "layers.%zu.norm1",    "model.layers.%zu.input_layernorm.weight", "D", NULL },
	{ "layers.%zu.attn.q",   "model.layers.%zu.self_attn.q_proj.weight", "QD", NULL },
	{ "layers.%zu.attn.k",   "model.layers.%zu.self_attn.k_proj.weight", "GD", NULL },
	{ "layers.%zu.attn.v",   "model.layers.%zu.self_attn.v_proj.weight", "GD", NULL },
	{ "layers.%zu.attn.o",   "model.layers.%zu.self_attn.o_proj.weight", "DQ", NULL },
	{ "layers.%zu.norm2",    "model.layers.%zu.post_attention_layernorm.weight", "D", NULL },
	{ "layers.%zu.mlp.gate", "model.layers.%zu.mlp.gate_proj.weight", "FD", NULL },
	{ "layers.%zu.mlp.up",   "model.layers.%zu.mlp.up_proj.weight", "FD", NULL },
	{ "layers.%zu.mlp.down", "model.layers.%zu.mlp.down_proj.weight", "DF", NULL },
	{ "norm",                "model.norm.weight", "D", NULL },
	{ "head",                "lm_head.weight", "VD", tied },
	{ NULL, NULL, NULL, NULL }
};

/* Old files carry a buffer of inverse frequencies; tied files may repeat the head. */
static bool ignore(const struct sg_desc *d, const char *theirs)
{
	const char *tail = ".self_attn.rotary_emb.inv_freq";
	size_t n = strlen(theirs), k = strlen(tail);

	return (n > k && !strcmp(theirs + n - k, tail)) || (d->tied && !strcmp(theirs, "lm_head.weight"));
}

static int write_config(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out)
{
	const struct sg_arch_set set[] = {
		{ "num_hidden_layers", d->layers, false }, { "tie_word_embeddings", d->tied, true },
	};

	return sg_arch_rewrite(out, old, set, SG_LEN(set));
}

const struct sg_arch sg_arch_llama = {
	.name = "llama", .config = config, .tensors = tensors, .ignore = ignore, .write_config = write_config,
};
