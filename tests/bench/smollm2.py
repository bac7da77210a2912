"""What smollm2.c does, by transformers and peft in f32.

usage: smollm2.py unpack FILE.gguf DIR        the file as an f32 folder, which loads faster
       smollm2.py run DIR THREADS eval|step ROUNDS
"""
import os, resource, sys, time
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
T = 512
if sys.argv[1] == "unpack":
    path, out = sys.argv[2:]
    model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32)
    model.hf_quantizer = None  # else it refuses to save weights that are plain f32 by now
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(out)
    sys.exit()
folder, threads, what, rounds = sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
V = model.config.vocab_size
ids = torch.tensor([[(i * i * 31 + i * 7919 + 13) % V for i in range(T + 1)]])
times, work, losses = [], [], []


def loss():
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.reshape(-1, V), ids[:, 1:].reshape(-1))


def evaluate():
    with torch.no_grad():
        losses.append(loss().item())


def step():
    l = loss()
    opt.zero_grad(set_to_none=True)
    l.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    losses.append(l.item())


if what == "step":
    from peft import LoraConfig, get_peft_model
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]))
    model.train()
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=1e-3, betas=(0.9, 0.99))


def spent():
    """Processor seconds that all programs have had together, without this one."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    own = resource.getrusage(resource.RUSAGE_SELF)
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK") - own.ru_utime - own.ru_stime


others, start = spent(), time.perf_counter()
for _ in range(rounds):
    begun, had = time.perf_counter(), time.process_time()
    step() if what == "step" else evaluate()
    times.append(time.perf_counter() - begun)
    work.append(time.process_time() - had)
others = 100 * max(spent() - others, 0) / (time.perf_counter() - start) / os.cpu_count()
print("%.6f %.6f %.5f %.0f %.0f" % (min(times), min(work), losses[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, others))
