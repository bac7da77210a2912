/* qwen2: Qwen2 and Qwen2.5, a Llama with biases on queries, keys and values. */
#include "model/arch.h"
#include "base/error.h"

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	static const struct sg_arch_llama dflt = {
		.vocab = 151936, .d = 4096, .ffn = 22016, .layers = 32, .heads = 32, .kv_heads = 32, .max_pos = 32768,
	};
	bool window = false;

	SG_TRY(sg_arch_llama_config(d, cfg, &dflt));
	d->bias = 1 << SG_Q | 1 << SG_K | 1 << SG_V;
	SG_TRY(sg_json_bool(cfg, "use_sliding_window", &window));
	return window ? sg_arch_window(d, cfg, 4096) : 0;
}

const struct sg_arch sg_arch_qwen2 = {
	.name = "qwen2", .config = config, .tensors = sg_arch_llama_tensors, .ignore = sg_arch_llama_ignore,
	.write_config = sg_arch_llama_write,
};
