/* Where a GGUF file has our tensors: one table for each way of its converter. */
#include "model/gguf_base.h"
#include "model/arch.h"

#define L "layers.%zu."
#define B "blk.%zu."

/* What the whole Llama family has alike. */
#define FAMILY \
	{ "embed", "token_embd.weight", "VD", SG_AS_IS }, \
	{ L "norm1", B "attn_norm.weight", "D", SG_AS_IS }, \
	{ L "attn.v", B "attn_v.weight", "GD", SG_AS_IS }, \
	{ L "attn.v.bias", B "attn_v.bias", "G", SG_AS_IS }, \
	{ L "attn.o", B "attn_output.weight", "DQ", SG_AS_IS }, \
	{ L "attn.o.bias", B "attn_output.bias", "D", SG_AS_IS }, \
	{ L "norm2", B "ffn_norm.weight", "D", SG_AS_IS }, \
	{ L "mlp.gate", B "ffn_gate.weight", "FD", SG_AS_IS }, \
	{ L "mlp.gate.bias", B "ffn_gate.bias", "F", SG_AS_IS }, \
	{ L "mlp.up", B "ffn_up.weight", "FD", SG_AS_IS }, \
	{ L "mlp.up.bias", B "ffn_up.bias", "F", SG_AS_IS }, \
	{ L "mlp.down", B "ffn_down.weight", "DF", SG_AS_IS }, \
	{ L "mlp.down.bias", B "ffn_down.bias", "D", SG_AS_IS }, \
	{ "norm", "output_norm.weight", "D", SG_AS_IS }, \
	{ "head", "output.weight", "VD", SG_AS_IS }

/* Queries and keys of llama are stored for rotary positions of neighbouring pairs. */
static const struct sg_arch_tensor llama[] = {
	FAMILY,
	{ L "attn.q", B "attn_q.weight", "QD", SG_PAIRED },
	{ L "attn.q.bias", B "attn_q.bias", "Q", SG_PAIRED },
	{ L "attn.k", B "attn_k.weight", "GD", SG_PAIRED },
	{ L "attn.k.bias", B "attn_k.bias", "G", SG_PAIRED },
	{ NULL, NULL, NULL, SG_AS_IS }
};

static const struct sg_arch_tensor qwen[] = {
	FAMILY,
	{ L "attn.q", B "attn_q.weight", "QD", SG_AS_IS },
	{ L "attn.q.bias", B "attn_q.bias", "Q", SG_AS_IS },
	{ L "attn.k", B "attn_k.weight", "GD", SG_AS_IS },
	{ L "attn.k.bias", B "attn_k.bias", "G", SG_AS_IS },
	{ L "attn.q_norm", B "attn_q_norm.weight", "K", SG_AS_IS },
	{ L "attn.k_norm", B "attn_k_norm.weight", "K", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

static const struct sg_arch_tensor gpt2[] = {
	{ "embed", "token_embd.weight", "VD", SG_AS_IS },
	{ "pos", "position_embd.weight", "PD", SG_AS_IS },
	{ L "norm1", B "attn_norm.weight", "D", SG_AS_IS },
	{ L "norm1.bias", B "attn_norm.bias", "D", SG_AS_IS },
	{ L "attn.q", B "attn_qkv.weight", "TD", SG_ROWS_Q },
	{ L "attn.k", B "attn_qkv.weight", "TD", SG_ROWS_K },
	{ L "attn.v", B "attn_qkv.weight", "TD", SG_ROWS_V },
	{ L "attn.q.bias", B "attn_qkv.bias", "T", SG_ROWS_Q },
	{ L "attn.k.bias", B "attn_qkv.bias", "T", SG_ROWS_K },
	{ L "attn.v.bias", B "attn_qkv.bias", "T", SG_ROWS_V },
	{ L "attn.o", B "attn_output.weight", "DQ", SG_AS_IS },
	{ L "attn.o.bias", B "attn_output.bias", "D", SG_AS_IS },
	{ L "norm2", B "ffn_norm.weight", "D", SG_AS_IS },
	{ L "norm2.bias", B "ffn_norm.bias", "D", SG_AS_IS },
	{ L "mlp.up", B "ffn_up.weight", "FD", SG_AS_IS },
	{ L "mlp.up.bias", B "ffn_up.bias", "F", SG_AS_IS },
	{ L "mlp.down", B "ffn_down.weight", "DF", SG_AS_IS },
	{ L "mlp.down.bias", B "ffn_down.bias", "D", SG_AS_IS },
	{ "norm", "output_norm.weight", "D", SG_AS_IS },
	{ "norm.bias", "output_norm.bias", "D", SG_AS_IS },
	{ "head", "output.weight", "VD", SG_AS_IS },
	{ NULL, NULL, NULL, SG_AS_IS }
};

const struct sg_arch_tensor *sg_gguf_names(const char *model_type)
{
	static const struct { const char *type; const struct sg_arch_tensor *table; } tables[] = {
		{ "llama", llama }, { "qwen2", qwen }, { "qwen3", qwen }, { "gpt2", gpt2 },
	};

	for (size_t i = 0; i < SG_LEN(tables); i++)
		if (!strcmp(tables[i].type, model_type))
			return tables[i].table;
	return NULL;
}
