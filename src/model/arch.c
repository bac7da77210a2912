#include "model/arch.h"
#include "base/error.h"
#include <math.h>

const struct sg_arch *const sg_archs[] = {
#define SG_ARCH(name) &sg_arch_##name,
#include "model/archs.def"
#undef SG_ARCH
	NULL
};

/* Kin that people will try, and what they would need. */
static const struct { const char *type, *needs; } kin[] = {
	{ "smollm3", "layers without rotary positions" },
	{ "gemma", "norms with weights of 1 + w and a scaled embedding" },
	{ "gemma2", "norms behind each map and capped logits" },
	{ "phi", "one norm for attention and MLP, and a head with a bias" },
	{ "phi3", "fused gate and up maps, and rotary frequencies that change with the length" },
	{ "mixtral", "experts" }, { "qwen2_moe", "experts" }, { "qwen3_moe", "experts" },
	{ "gptj", "rotary positions of neighbouring pairs" },
	{ "gpt_bigcode", "fused queries with one key head" },
	{ "bloom", "positions as attention biases" }, { "falcon", "one norm for attention and MLP" },
};

int sg_arch_find(const struct sg_arch **out, const char *model_type)
{
	char known[256] = "";

	for (size_t i = 0; sg_archs[i]; i++) {
		if (!strcmp(sg_archs[i]->name, model_type)) {
			*out = sg_archs[i];
			return 0;
		}
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "", sg_archs[i]->name);
	}
	for (size_t i = 0; i < SG_LEN(kin); i++)
		if (!strcmp(kin[i].type, model_type))
			return sg_fail(SG_E_UNSUPPORTED, "model_type '%s' is not supported: it needs %s (known: %s)",
				       model_type, kin[i].needs, known);
	return sg_fail(SG_E_UNSUPPORTED, "model_type '%s' is not supported (known: %s)", model_type, known);
}

/* --- tensors ----------------------------------------------------------------- */

size_t sg_arch_letter(const struct sg_desc *d, char letter)
{
	size_t q = d->heads * d->head_dim, g = d->kv_heads * d->head_dim;

	switch (letter) {
	case 'V': return d->vocab;
	case 'D': return d->d;
	case 'Q': return q;
	case 'G': return g;
	case 'F': return d->ffn;
	case 'P': return d->max_pos + d->pos_first;
	case 'K': return d->head_dim;
	case 'T': return q + 2 * g;
	}
	return 0;
}

struct sg_mat sg_arch_view(const struct sg_desc *d, const struct sg_arch_tensor *a, size_t *begin)
{
	size_t q = d->heads * d->head_dim, g = d->kv_heads * d->head_dim, K = d->head_dim, at = 0;
	size_t rows = sg_arch_letter(d, a->shape[0]), cols = a->shape[1] ? sg_arch_letter(d, a->shape[1]) : 1;
	bool vector = !a->shape[1];
	struct sg_mat m = { .data = NULL };

	switch (a->layout) {
	case SG_AS_IS:
		m.rows = vector ? 1 : rows;
		m.cols = vector ? rows : cols;
		break;
	case SG_TURNED:
		m.rows = m.ld = cols;
		m.cols = rows;
		m.turned = true;
		break;
	case SG_TURNED_Q: case SG_TURNED_K: case SG_TURNED_V:
		m.rows = a->layout == SG_TURNED_Q ? q : g;
		at = a->layout == SG_TURNED_Q ? 0 : a->layout == SG_TURNED_K ? q : q + g;
		m.cols = vector ? m.rows : rows;
		m.rows = vector ? 1 : m.rows;
		m.ld = vector ? 0 : cols;
		m.turned = !vector;
		break;
	case SG_HEADS_Q: case SG_HEADS_K: case SG_HEADS_V:
		/* as many key heads as query heads */
		m.rows = q;
		m.cols = m.ld = cols;
		m.group = K;
		m.gap = 3 * K;
		at = (size_t)(a->layout - SG_HEADS_Q) * K * cols;
		break;
	case SG_ROWS_Q: case SG_ROWS_K: case SG_ROWS_V:
		m.rows = a->layout == SG_ROWS_Q ? q : g;
		at = (a->layout == SG_ROWS_Q ? 0 : a->layout == SG_ROWS_K ? q : q + g) * cols;
		m.cols = vector ? m.rows : cols;
		m.rows = vector ? 1 : m.rows;
		break;
	case SG_PAIRED:
		m.rows = rows;
		m.cols = cols;
		m.pair = K / 2;
		break;
	}
	*begin = at;
	return m;
}

bool sg_arch_tail(const char *theirs, const char *tail)
{
	size_t n = strlen(theirs), k = strlen(tail);

	return n > k && !strcmp(theirs + n - k, tail);
}

/* --- reading a configuration ------------------------------------------------- */

bool sg_arch_null(const struct sg_json *cfg, const char *key)
{
	const struct sg_json *j = sg_json_get(cfg, key);

	return j && j->type == SG_JSON_NULL;
}

int sg_arch_size(const struct sg_json *cfg, const char *key, size_t dflt, size_t max, size_t *out)
{
	int64_t v = (int64_t)dflt;

	SG_TRY(sg_json_i64(cfg, key, 1, (int64_t)max, &v));
	if (!v)
		return sg_fail(SG_E_CORRUPT, "config.json: '%s' is missing", key);
	*out = (size_t)v;
	return 0;
}

int sg_arch_act(const struct sg_json *cfg, const char *key, const char *dflt, enum sg_act *out)
{
	static const struct { const char *name; enum sg_act act; } acts[] = {
		{ "silu", SG_ACT_SILU }, { "swish", SG_ACT_SILU }, { "gelu", SG_ACT_GELU },
		{ "gelu_new", SG_ACT_GELU_TANH }, { "gelu_fast", SG_ACT_GELU_TANH },
		{ "gelu_pytorch_tanh", SG_ACT_GELU_TANH }, { "relu", SG_ACT_RELU },
	};
	const char *name = dflt;

	SG_TRY(sg_json_str(cfg, key, &name));
	for (size_t i = 0; i < SG_LEN(acts); i++)
		if (!strcmp(acts[i].name, name)) {
			*out = acts[i].act;
			return 0;
		}
	return sg_fail(SG_E_UNSUPPORTED, "config.json: activation '%s' is not supported", name);
}

int sg_arch_bias(struct sg_desc *d, const struct sg_json *cfg, const char *key, bool dflt, unsigned mask)
{
	bool yes = dflt;

	SG_TRY(sg_json_bool(cfg, key, &yes));
	if (yes)
		d->bias |= mask;
	return 0;
}

/* Nothing, no, none, or the factor 1. */
static bool harmless(const struct sg_json *j)
{
	return sg_json_empty(j) || (j->type == SG_JSON_NUMBER && j->num == 1);
}

int sg_arch_refuse(const struct sg_json *cfg)
{
	static const char *const keys[] = {
		"quantization_config", "compression_config", "no_rope_layers", "attention_multiplier",
		"embedding_multiplier", "residual_multiplier", "logits_scaling", "logit_scale",
		"final_logit_softcapping", "attn_logit_softcapping", "query_pre_attn_scalar", "clip_qkv",
		"attention_chunk_size", "attn_temperature_tuning", "qk_layernorm", "use_qk_norm", "alibi",
		"num_experts", "num_local_experts", "n_routed_experts", "kv_lora_rank", "add_cross_attention",
		"is_encoder_decoder", "pruned_heads",
	};
	const struct sg_json *a = sg_json_get(cfg, "architectures");

	for (size_t i = 0; i < SG_LEN(keys); i++) {
		const struct sg_json *j = sg_json_get(cfg, keys[i]);

		if (!j || harmless(j))
			continue;
		if (strstr(keys[i], "_config"))
			return sg_fail(SG_E_UNSUPPORTED, "config.json: '%s': quantised weights of this kind are not supported; "
				       "store the model in f32, f16 or bf16", keys[i]);
		return sg_fail(SG_E_UNSUPPORTED, "config.json: '%s' is not supported", keys[i]);
	}
	if (a && a->type == SG_JSON_ARRAY && a->child && a->child->type == SG_JSON_STRING &&
	    strstr(a->child->str, "For") && !strstr(a->child->str, "ForCausalLM"))
		return sg_fail(SG_E_UNSUPPORTED, "config.json: architecture '%s' has no head for the next token", a->child->str);
	return 0;
}

int sg_arch_check(const struct sg_desc *d)
{
	if (d->heads % d->kv_heads)
		return sg_fail(SG_E_CORRUPT, "config.json: %zu heads are no multiple of %zu key/value heads", d->heads,
			       d->kv_heads);
	if (!isfinite(d->eps) || d->eps < 0)
		return sg_fail(SG_E_CORRUPT, "config.json: the norm's eps is no number from 0 on");
	return 0;
}

int sg_arch_window(struct sg_desc *d, const struct sg_json *cfg, size_t dflt)
{
	int64_t window = sg_arch_null(cfg, "sliding_window") ? 0 : (int64_t)dflt;

	SG_TRY(sg_json_i64(cfg, "sliding_window", 0, INT64_MAX, &window));
	if (window && (uint64_t)window < d->max_pos) {
		d->max_pos = (size_t)window;
		d->windowed = true;
	}
	return 0;
}

/* --- writing one -------------------------------------------------------------- */

static const struct sg_arch_set *set_find(const struct sg_arch_set *set, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(set[i].key, key))
			return &set[i];
	return NULL;
}

static void put_set(struct sg_jsonw *w, const struct sg_arch_set *s)
{
	sg_jsonw_key(w, s->key);
	if (s->truth)
		sg_jsonw_bool(w, s->value);
	else
		sg_jsonw_i64(w, (int64_t)s->value);
}

int sg_arch_rewrite(struct sg_buf *out, const struct sg_json *old, const struct sg_arch_set *set, size_t n)
{
	struct sg_jsonw w;

	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	for (const struct sg_json *j = old->child; j; j = j->next) {
		const struct sg_arch_set *s = set_find(set, n, j->key);

		if (s && s->drop)
			continue;
		if (s) {
			put_set(&w, s);
			continue;
		}
		sg_jsonw_key(&w, j->key);
		sg_jsonw_node(&w, j);
	}
	for (size_t i = 0; i < n; i++)
		if (!set[i].drop && !sg_json_get(old, set[i].key))
			put_set(&w, &set[i]);
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}
