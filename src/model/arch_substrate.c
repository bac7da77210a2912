/*
 * substrate: a model that sg makes itself. Its embedding is a frozen code of the
 * token id (Bochkov 2025, arXiv 2507.07129, uses the bits of a 16-bit id, tiled
 * to the width). Here the code is lifted by parities: component j is
 *	x_j(t) = s_j (-1)^popcount(t & m_j)
 * with masks m_j that run through the non-zero masks of the vocabulary's bits in
 * an order drawn from the seed, and signs s_j = +-1 from the seed. These are
 * Walsh functions of the id: single bits are among them, and with as many
 * components as ids the codes of different tokens are linearly independent.
 * Nothing is stored: the table follows from seed, vocabulary and width.
 */
#include "model/arch.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"

#define MAX_TABLE ((size_t)1 << 26)	/* 65,536 ids at width 1,024 */

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	double eps = 1e-5;
	int64_t seed = 0, layers = 0;

	SG_TRY(sg_arch_size(cfg, "vocab_size", 0, 1 << 16, &d->vocab));
	SG_TRY(sg_arch_size(cfg, "hidden_size", 0, 1 << 16, &d->d));
	SG_TRY(sg_arch_size(cfg, "intermediate_size", 0, 1 << 20, &d->ffn));
	SG_TRY(sg_arch_size(cfg, "num_attention_heads", 0, 4096, &d->heads));
	SG_TRY(sg_arch_size(cfg, "num_key_value_heads", d->heads, 4096, &d->kv_heads));
	SG_TRY(sg_arch_size(cfg, "head_dim", 0, 4096, &d->head_dim));
	SG_TRY(sg_arch_size(cfg, "max_position_embeddings", 0, 1 << 26, &d->max_pos));
	SG_TRY(sg_json_i64(cfg, "num_hidden_layers", 0, 4096, &layers));
	SG_TRY(sg_json_i64(cfg, "seed", 0, INT64_MAX, &seed));
	SG_TRY(sg_json_bool(cfg, "trained_head", &d->has_head));
	SG_TRY(sg_json_f64(cfg, "rms_norm_eps", &eps));
	if (d->heads % d->kv_heads || d->head_dim % 2)
		return sg_fail(SG_E_CORRUPT, "config.json: heads and head_dim of the substrate do not fit");
	if (d->vocab * d->d > MAX_TABLE)
		return sg_fail(SG_E_UNSUPPORTED, "config.json: a substrate of %zu x %zu is too large", d->vocab, d->d);
	d->eps = (float)eps;
	d->layers = (size_t)layers;
	d->seed = (uint64_t)seed;
	d->rope_theta = 10000.0;
	SG_TRY(sg_json_f64(cfg, "rope_theta", &d->rope_theta));
	d->rope_gain = 1;
	d->rotary = d->head_dim;
	d->gated = true;
	return sg_arch_act(cfg, "hidden_act", "silu", &d->act);
}

static void embed(const struct sg_desc *d, float *table)
{
	uint64_t stream = sg_rng_stream("substrate signs");
	uint32_t order[1 << 16], bits = 1, n;

	while ((size_t)1 << bits < d->vocab)
		bits++;
	n = (1u << bits) - 1;
	sg_rng_shuffle(order, n, d->seed, sg_rng_stream("substrate masks"));
	for (size_t j = 0; j < d->d; j++) {
		uint32_t mask = order[j % n] + 1;
		float sign = sg_rng_u64(d->seed, stream, j) & 1 ? -1.0f : 1.0f;

		for (size_t t = 0; t < d->vocab; t++)
			table[t * d->d + j] = __builtin_parity((uint32_t)t & mask) ? -sign : sign;
	}
}

static const struct sg_arch_tensor tensors[] = {
	{ "layers.%zu.norm1",    "layers.%zu.norm1", "D", SG_AS_IS },
	{ "layers.%zu.attn.q",   "layers.%zu.attn.q", "QD", SG_AS_IS },
	{ "layers.%zu.attn.k",   "layers.%zu.attn.k", "GD", SG_AS_IS },
	{ "layers.%zu.attn.v",   "layers.%zu.attn.v", "GD", SG_AS_IS },
	{ "layers.%zu.attn.o",   "layers.%zu.attn.o", "DQ", SG_AS_IS },
	{ "layers.%zu.norm2",    "layers.%zu.norm2", "D", SG_AS_IS },
	{ "layers.%zu.mlp.gate", "layers.%zu.mlp.gate", "FD", SG_AS_IS },
	{ "layers.%zu.mlp.up",   "layers.%zu.mlp.up", "FD", SG_AS_IS },
	{ "layers.%zu.mlp.down", "layers.%zu.mlp.down", "DF", SG_AS_IS },
	{ "head",                "head", "VD", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

static int write_config(const struct sg_desc *d, const struct sg_json *old, struct sg_buf *out)
{
	const struct sg_arch_set set[] = {
		{ .key = "intermediate_size", .value = d->ffn }, { .key = "num_hidden_layers", .value = d->layers },
		{ .key = "trained_head", .value = d->has_head, .truth = true },
	};

	return sg_arch_rewrite(out, old, set, SG_LEN(set));
}

const struct sg_arch sg_arch_substrate = {
	.name = "substrate", .config = config, .tensors = tensors, .embed = embed, .write_config = write_config,
};
