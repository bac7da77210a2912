#include "tests/tinyarch.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/arch.h"

#define SIZES "\"vocab_size\":23,\"hidden_size\":16,\"intermediate_size\":20,\"num_hidden_layers\":2," \
	"\"num_attention_heads\":4,\"max_position_embeddings\":32"
#define LLAMA(type) "{\"model_type\":\"" type "\"," SIZES ",\"num_key_value_heads\":2,\"head_dim\":4,\"rms_norm_eps\":1e-5"
#define GPT2 "{\"model_type\":\"gpt2\",\"vocab_size\":23,\"n_embd\":16,\"n_layer\":2,\"n_head\":4,\"n_positions\":32,\"n_inner\":20"
#define OPT "{\"model_type\":\"opt\",\"vocab_size\":23,\"hidden_size\":16,\"word_embed_proj_dim\":16,\"ffn_dim\":20," \
	"\"num_hidden_layers\":2,\"num_attention_heads\":4,\"max_position_embeddings\":32"

const struct tiny_arch tiny_archs[] = {
	{ "llama", LLAMA("llama") "}", true },
	{ "llama-bias", LLAMA("llama") ",\"attention_bias\":true,\"mlp_bias\":true,\"tie_word_embeddings\":true}", true },
	{ "llama-yarn", LLAMA("llama") ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,"
		"\"original_max_position_embeddings\":8}}", true },
	{ "mistral", LLAMA("mistral") ",\"sliding_window\":null}", true },
	{ "qwen2", LLAMA("qwen2") ",\"tie_word_embeddings\":true,\"layer_types\":[\"full_attention\",\"full_attention\"]}", true },
	{ "qwen3", LLAMA("qwen3") "}", true },
	{ "gpt2", GPT2 "}", true },
	{ "gpt2-apart", GPT2 ",\"tie_word_embeddings\":false}", true },
	{ "gpt_neox", "{\"model_type\":\"gpt_neox\"," SIZES ",\"rotary_pct\":0.5}", true },
	{ "gpt_neox-series", "{\"model_type\":\"gpt_neox\"," SIZES ",\"rotary_pct\":1,\"use_parallel_residual\":false,"
		"\"attention_bias\":false}",
		true },
	{ "opt", OPT "}", false },
	{ "opt-bare", OPT ",\"enable_bias\":false,\"activation_function\":\"gelu\"}", true },
	{ NULL, NULL, false }
};

const struct tiny_arch *tiny_arch_find(const char *name)
{
	for (const struct tiny_arch *a = tiny_archs; a->name; a++)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}

/* A table names tensors in parts several times: they are one here. */
struct pack { struct sg_tensor_info t[80]; char name[80][96]; float data[1 << 14]; size_t n, at; };

static int add(struct pack *p, const struct sg_desc *d, const char *name, const char *shape, const char *ours,
	       enum sg_dtype dtype, uint64_t seed)
{
	struct sg_tensor_info *t = &p->t[p->n];
	float *v = p->data + p->at;
	size_t count = 1;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->name[i], name))
			return 0;
	if (p->n == SG_LEN(p->t))
		return sg_fail(SG_E_ERROR, "too many tensors");
	snprintf(p->name[p->n], sizeof(p->name[0]), "%s", name);
	*t = (struct sg_tensor_info){
		.name = p->name[p->n++], .dtype_name = sg_dtypes[dtype].name, .dtype = dtype, .data = (unsigned char *)v,
	};
	for (; shape[t->ndim]; t->ndim++)
		count *= t->shape[t->ndim] = sg_arch_letter(d, shape[t->ndim]);
	t->bytes = count * sg_dtypes[dtype].size;
	if (p->at + count > SG_LEN(p->data))
		return sg_fail(SG_E_ERROR, "too many numbers");
	p->at += count;
	sg_rng_normal(v, count, seed, sg_rng_stream(name));
	for (size_t i = 0; i < count; i++)
		v[i] = t->ndim > 1 ? 0.3f * v[i] : strstr(ours, ".bias") ? 0.2f * v[i] : 1.0f + 0.1f * v[i];
	for (size_t i = 0; i < count; i++)	/* narrower ones never overtake what is still to be read */
		sg_store_f32(v, dtype, i, v[i]);
	return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int fill(struct pack *p, const struct sg_arch *arch, const struct sg_desc *d, enum sg_dtype dtype, uint64_t seed)
{
	for (const struct sg_arch_tensor *a = arch->tensors; a->ours; a++) {
		char name[96];

		if (!sg_desc_has(d, a->ours))
			continue;
		for (size_t l = 0; l < (strstr(a->ours, "%zu") ? d->layers : 1); l++) {
			snprintf(name, sizeof(name), a->theirs, l);
			SG_TRY(add(p, d, name, a->shape, a->ours, dtype, seed));
		}
	}
	return 0;
}
#pragma GCC diagnostic pop

int tiny_arch_make(struct sg_checkpoint **out, const struct tiny_arch *a, enum sg_dtype dtype, uint64_t seed)
{
	struct sg_json_doc doc = { 0 };
	const struct sg_arch *arch = NULL;
	struct sg_desc d = { .rope_gain = 1 };
	const char *type = "";
	struct pack *p;
	int rc;

	SG_TRY(SG_NEW(p, 1));
	rc = sg_json_parse(&doc, a->config, strlen(a->config), "config.json");
	if (rc >= 0)
		rc = sg_json_str(sg_json_root(&doc), "model_type", &type);
	if (rc >= 0)
		rc = sg_arch_find(&arch, type);
	if (rc >= 0)
		rc = arch->config(&d, sg_json_root(&doc));
	if (rc >= 0)
		rc = fill(p, arch, &d, dtype, seed);
	if (rc >= 0)
		rc = sg_checkpoint_make(out, a->config, strlen(a->config), "{}", 2, p->t, p->n, p);
	if (rc < 0)
		free(p);
	sg_json_release(&doc);
	return rc;
}
