"""The table of french.sh, from the files that it left in this folder; with transformers
and peft also what those say of the exports. usage: french.py FILE.gguf"""
import json, os, sys


def load(name):
    with open(name) as f:
        return json.load(f)


def losses(path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    torch.set_num_threads(1)
    where = dict(gguf_file=os.path.basename(path))
    new = lambda: AutoModelForCausalLM.from_pretrained(os.path.dirname(path), dtype=torch.float32, **where).eval()
    tok = AutoTokenizer.from_pretrained(os.path.dirname(path), **where)
    with open("probe.txt", encoding="utf-8", newline="") as f:
        ids = tok(f.read())["input_ids"]
    ids = torch.tensor([[tok.convert_tokens_to_ids("<|endoftext|>")] + ids])

    def loss(m):
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(m(ids).logits[0, :-1].double(), ids[0, 1:]).item()
    out = {"base": loss(new())}
    for g in "lora", "phi":
        out[g] = (loss(PeftModel.from_pretrained(new(), g + "-peft").eval()),
                  loss(AutoModelForCausalLM.from_pretrained(g + "-hf", dtype=torch.float32).eval()))
    return out


def main():
    try:
        theirs = losses(sys.argv[1])
        print("transformers' own loss of the base on the probe: %.6f" % theirs["base"])
    except ImportError as e:
        print("without peft and transformers: %s" % e)
        theirs = {}
    worst = 0
    for g in "lora", "phi":
        for kind in "train", "verdict", "kept":
            text = json.dumps(load("%s.%s" % (g, kind)))
            print(g, kind, text if len(text) < 1500 else text[:1500] + " ...")
        line = load(g + ".eval")["lines"][0]
        ours = line["nats"] / line["tokens"]
        print("%s: sg eval %.6f nats a token of %d" % (g, ours, line["tokens"]), end="")
        if theirs:
            d = [abs(x - ours) for x in theirs[g]]
            worst = max(worst, *d)
            print("; peft %.6f (differs by %.1e), merged %.6f (%.1e)" % (theirs[g][0], d[0], theirs[g][1], d[1]), end="")
        print()
    if theirs:
        print("worst difference %.1e: %s" % (worst, "good" if worst < 1e-4 else "TOO MUCH"))
        sys.exit(worst >= 1e-4)


main()
