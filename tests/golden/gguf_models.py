#!/usr/bin/env python3
"""Small GGUF models with what transformers and tokenizers say of them.

usage: gguf_models.py FOLDER [SEED]

FOLDER gets for each case <case>.gguf, its matrices in every type that can be read, and
<case>.json: ids of a text with the loss of each token after the first, as transformers
computes it in f32 with the weights that the file stands for, and texts with their ids, as
the tokenizers library cuts them by the original's rules. How a converter stores each
architecture is said here a second time, not taken from a loader. Exit status 77 when a
library is not there. Made with
    python3 tests/golden/gguf_models.py tests/golden/gguf 1
"""
import json, os, sys
try:
    import numpy as np
    import torch
    from gguf import GGUFWriter, GGMLQuantizationType as T, dequantize, quantize
    from gguf.constants import GGML_QUANT_SIZES
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen2Config, Qwen3Config
    from transformers.utils import logging
except ImportError:
    sys.exit(77)

D, HEADS, KV, HEAD, FFN = 32, 4, 2, 16, 256
CORPUS = ["Once upon a time there was a little girl named Lily.", "She loved to play outside in the park, and I'LL say: don't!",
          "In 1984 there were 12345 clocks; 7 of them struck 13.", "Ein Ma\u00df f\u00fcr \u00c4pfel, \u00e9t\u00e9, \u65e5\u672c\u8a9e",
          "  two  spaces\n\nand lines\tand tabs   "]
TEXTS = CORPUS + ["", " ", "a", "e\u0301te\u0301 and \u00e9t\u00e9", "<s> inert <|end|>", "x = y[0] + 10**23  # done\r\n", "\U0001f600 smile"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SMALL = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16"]
LARGE = ["Q4_K", "Q5_K", "Q6_K"]


# --- vocabularies ------------------------------------------------------------------------

def level(pre):
    """A byte-level vocabulary, as the model with this pattern has it."""
    tok = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre in ("gpt-2", "smollm"))
    if pre == "qwen2":
        tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = {
        "gpt-2": byte,
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte]),
    }.get(pre) or pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3 if pre == "llama-bpe" else QWEN2), "isolated"), byte])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<|end|>", "<|start|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(tok.to_str())["model"]
    tokens = [t for t, _ in sorted(model["vocab"].items(), key=lambda e: e[1])]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    kinds = [3, 3] + [1] * (len(tokens) - 2)
    if pre == "llama-bpe":
        tok.post_processor = processors.TemplateProcessing(single="<|start|> $A", special_tokens=[("<|start|>", 1)])
    return tok, dict(model="gpt2", pre=pre, tokens=tokens, kinds=kinds, merges=merges, bos=1, eos=0, unk=None)


def piece():
    """A sentencepiece vocabulary: pieces with scores, and a token for every byte."""
    s = "\u2581"
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    raw = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    model = json.loads(raw.to_str())["model"]
    vocab = model["vocab"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    tokens = [t for t, _ in sorted(vocab.items(), key=lambda e: e[1])]
    rank = {a + b: i for i, (a, b) in reversed(list(enumerate(merges)))}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend(s), normalizers.Replace(" ", s)])
    tok.decoder = decoders.Sequence([decoders.Replace(s, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tok, dict(model="llama", pre="default", tokens=tokens, kinds=[2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259),
                     scores=[-float(rank.get(t, 1000)) for t in tokens], bos=1, eos=2, unk=0)


# --- weights ------------------------------------------------------------------------------

def blocks(shape, kind, rng):
    """Quantised values of a type that gguf cannot make from numbers: any bytes, small scales."""
    n, size = GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (shape[0], shape[1] // n, size), dtype=np.uint8)
    for at, scale in ((208, 6e-5),) if kind == T.Q6_K else ((0, 1e-4), (2, 7e-4)):
        d = (scale * (1 + rng.random(raw.shape[:2]))).astype("<f2")
        raw[:, :, at:at + 2] = d.view(np.uint8).reshape(*raw.shape[:2], 2)
    return raw.reshape(shape[0], -1)


class Writer:
    """Adds each tensor as a converter would, and remembers what it then stands for."""
    def __init__(self, path, arch, rng, start):
        self.w, self.rng, self.small, self.large = GGUFWriter(path, arch), rng, start, start

    def add(self, name, value):
        value = np.ascontiguousarray(value, np.float32)
        if value.ndim == 1:
            self.w.add_tensor(name, value)
            return value
        if value.shape[1] % 256 == 0:
            kind = T[LARGE[self.large % len(LARGE)]]
            self.large += 1
        else:
            kind = T[SMALL[self.small % len(SMALL)]]
            self.small += 1
        raw = blocks(value.shape, kind, self.rng) if kind.name in LARGE else quantize(value, kind)
        self.w.add_tensor(name, raw, raw_dtype=kind)
        return dequantize(raw, kind).reshape(value.shape)


def pair(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(w.shape)


def unpair(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


FAMILY = [("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"),
          ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
          ("mlp.down_proj", "ffn_down"), ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
          ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm")]
GPT2 = [("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down"),
        ("ln_1", "attn_norm"), ("ln_2", "ffn_norm")]


def put_family(out, state, config):
    for key in list(state):
        part, kind = key.rsplit(".", 1)
        top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}.get(part)
        if top:
            if not (top == "output" and config.tie_word_embeddings):
                state[key] = out.add("%s.%s" % (top, kind), state[key])
            continue
        layer, rest = part[len("model.layers."):].split(".", 1)
        name = "blk.%s.%s.%s" % (layer, dict(FAMILY)[rest], kind)
        heads = {"self_attn.q_proj": HEADS, "self_attn.k_proj": KV}.get(rest) if config.model_type == "llama" else None
        if heads:
            state[key] = unpair(out.add(name, pair(state[key], heads)), heads)
        else:
            state[key] = out.add(name, state[key])


def put_gpt2(out, state, config):
    for key in list(state):
        part, kind = key.rsplit(".", 1)
        top = {"transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
               "lm_head": "output"}.get(part)
        if top:
            if top != "output":
                state[key] = out.add("%s.%s" % (top, kind), state[key])
            continue
        layer, rest = part[len("transformer.h."):].split(".", 1)
        name = "blk.%s.%s.%s" % (layer, dict(GPT2)[rest], kind)
        turned = state[key].ndim == 2
        value = out.add(name, state[key].T if turned else state[key])
        state[key] = value.T if turned else value


def put_keys(w, config, gpt2):
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(D)
    w.add_block_count(config.num_hidden_layers)
    w.add_feed_forward_length(FFN)
    w.add_head_count(config.num_attention_heads)
    if gpt2:
        w.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if config.model_type != "qwen2":
        w.add_key_length(HEAD)
        w.add_value_length(HEAD)
        w.add_rope_dimension_count(HEAD)


def put_freqs(out, config):
    """What llama3 scaling divides each frequency by."""
    rope = config.rope_parameters
    if rope["rope_type"] != "llama3":
        return
    base = rope["rope_theta"] ** -(np.arange(0, HEAD, 2) / HEAD)
    wave, values = 2 * np.pi / base, []
    for x in wave:
        low, high = 8192 / rope["low_freq_factor"], 8192 / rope["high_freq_factor"]
        s = (8192 / x - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
        values.append(1 if x < high else rope["factor"] if x > low else 1 / ((1 - s) / rope["factor"] + s))
    out.w.add_tensor("rope_freqs.weight", np.array(values, np.float32))


def put_vocab(w, v):
    w.add_tokenizer_model(v["model"])
    w.add_tokenizer_pre(v["pre"])
    w.add_token_list(v["tokens"])
    if "scores" in v:
        w.add_token_scores(v["scores"])
    w.add_token_types(v["kinds"])
    if "merges" in v:
        w.add_token_merges(v["merges"])
    w.add_bos_token_id(v["bos"])
    w.add_eos_token_id(v["eos"])
    if v["unk"] is not None:
        w.add_unk_token_id(v["unk"])


def cases():
    hf = dict(hidden_size=D, intermediate_size=FFN, num_attention_heads=HEADS, num_key_value_heads=KV, max_position_embeddings=64,
              tie_word_embeddings=True)
    llama3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=8192)
    yield "llama", LlamaConfig, dict(hf, head_dim=HEAD, num_hidden_layers=2), piece
    yield "llama3", LlamaConfig, dict(hf, head_dim=HEAD, num_hidden_layers=1, rope_parameters=llama3, tie_word_embeddings=False,
                                      attention_bias=True), lambda: level("llama-bpe")
    yield "smollm", LlamaConfig, dict(hf, head_dim=HEAD, num_hidden_layers=1), lambda: level("smollm")
    yield "qwen2", Qwen2Config, dict(hf, num_hidden_layers=1, tie_word_embeddings=False), lambda: level("qwen2")
    yield "qwen3", Qwen3Config, dict(hf, head_dim=HEAD, num_hidden_layers=1), lambda: level("qwen2")
    yield "gpt2", GPT2Config, dict(n_embd=D, n_inner=FFN, n_head=HEADS, n_positions=64, n_layer=2), lambda: level("gpt-2")


def one(folder, name, kind, options, vocabulary, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tok, vocab = vocabulary()
    config = kind(vocab_size=len(vocab["tokens"]), **options)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    state = {}
    for key, p in model.state_dict().items():
        noise = torch.randn(p.shape)
        state[key] = (noise * (0.5 if p.dim() > 1 and ("embed" in key or "wte" in key) else 0.15) if p.dim() > 1 or key.endswith("bias")
                      else 1 + 0.2 * noise).numpy()
    path = os.path.join(folder, name + ".gguf")
    out = Writer(path, config.model_type, rng, seed)
    gpt2 = config.model_type == "gpt2"
    put_keys(out.w, config, gpt2)
    put_vocab(out.w, vocab)
    (put_gpt2 if gpt2 else put_family)(out, state, config)
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["transformer.wte.weight" if gpt2 else "model.embed_tokens.weight"]
    if not gpt2:
        put_freqs(out, config)
    out.w.write_header_to_file()
    out.w.write_kv_data_to_file()
    out.w.write_tensors_to_file()
    out.w.close()
    model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in state.items()})
    ids = torch.randint(3, config.vocab_size, (1, 25))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1].double(), ids[0, 1:], reduction="none")
    want = {"ids": ids[0].tolist(), "loss": [round(x, 7) for x in loss.tolist()],
            "texts": [{"text": t, "ids": tok.encode(t).ids, "plain": tok.decode(tok.encode(t).ids)} for t in TEXTS]}
    with open(os.path.join(folder, name + ".json"), "w") as f:
        json.dump(want, f, sort_keys=True)
        f.write("\n")


def main():
    folder, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    torch.set_num_threads(2)
    logging.set_verbosity_error()
    os.makedirs(folder, exist_ok=True)
    for i, case in enumerate(cases()):
        one(folder, *case, seed * 100 + i)


main()
