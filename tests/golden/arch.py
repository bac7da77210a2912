#!/usr/bin/env python3
"""What transformers and peft say of small random models, one for each architecture.

usage: arch.py FOLDER [SEED [SIZE]]

Every folder in FOLDER is first read as a model by itself, of which only logits and loss
are wanted.

FOLDER gets for each case <case>.safetensors, the model as transformers stores it, and
<case>.want.safetensors: ids [2,T], logits and loss of the next tokens, LoRA factors A
and B by site (layers.0.attn.q ...), the gradients dA and dB of the mean loss there, the
losses of ten AdamW steps and the factors after them (A10, B10). Its metadata hold
config.json, in the words of the older generation where the case says so. Query, key
and value are separate maps here also where the model stores them in one. Exit status
77 when a library is not there. Made with
    python3 tests/golden/arch.py tests/golden/arch 1
"""
import json, os, re, sys
try:
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import save_file
    from transformers import (GPT2Config, GPTNeoXConfig, LlamaConfig, MistralConfig, OPTConfig, Qwen2Config, Qwen3Config,
                              AutoModelForCausalLM)
    from transformers.utils import logging
except ImportError:
    sys.exit(77)
from torch import nn

LR, DECAY, EPS, RANK, ALPHA, STEPS = 2e-3, 0.01, 1e-6, 2, 6, 10


def cases(size):
    d, heads, ffn, vocab, pos = 24 * size, 3 * size, 40 * size, 48 * size, 32
    common = dict(vocab_size=vocab, max_position_embeddings=pos, bos_token_id=0, eos_token_id=1, pad_token_id=None)
    hf = dict(common, hidden_size=d, intermediate_size=ffn, num_hidden_layers=2, num_attention_heads=heads, tie_word_embeddings=False)
    one = dict(hf, num_hidden_layers=1, num_key_value_heads=heads)
    long = dict(original_max_position_embeddings=8, rope_theta=100.0)
    yield "llama", LlamaConfig(**dict(hf, num_key_value_heads=heads // 3, num_attention_heads=heads)), "float32", False
    yield "llama-bias", LlamaConfig(**dict(hf, num_key_value_heads=heads, head_dim=10, attention_bias=True, mlp_bias=True,
                                           tie_word_embeddings=True)), "bfloat16", True
    yield "llama-linear", LlamaConfig(**one, rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=100.0)), "float16", True
    yield "llama-llama3", LlamaConfig(**one, rope_parameters=dict(
        long, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)), "float16", True
    yield "llama-dynamic", LlamaConfig(**one, rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=100.0)), "float16", False
    yield "llama-yarn", LlamaConfig(**one, rope_parameters=dict(long, rope_type="yarn", factor=4.0)), "float16", False
    yield "mistral", MistralConfig(**dict(hf, num_key_value_heads=heads // 3, head_dim=12, sliding_window=None)), "bfloat16", False
    yield "mistral-window", MistralConfig(**dict(one, sliding_window=24)), "bfloat16", True
    yield "qwen2", Qwen2Config(**dict(hf, num_key_value_heads=heads // 3, tie_word_embeddings=True)), "bfloat16", True
    yield "qwen3", Qwen3Config(**dict(hf, num_key_value_heads=heads // 3, head_dim=16, tie_word_embeddings=True)), "bfloat16", False
    yield "gpt2", GPT2Config(vocab_size=vocab, n_positions=pos, n_embd=d, n_layer=2, n_head=heads, bos_token_id=0,
                             eos_token_id=1), "float32", False
    yield "gpt2-relu", GPT2Config(vocab_size=vocab, n_positions=pos, n_embd=d, n_layer=1, n_head=heads, n_inner=ffn,
                                  activation_function="relu", tie_word_embeddings=False, bos_token_id=0, eos_token_id=1), "float16", False
    neox = dict(hf, rope_parameters=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=0.25))
    yield "gpt_neox", GPTNeoXConfig(**neox), "float32", True
    yield "gpt_neox-series", GPTNeoXConfig(**dict(neox, num_hidden_layers=1, use_parallel_residual=False, attention_bias=False,
                                                  rope_parameters=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=0.5))), "float16", False
    opt = dict(common, hidden_size=d, ffn_dim=ffn, num_attention_heads=heads, num_hidden_layers=2, word_embed_proj_dim=d)
    yield "opt", OPTConfig(**opt), "float32", False
    yield "opt-bare", OPTConfig(**dict(opt, num_hidden_layers=1, enable_bias=False, activation_function="gelu")), "bfloat16", False


def older(config):
    """The same in the words of transformers 4."""
    rope = config.pop("rope_parameters", None)
    if rope:
        kind = rope.pop("rope_type")
        if config["model_type"] == "gpt_neox":
            config["rotary_emb_base"] = rope.pop("rope_theta")
            config["rotary_pct"] = rope.pop("partial_rotary_factor")
        else:
            config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = None if kind == "default" else dict(rope, rope_type=kind)
    config.pop("layer_types", None)
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    return config


class Parts(nn.Module):
    """Three maps where the model has one; `heads`: their rows interleaved head by head."""
    def __init__(self, weight, bias, heads):
        super().__init__()
        n = weight.shape[0] // 3
        self.heads, self.k = heads, n // heads if heads else 0
        rows = torch.arange(3 * n)
        rows = rows.view(heads, 3, -1).transpose(0, 1).reshape(3, n) if heads else rows.view(3, n)
        for name, r in zip(("q_part", "k_part", "v_part"), rows):
            lin = nn.Linear(weight.shape[1], n, bias=bias is not None)
            lin.weight.data = weight[r].clone()
            if bias is not None:
                lin.bias.data = bias[r].clone()
            setattr(self, name, lin)

    def forward(self, x):
        y = [self.q_part(x), self.k_part(x), self.v_part(x)]
        if not self.heads:
            return torch.cat(y, -1)
        return torch.stack([a.view(*a.shape[:-1], self.heads, self.k) for a in y], -2).reshape(*x.shape[:-1], -1)


def split(model):
    kind = model.config.model_type
    if kind == "gpt2":
        for b in model.transformer.h:
            b.attn.c_attn = Parts(b.attn.c_attn.weight.data.T, b.attn.c_attn.bias.data, 0)
    if kind == "gpt_neox":
        for b in model.gpt_neox.layers:
            f = b.attention.query_key_value
            b.attention.query_key_value = Parts(f.weight.data, None if f.bias is None else f.bias.data, model.config.num_attention_heads)


# last part of a module's name -> ours
SITES = {
    "gpt2": {"q_part": "attn.q", "k_part": "attn.k", "v_part": "attn.v", "attn.c_proj": "attn.o", "c_fc": "mlp.up", "mlp.c_proj": "mlp.down"},
    "gpt_neox": {"q_part": "attn.q", "k_part": "attn.k", "v_part": "attn.v", "attention.dense": "attn.o",
                 "dense_h_to_4h": "mlp.up", "dense_4h_to_h": "mlp.down"},
    "opt": {"q_proj": "attn.q", "k_proj": "attn.k", "v_proj": "attn.v", "out_proj": "attn.o", "fc1": "mlp.up", "fc2": "mlp.down"},
    "": {"q_proj": "attn.q", "k_proj": "attn.k", "v_proj": "attn.v", "o_proj": "attn.o", "gate_proj": "mlp.gate",
         "up_proj": "mlp.up", "down_proj": "mlp.down"},
}


def factors(model, kind, what):
    """The tensors of all LoRA factors by our names."""
    out = {}
    sites = SITES.get(kind, SITES[""])
    for name, p in model.named_parameters():
        m = re.match(r"(.*)\.(\d+)\.(.*)\.lora_([AB])\.", name)
        if not m:
            continue
        ours = [s for t, s in sites.items() if m.group(3) == t or m.group(3).endswith("." + t)]
        assert len(ours) == 1, name
        p = p.grad if what == "d" else p
        out["%s%s.layers.%s.%s" % ("d" if what == "d" else "", m.group(4) + ("10" if what == "10" else ""), m.group(2), ours[0])] = p.detach().clone()
    return out


def one(folder, name, config, dtype, old, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() > 1:
                p.copy_(torch.randn_like(p) * (0.4 if "embed" in key or "wte" in key or "lm_head" in key else 1.2 / p.shape[-1] ** 0.5))
            elif key.endswith("bias"):
                p.copy_(torch.randn_like(p) * 0.2)
            else:
                p.copy_(1 + torch.randn_like(p) * 0.2)
    for p in model.parameters():        # not the buffers: frequencies stay as they are
        p.data = p.data.to(getattr(torch, dtype))
    model.save_pretrained(os.path.join(folder, "tmp"))
    os.replace(os.path.join(folder, "tmp", "model.safetensors"), os.path.join(folder, name + ".safetensors"))
    with open(os.path.join(folder, "tmp", "config.json")) as f:
        stored = json.load(f)
    for f in os.listdir(os.path.join(folder, "tmp")):
        os.remove(os.path.join(folder, "tmp", f))
    os.rmdir(os.path.join(folder, "tmp"))
    stored.pop("transformers_version", None)
    if old:
        stored = older(stored)
    model.float()
    ids = torch.randint(2, config.vocab_size, (2, 21))
    want = {"ids": ids.int()}
    kind = config.model_type

    def loss():
        logits = model(input_ids=ids).logits[:, :-1]
        return logits, nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none")

    with torch.no_grad():
        want["logits"], want["loss"] = loss()
        split(model)
        again = loss()[0]
        assert (again - want["logits"]).abs().max() < 1e-4
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, fan_in_fan_out=kind == "gpt2",
                                             target_modules=list(SITES.get(kind, SITES[""])))).eval()
    train = [p for n, p in model.named_parameters() if "lora_" in n]
    with torch.no_grad():
        for p in train:
            p.copy_(torch.randn_like(p) * 0.2)
    want.update(factors(model, kind, ""))
    opt = torch.optim.AdamW(train, lr=LR, betas=(0.9, 0.95), eps=EPS, weight_decay=DECAY)
    curve = []
    for step in range(STEPS):
        opt.zero_grad()
        mean = loss()[1].mean()
        mean.backward()
        if not step:
            want.update(factors(model, kind, "d"))
        curve.append(mean.item())
        opt.step()
    want["curve"] = torch.tensor(curve)
    want.update(factors(model, kind, "10"))
    save_file({k: v.contiguous() for k, v in want.items()}, os.path.join(folder, name + ".want.safetensors"),
              metadata={"config": json.dumps(stored, sort_keys=True), "lr": repr(LR), "decay": repr(DECAY), "eps": repr(EPS),
                        "rank": str(RANK), "alpha": str(ALPHA)})


def folder_case(folder, name):
    path = os.path.join(folder, name)
    model, info = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    torch.manual_seed(5)
    ids = torch.randint(2, model.config.vocab_size, (2, 21))
    with torch.no_grad():
        logits = model.eval()(input_ids=ids).logits[:, :-1]
        loss = nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none")
    os.replace(os.path.join(path, "model.safetensors"), path + ".safetensors")
    with open(os.path.join(path, "config.json")) as f:
        save_file({"ids": ids.int(), "logits": logits.contiguous(), "loss": loss}, path + ".want.safetensors",
                  metadata={"config": f.read()})


def main():
    folder, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    torch.set_num_threads(2)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.makedirs(folder, exist_ok=True)
    for name in sorted(os.listdir(folder)):
        if os.path.isdir(os.path.join(folder, name)):
            folder_case(folder, name)
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    for i, (name, config, dtype, old) in enumerate(cases(size)):
        if size > 1 and "-" in name and not os.environ.get("SG_TEST_SLOW"):
            continue            # variants only where there is time
        one(folder, name, config, dtype, old, 100 * seed + i)


main()
