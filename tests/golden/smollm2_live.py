#!/usr/bin/env python3
"""What transformers says of a GGUF model in f32.

usage: smollm2_live.py FILE.gguf OUT.json TEXT ...

A text whose name ends in languages.txt is many: its paragraphs. OUT gets for each text ids (at most 513, by the tokenizer of the same file) with
the loss of each token after the first, and a prompt with the 64 tokens that greedy
generation puts behind it. Exit status 77 when a library is not there.
What was computed once is kept beside FILE, for the same texts and script.
"""
import glob, hashlib, json, os, shutil, sys

os.environ["HF_HUB_OFFLINE"] = "1"


def kept():
    """Where the answer is kept."""
    h = hashlib.sha256()
    for name in [__file__] + sys.argv[3:]:
        with open(name, "rb") as f:
            h.update(hashlib.sha256(f.read()).digest())
    return os.path.join(os.path.dirname(sys.argv[1]), "smollm2-want-%s.json" % h.hexdigest()[:16])


if os.path.exists(kept()):
    shutil.copyfile(kept(), sys.argv[2])
    sys.exit(0)
try:
    import gguf  # noqa: F401 (transformers wants it)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging
except ImportError:
    sys.exit(77)

PROMPT = "Once upon a time"


def cut(names):
    """The texts of the files."""
    for name in names:
        with open(name, encoding="utf-8") as f:
            text = f.read()
        if name.endswith("languages.txt"):
            yield from (p.strip() for p in text.split("\n\n"))
        else:
            yield text[:6000]


def main():
    path, out, texts = sys.argv[1], sys.argv[2], sys.argv[3:]
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)  # two wait for each other on a busy machine
    where = dict(gguf_file=os.path.basename(path))
    model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), dtype=torch.float32, **where).eval()
    tok = AutoTokenizer.from_pretrained(os.path.dirname(path), **where)
    want = {"texts": []}
    with torch.no_grad():
        for text in cut(texts):
            ids = torch.tensor([tok(text)["input_ids"][:513]])
            logits = model(ids).logits[0, :-1].double()
            loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
            want["texts"].append({"ids": ids[0].tolist(), "loss": loss.tolist()})
        ids = torch.tensor([[tok.convert_tokens_to_ids("<|endoftext|>")] + tok(PROMPT)["input_ids"]])
        got = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, min_new_tokens=64, do_sample=False,
                             eos_token_id=None, pad_token_id=2)
        want["prompt"], want["greedy"] = ids[0].tolist(), got[0, ids.shape[1]:].tolist()
        want["text"] = PROMPT + tok.decode(want["greedy"])
    with open(out, "w") as f:
        json.dump(want, f)
    for old in glob.glob(os.path.join(os.path.dirname(path), "smollm2-want-*.json")):
        os.remove(old)
    shutil.copyfile(out, kept() + ".part")
    os.replace(kept() + ".part", kept())


main()
