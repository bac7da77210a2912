#include "model/gguf_base.h"
#include "base/error.h"
#include "base/json.h"
#include <math.h>

/* What is read of a file, under the names that the format gives it. */
struct meta {
	const struct sg_gguf *g;
	const char *what;
	char arch[16];
	size_t vocab, context, embedding, blocks, ffn, heads, kv_heads, key, value, rotary;
	double eps, theta;
	bool tied;
};

static int lacks(const struct meta *m, const char *key)
{
	return sg_fail(SG_E_CORRUPT, "'%s': key '%s.%s' is missing", m->what, m->arch, key);
}

static int size(const struct meta *m, const char *key, size_t max, size_t *out)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.%s", m->arch, key);
	return sg_gguf_size(m->g, name, 1, max, out);
}

static int number(const struct meta *m, const char *key, double *out)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.%s", m->arch, key);
	return sg_gguf_f64(m->g, name, out);
}

/* Keys whose presence means something that the texts cannot say; a number there
 * that is 0 means that it is off. */
static int refuse(const struct meta *m)
{
	static const char *const keys[] = {
		"expert_count", "expert_used_count", "attention.sliding_window", "logit_scale", "embedding_scale",
		"residual_scale", "attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias",
		"attn_logit_softcapping", "final_logit_softcapping", "attention.causal", "tensor_data_layout",
	};
	size_t parts = 1;

	for (size_t i = 0; i < SG_LEN(keys); i++) {
		const struct sg_gguf_kv *kv;
		char name[96];
		bool on = false;

		snprintf(name, sizeof(name), "%s.%s", m->arch, keys[i]);
		kv = sg_gguf_get(m->g, name);
		for (size_t k = 0; kv && k < kv->bytes; k++)
			on |= kv->data[k] != 0;
		if (!strcmp(keys[i], "attention.causal"))
			on = kv && !on;
		if (!strcmp(keys[i], "attention.sliding_window") && on) {
			size_t window = 0;

			SG_TRY(sg_gguf_size(m->g, name, 0, SIZE_MAX, &window));
			on = window < m->context;
		}
		if (on)
			return sg_fail(SG_E_UNSUPPORTED, "'%s': '%s' is not supported", m->what, name);
	}
	SG_TRY(sg_gguf_size(m->g, "split.count", 0, SIZE_MAX, &parts));
	return parts > 1 ? sg_fail(SG_E_UNSUPPORTED, "'%s' is one of %zu parts of a model; join them with llama-gguf-split",
				   m->what, parts) : 0;
}

static int read_arch(struct meta *m)
{
	struct sg_gguf_text arch = { "", 0 }, type = { "model", 5 };

	SG_TRY(sg_gguf_str(m->g, "general.architecture", &arch));
	SG_TRY(sg_gguf_str(m->g, "general.type", &type));
	if (!arch.n)
		return sg_fail(SG_E_CORRUPT, "'%s': key 'general.architecture' is missing", m->what);
	if (!sg_gguf_is(type, "model"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s' holds no model but a '%.*s'", m->what, (int)SG_MIN(type.n, 40), type.s);
	if (!sg_gguf_is(arch, "llama") && !sg_gguf_is(arch, "gpt2") && !sg_gguf_is(arch, "qwen2") &&
	    !sg_gguf_is(arch, "qwen3"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s': architecture '%.*s' is not supported from GGUF "
			       "(known: llama, gpt2, qwen2, qwen3)", m->what, (int)SG_MIN(arch.n, 40), arch.s);
	memcpy(m->arch, arch.s, arch.n);
	return 0;
}

static int read_meta(struct meta *m)
{
	const struct sg_tensor_info *embd = sg_gguf_tensor(m->g, SG_GGUF_EMBED);
	bool gpt2;

	SG_TRY(read_arch(m));
	gpt2 = !strcmp(m->arch, "gpt2");
	if (!embd || embd->ndim != 2)
		return sg_fail(SG_E_CORRUPT, "'%s': tensor 'token_embd.weight' is missing or no matrix", m->what);
	m->vocab = embd->shape[0];
	m->tied = !sg_gguf_tensor(m->g, "output.weight");
	SG_TRY(size(m, "context_length", 1 << 26, &m->context));
	SG_TRY(size(m, "embedding_length", 1 << 20, &m->embedding));
	SG_TRY(size(m, "block_count", 4096, &m->blocks));
	SG_TRY(size(m, "feed_forward_length", 1 << 22, &m->ffn));
	SG_TRY(size(m, "attention.head_count", 4096, &m->heads));
	if (!m->context || !m->embedding || !m->blocks || !m->ffn || !m->heads)
		return lacks(m, !m->context ? "context_length" : !m->embedding ? "embedding_length" :
			     !m->blocks ? "block_count" : !m->ffn ? "feed_forward_length" : "attention.head_count");
	m->kv_heads = m->heads;
	m->key = SG_MAX(m->embedding / m->heads, 1);
	SG_TRY(size(m, "attention.head_count_kv", 4096, &m->kv_heads));
	SG_TRY(size(m, "attention.key_length", 4096, &m->key));
	m->value = m->rotary = m->key;
	SG_TRY(size(m, "attention.value_length", 4096, &m->value));
	SG_TRY(size(m, "rope.dimension_count", 4096, &m->rotary));
	SG_TRY(number(m, gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", &m->eps));
	if (!(m->eps > 0))
		return lacks(m, gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon");
	m->theta = 10000;
	SG_TRY(number(m, "rope.freq_base", &m->theta));
	if (m->value != m->key || (m->rotary != m->key && !gpt2))
		return sg_fail(SG_E_UNSUPPORTED, "'%s': heads of %zu numbers with values of %zu and rotary positions over %zu "
			       "are not supported", m->what, m->key, m->value, m->rotary);
	if (gpt2 && (m->kv_heads != m->heads || m->key * m->heads != m->embedding))
		return sg_fail(SG_E_UNSUPPORTED, "'%s': heads of this shape are not supported for gpt2", m->what);
	return refuse(m);
}

/* --- writing ---------------------------------------------------------------- */

/* Numbers are stored as f32: the shortest decimal that is the same f32. */
static double shortest(double v)
{
	char s[40];
	double d = v;

	for (int digits = 1; digits <= 9; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, v);
		d = strtod(s, NULL);
		if ((float)d == (float)v)
			return d;
	}
	return v;
}

static void put_size(struct sg_jsonw *w, const char *key, size_t v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_i64(w, (int64_t)v);
}

static void put_number(struct sg_jsonw *w, const char *key, double v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_f64(w, shortest(v));
}

static void put_truth(struct sg_jsonw *w, const char *key, bool v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_bool(w, v);
}

static void put_text(struct sg_jsonw *w, const char *key, const char *v)
{
	sg_jsonw_key(w, key);
	sg_jsonw_str(w, v);
}

static int put_token(struct sg_jsonw *w, const struct meta *m, const char *key, const char *theirs)
{
	size_t id = SIZE_MAX;

	SG_TRY(sg_gguf_size(m->g, theirs, 0, SIZE_MAX - 1, &id));
	if (id != SIZE_MAX && id < m->vocab)
		put_size(w, key, id);
	return 0;
}

/*
 * Llama 3.1 and later turn low frequencies less. Converters write what each
 * frequency is divided by as a tensor, where the configuration has four numbers;
 * they are found again from the largest divisor, and must give every other.
 */
static int llama3_rope(struct sg_jsonw *w, const struct meta *m, const struct sg_tensor_info *t)
{
	const double low = 1, high = 4, original = 8192;
	struct sg_mat v = { .data = t->data, .dtype = t->dtype, .rows = 1, .cols = m->key / 2 };
	double factor = 1;

	if (t->dtype != SG_F32 || t->bytes != m->key / 2 * sizeof(float))
		return sg_fail(SG_E_CORRUPT, "'%s': tensor '%s' has the wrong shape", m->what, t->name);
	for (size_t i = 0; i < v.cols; i++)
		factor = SG_MAX(factor, (double)sg_mat_at(&v, i));
	for (size_t i = 0; i < v.cols; i++) {
		double wave = 2 * M_PI * pow(m->theta, 2.0 * (double)i / (double)m->key);
		double s = (original / wave - low) / (high - low), got = (double)sg_mat_at(&v, i);
		double want = wave < original / high ? 1 : wave > original / low ? factor : 1 / ((1 - s) / factor + s);

		if (!(fabs(got - want) <= 1e-4 * want))
			return sg_fail(SG_E_UNSUPPORTED, "'%s': the rotary frequencies of tensor '%s' are none that is known",
				       m->what, t->name);
	}
	put_number(w, "factor", factor);
	put_number(w, "high_freq_factor", high);
	put_number(w, "low_freq_factor", low);
	put_number(w, "original_max_position_embeddings", original);
	put_text(w, "rope_type", "llama3");
	return 0;
}

static int scaled_rope(struct sg_jsonw *w, const struct meta *m, struct sg_gguf_text type)
{
	double factor = 0;
	size_t original = m->context;

	SG_TRY(number(m, "rope.scaling.factor", &factor));
	SG_TRY(number(m, "rope.scale_linear", &factor));
	SG_TRY(size(m, "rope.scaling.original_context_length", 1 << 26, &original));
	if (!(factor > 0))
		return lacks(m, "rope.scaling.factor");
	put_number(w, "factor", factor);
	put_size(w, "original_max_position_embeddings", original);
	put_text(w, "rope_type", sg_gguf_is(type, "yarn") ? "yarn" : "linear");
	return 0;
}

/* "rope_scaling", as every reader of config.json knows it. */
static int put_rope(struct sg_jsonw *w, const struct meta *m)
{
	static const char *const odd[] = { "attn_factor", "yarn_ext_factor", "yarn_attn_factor", "yarn_beta_fast",
					   "yarn_beta_slow", "yarn_log_multiplier" };
	const struct sg_tensor_info *freqs = sg_gguf_tensor(m->g, SG_GGUF_FREQS);
	struct sg_gguf_text type = { "none", 4 };
	double old = 1;
	char key[96];
	int rc = 0;

	snprintf(key, sizeof(key), "%s.rope.scaling.type", m->arch);
	SG_TRY(sg_gguf_str(m->g, key, &type));
	SG_TRY(number(m, "rope.scale_linear", &old));
	if (old != 1 && sg_gguf_is(type, "none"))
		type = (struct sg_gguf_text){ "linear", 6 };
	for (size_t i = 0; i < SG_LEN(odd); i++) {
		snprintf(key, sizeof(key), "%s.rope.scaling.%s", m->arch, odd[i]);
		if (sg_gguf_get(m->g, key) && !sg_gguf_is(type, "none"))
			return sg_fail(SG_E_UNSUPPORTED, "'%s': '%s' is not supported", m->what, key);
	}
	if (freqs && !sg_gguf_is(type, "none"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s': two kinds of rotary scaling at once are not supported", m->what);
	if (!freqs && sg_gguf_is(type, "none"))
		return 0;
	if (!freqs && !sg_gguf_is(type, "linear") && !sg_gguf_is(type, "yarn"))
		return sg_fail(SG_E_UNSUPPORTED, "'%s': rotary scaling '%.*s' is not supported", m->what,
			       (int)SG_MIN(type.n, 40), type.s);
	sg_jsonw_key(w, "rope_scaling");
	sg_jsonw_object(w);
	rc = freqs ? llama3_rope(w, m, freqs) : scaled_rope(w, m, type);
	sg_jsonw_end(w, '}');
	return rc;
}

static void put_class(struct sg_jsonw *w, const char *name)
{
	sg_jsonw_key(w, "architectures");
	sg_jsonw_array(w);
	sg_jsonw_str(w, name);
	sg_jsonw_end(w, ']');
}

static int put_tokens(struct sg_jsonw *w, const struct meta *m)
{
	SG_TRY(put_token(w, m, "bos_token_id", "tokenizer.ggml.bos_token_id"));
	return put_token(w, m, "eos_token_id", "tokenizer.ggml.eos_token_id");
}

/* Keys in bytewise order. */
static int put_gpt2(struct sg_jsonw *w, const struct meta *m)
{
	put_text(w, "activation_function", "gelu_new");
	put_class(w, "GPT2LMHeadModel");
	SG_TRY(put_tokens(w, m));
	put_number(w, "layer_norm_epsilon", m->eps);
	put_text(w, "model_type", "gpt2");
	put_size(w, "n_embd", m->embedding);
	put_size(w, "n_head", m->heads);
	put_size(w, "n_inner", m->ffn);
	put_size(w, "n_layer", m->blocks);
	put_size(w, "n_positions", m->context);
	put_truth(w, "tie_word_embeddings", m->tied);
	put_size(w, "vocab_size", m->vocab);
	return 0;
}

static int put_llama(struct sg_jsonw *w, const struct meta *m)
{
	bool llama = !strcmp(m->arch, "llama"), qwen2 = !strcmp(m->arch, "qwen2");

	put_class(w, llama ? "LlamaForCausalLM" : qwen2 ? "Qwen2ForCausalLM" : "Qwen3ForCausalLM");
	if (!qwen2)
		put_truth(w, "attention_bias", sg_gguf_tensor(m->g, "blk.0.attn_q.bias"));
	SG_TRY(put_tokens(w, m));
	if (!qwen2)
		put_size(w, "head_dim", m->key);
	put_text(w, "hidden_act", "silu");
	put_size(w, "hidden_size", m->embedding);
	put_size(w, "intermediate_size", m->ffn);
	put_size(w, "max_position_embeddings", m->context);
	if (llama)
		put_truth(w, "mlp_bias", sg_gguf_tensor(m->g, "blk.0.ffn_gate.bias"));
	put_text(w, "model_type", m->arch);
	put_size(w, "num_attention_heads", m->heads);
	put_size(w, "num_hidden_layers", m->blocks);
	put_size(w, "num_key_value_heads", m->kv_heads);
	put_number(w, "rms_norm_eps", m->eps);
	SG_TRY(put_rope(w, m));
	put_number(w, "rope_theta", m->theta);
	put_truth(w, "tie_word_embeddings", m->tied);
	put_size(w, "vocab_size", m->vocab);
	if (qwen2 && m->key * m->heads != m->embedding)
		return sg_fail(SG_E_UNSUPPORTED, "'%s': heads of this shape are not supported for qwen2", m->what);
	return 0;
}

int sg_gguf_config(struct sg_buf *out, const struct sg_gguf *g, const char *what)
{
	struct meta m = { .g = g, .what = what };
	struct sg_jsonw w;

	SG_TRY(read_meta(&m));
	sg_jsonw_init(&w, out);
	sg_jsonw_object(&w);
	SG_TRY(strcmp(m.arch, "gpt2") ? put_llama(&w, &m) : put_gpt2(&w, &m));
	sg_jsonw_end(&w, '}');
	return sg_jsonw_done(&w);
}
