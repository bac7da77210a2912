/* mistral: a Llama whose layers may see no further back than a window. */
#include "model/arch.h"
#include "base/error.h"

static int config(struct sg_desc *d, const struct sg_json *cfg)
{
	static const struct sg_arch_llama dflt = {
		.vocab = 32000, .d = 4096, .ffn = 14336, .layers = 32, .heads = 32, .kv_heads = 8, .max_pos = 4096 * 32,
	};

	SG_TRY(sg_arch_llama_config(d, cfg, &dflt));
	return sg_arch_window(d, cfg, 4096);
}

const struct sg_arch sg_arch_mistral = {
	.name = "mistral", .config = config, .tensors = sg_arch_llama_tensors, .ignore = sg_arch_llama_ignore,
	.write_config = sg_arch_llama_write,
};
