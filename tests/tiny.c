#include "tests/tiny.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"

static const char llama_config[] =
	"{\"model_type\":\"llama\",\"vocab_size\":23,\"hidden_size\":16,\"intermediate_size\":20,"
	"\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":4,"
	"\"max_position_embeddings\":32,\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\",\"tie_word_embeddings\":false}";

static const char substrate_config[] =
	"{\"model_type\":\"substrate\",\"vocab_size\":23,\"hidden_size\":16,\"intermediate_size\":20,"
	"\"num_hidden_layers\":0,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":4,"
	"\"max_position_embeddings\":32,\"hidden_act\":\"silu\",\"seed\":3,\"trained_head\":false}";

enum { MAX = 32 };
struct pack { struct sg_tensor_info t[MAX]; char name[MAX][80]; float data[1 << 14]; };

static void add(struct pack *p, size_t *n, size_t *at, const char *name, size_t rows, size_t cols, uint64_t seed)
{
	struct sg_tensor_info *t = &p->t[*n];
	float *v = p->data + *at;
	size_t count = (rows ? rows : 1) * cols;

	snprintf(p->name[*n], sizeof(p->name[*n]), "%s", name);
	*t = (struct sg_tensor_info){ .name = p->name[*n], .dtype_name = "F32", .dtype = SG_F32,
		.ndim = rows ? 2 : 1, .data = (unsigned char *)v, .bytes = count * sizeof(float) };
	t->shape[0] = rows ? rows : cols;
	t->shape[1] = rows ? cols : 0;
	sg_rng_normal(v, count, seed, sg_rng_stream(name));
	for (size_t i = 0; i < count; i++)
		v[i] = rows ? v[i] * 0.3f : 1.0f + 0.1f * v[i];
	*at += count;
	++*n;
}

int tiny_llama(struct sg_checkpoint **out, uint64_t seed)
{
	struct pack *p;
	size_t n = 0, at = 0;
	int rc;

	SG_TRY(SG_NEW(p, 1));
	add(p, &n, &at, "model.embed_tokens.weight", 23, 16, seed);
	for (int l = 0; l < 2; l++) {
		const struct { const char *name; size_t rows, cols; } w[] = {
			{ "input_layernorm", 0, 16 }, { "self_attn.q_proj", 16, 16 }, { "self_attn.k_proj", 8, 16 },
			{ "self_attn.v_proj", 8, 16 }, { "self_attn.o_proj", 16, 16 }, { "post_attention_layernorm", 0, 16 },
			{ "mlp.gate_proj", 20, 16 }, { "mlp.up_proj", 20, 16 }, { "mlp.down_proj", 16, 20 },
		};

		for (size_t i = 0; i < SG_LEN(w); i++) {
			char name[80];

			snprintf(name, sizeof(name), "model.layers.%d.%s.weight", l, w[i].name);
			add(p, &n, &at, name, w[i].rows, w[i].cols, seed);
		}
	}
	add(p, &n, &at, "model.norm.weight", 0, 16, seed);
	add(p, &n, &at, "lm_head.weight", 23, 16, seed);
	rc = sg_checkpoint_make(out, llama_config, strlen(llama_config), NULL, 0, p->t, n, p);
	if (rc < 0)
		free(p);
	return rc;
}

int tiny_substrate(struct sg_checkpoint **out, uint64_t seed)
{
	(void)seed;
	return sg_checkpoint_make(out, substrate_config, strlen(substrate_config), NULL, 0, NULL, 0, NULL);
}

int tiny_batch(struct sg_batch *out, size_t vocab, uint64_t seed)
{
	const size_t rows[] = { 7, 1, 5 };
	uint64_t at = 0;

	SG_TRY(sg_batch_init(out, 13));
	for (uint32_t s = 0; s < SG_LEN(rows); s++) {
		int32_t ids[8];

		for (size_t i = 0; i <= rows[s]; i++)
			ids[i] = (int32_t)sg_rng_below(seed, 1, at++, vocab);
		if (!sg_batch_add(out, ids, rows[s], s))
			return sg_fail(SG_E_ERROR, "the batch is too small");
	}
	out->target[out->n - 1] = -1;
	return 0;
}

static int copy_payload(void *arg, void *out, size_t n, const char *name, const char *sha256)
{
	const struct sg_graft *g = arg;
	const struct sg_tensor *t = sg_slab_find(&g->params, name);
	char hex[SG_SHA256_HEX];

	if (!t || t->n * sizeof(float) != n)
		return sg_fail(SG_E_NOTFOUND, "no tensor '%s'", name);
	SG_TRY(g->dev->be->get(g->dev, out, sg_slab_ptr(&g->params, t), n));
	SG_TRY(sg_sha256_hex(hex, out, n));
	return strcmp(hex, sha256) ? sg_fail(SG_E_CORRUPT, "tensor '%s' has another hash", name) : 0;
}

struct sg_graft_source tiny_source(struct sg_graft *g)
{
	return (struct sg_graft_source){ copy_payload, g };
}

int tiny_hyper(struct sg_names *out, const struct sg_graft_type *t)
{
	static const struct { const char *key, *value; } small[] = {
		{ "rank", "rank=3" }, { "width", "width=5" }, { "count", "count=17" }, { "bond", "bond=3" },
	};

	for (const struct sg_hyper *h = t->hyper; h && h->key; h++)
		for (size_t i = 0; i < SG_LEN(small); i++)
			if (!strcmp(h->key, small[i].key))
				SG_TRY(sg_names_add(out, small[i].value));
	return 0;
}
