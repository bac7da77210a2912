"""PyTorch + PEFT on the shapes and rows of `sg bench`: random weights by configuration, bf16
base, f32 adapters of rank r on all linear maps (alpha = 2r, no dropout), fused AdamW, random
tokens, loss over all positions by the model itself. Prints one line of JSON.

    python3 tests/bench/shape_peer.py gpt2-124m --batch 16 --seq 1024 [--compile] [--row train|eval|block]
"""
import argparse, json, time
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig


def llama(vocab, d, ffn, layers, heads, kv, dim, **more):
    return LlamaConfig(vocab_size=vocab, hidden_size=d, intermediate_size=ffn, num_hidden_layers=layers,
                       num_attention_heads=heads, num_key_value_heads=kv, head_dim=dim, rms_norm_eps=1e-5,
                       max_position_embeddings=8192, **more)


SHAPES = {
    "tiny-3m": lambda: llama(4096, 192, 512, 4, 6, 2, 32, tie_word_embeddings=True),
    "gpt2-124m": lambda: GPT2Config(attn_pdrop=0, resid_pdrop=0, embd_pdrop=0),
    "smollm2-135m": lambda: llama(49152, 576, 1536, 30, 9, 3, 64, tie_word_embeddings=True),
    "llama-1b": lambda: llama(128256, 2048, 8192, 16, 32, 8, 64, tie_word_embeddings=True),
    "llama-8b": lambda: llama(128256, 4096, 14336, 32, 32, 8, 128, tie_word_embeddings=False),
}


class Block(torch.nn.Module):
    """h + down(silu(up h)) behind a layer"""

    def __init__(self, layer, d, width):
        super().__init__()
        self.layer = layer
        self.up = torch.nn.Linear(d, width, bias=False)
        self.down = torch.nn.Linear(width, d, bias=False)
        torch.nn.init.zeros_(self.down.weight)

    def forward(self, *args, **kw):
        out = self.layer(*args, **kw)
        h = out[0] if isinstance(out, tuple) else out
        h = h + self.down(torch.nn.functional.silu(self.up(h))).to(h.dtype)
        return (h,) + out[1:] if isinstance(out, tuple) else h


def grafted(model, a):
    for p in model.parameters():
        p.requires_grad_(False)
    if a.row == "eval":
        return model
    if a.row == "block":
        body = model.transformer.h if hasattr(model, "transformer") else model.model.layers
        for i in range(len(body)):
            body[i] = Block(body[i], model.config.hidden_size, 64).to(a.device)
        return model
    from peft import LoraConfig, get_peft_model
    maps = ["c_attn", "c_proj", "c_fc"] if hasattr(model, "transformer") else [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return get_peft_model(model, LoraConfig(r=a.rank, lora_alpha=2 * a.rank, target_modules=maps))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("shape", choices=SHAPES)
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--seq", type=int, default=256)
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--steps", type=int, default=15)
    p.add_argument("--row", choices=["train", "eval", "block"], default="train")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--compile", action="store_true")
    a = p.parse_args()
    torch.manual_seed(0)
    cuda = a.device.startswith("cuda")
    with torch.device(a.device):
        model = AutoModelForCausalLM.from_config(SHAPES[a.shape](), dtype=torch.bfloat16, attn_implementation="sdpa")
    vocab = model.config.vocab_size
    model = grafted(model, a)
    trained = [x for x in model.parameters() if x.requires_grad]
    opt = torch.optim.AdamW(trained, lr=1e-4, fused=cuda) if trained else None
    run = torch.compile(model) if a.compile else model
    ids = [torch.randint(0, vocab, (a.batch, a.seq), device=a.device) for _ in range(4)]
    times, began, loss = [], time.perf_counter(), None
    for i in range(a.steps + 6):
        if cuda:
            torch.cuda.synchronize()
        t = time.perf_counter()
        with torch.autocast("cuda" if cuda else "cpu", dtype=torch.bfloat16), torch.set_grad_enabled(opt is not None):
            loss = run(input_ids=ids[i % 4], labels=ids[i % 4]).loss
        if opt:
            loss.backward()
            opt.step()
            opt.zero_grad(set_to_none=True)
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - t)
    times = sorted(times[6:])
    ms = 1e3 * times[len(times) // 2]
    print(json.dumps({
        "peer": f"torch {torch.__version__}" + (", compiled" if a.compile else ", eager"), "base": a.shape, "row": a.row,
        "device": torch.cuda.get_device_name() if cuda else "cpu", "batch": a.batch, "seq": a.seq, "rank": a.rank,
        "ms": round(ms, 3), "ms_least": round(1e3 * times[0], 3), "ms_most": round(1e3 * times[-1], 3),
        "tokens_per_second": round(a.batch * a.seq / ms * 1e3, 1), "seconds": round(time.perf_counter() - began, 1),
        "peak_bytes": torch.cuda.max_memory_allocated() if cuda else None, "loss": round(float(loss), 4),
    }))


main()
