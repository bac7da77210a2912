"""One LoRA step of the model of lora_step.c in PyTorch + PEFT; prints median seconds."""
import sys, time, torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

threads, steps = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(0)
cfg = LlamaConfig(vocab_size=8192, hidden_size=320, intermediate_size=864, num_hidden_layers=6,
                  num_attention_heads=5, num_key_value_heads=5, head_dim=64, max_position_embeddings=256,
                  tie_word_embeddings=True, attn_implementation="sdpa")
model = LlamaForCausalLM(cfg).float()
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=8, target_modules=[
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
opt = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, betas=(0.9, 0.99))
ids = torch.randint(0, 8192, (8, 257))
times = []
for _ in range(steps):
    t = time.perf_counter()
    logits = model(input_ids=ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 8192), ids[:, 1:].reshape(-1))
    opt.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    times.append(time.perf_counter() - t)
times = sorted(times[1:])
print(f"{times[len(times) // 2]:.6f} {loss.item():.4f}")
