"""The text of french.sh and its table: what its commands left in this folder, and with
transformers and peft what those say of the exports.
usage: french.py cut LANG TEXT DOCS; french.py table FILE.gguf"""
import glob, json, os, sys


def pieces(page, least, most):
    """Whole lines of prose, together at least so long; none of what stands on every page."""
    out = ""
    for line in page.strip().split("\n")[3:]:
        if len(line) >= 40:
            out = (out + "\n" + line).strip()
        if len(out) >= least:
            yield out[:most].rsplit(" ", 1)[0]
            out = ""


def cut(lang, path, n):
    """Pages up to 80 % train, in pieces of a window; of those behind them one short piece
    each is for judging; two longer ones are probes."""
    with open(path, encoding="utf-8") as f:
        pages = [p for p in f.read().split("\n\n") if p.strip()]
    at = len(pages) * 8 // 10

    def write(kind, docs):
        with open("%s.%s.txt" % (lang, kind), "w", encoding="utf-8", newline="") as f:
            f.write("\n\n".join(docs) + "\n")
    write("train", dict.fromkeys(x for p in pages[:at] for x in pieces(p, 300, 420)))
    held = dict.fromkeys(next(pieces(p, 160, 240), "") for p in pages[at:])
    held.pop("", None)
    held = list(held)
    if len(held) < n:
        sys.exit("%s: %d pages of text to judge on, not %d" % (path, len(held), n))
    write("held", [held[i * len(held) // n] for i in range(n)])
    long = [x for p in pages[at:] for x in pieces(p, 900, 1000)]
    for i in range(2):
        with open("probe.%s%d.txt" % (lang, i), "w", encoding="utf-8", newline="") as f:
            f.write(long[i * len(long) // 2])


def load(name):
    with open(name) as f:
        return json.load(f)


def losses(path, probes):
    """Nats of each probe: of the base, and of each graft through peft and merged."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    where = dict(gguf_file=os.path.basename(path))
    new = lambda: AutoModelForCausalLM.from_pretrained(os.path.dirname(path), dtype=torch.float32, **where).eval()
    tok = AutoTokenizer.from_pretrained(os.path.dirname(path), **where)
    start = tok.convert_tokens_to_ids("<|endoftext|>")

    def loss(m):
        out = []
        for name in probes:
            with open(name, encoding="utf-8", newline="") as f:
                ids = torch.tensor([[start] + tok(f.read())["input_ids"]])
            with torch.no_grad():
                out.append(torch.nn.functional.cross_entropy(m(ids).logits[0, :-1].double(), ids[0, 1:]).item())
        return out
    out = {"base": loss(new())}
    for g in "lora", "phi":
        out[g] = (loss(PeftModel.from_pretrained(new(), g + "-peft").eval()),
                  loss(AutoModelForCausalLM.from_pretrained(g + "-hf", dtype=torch.float32).eval()))
    return out


def table(path):
    probes = sorted(glob.glob("probe.*.txt"))
    try:
        theirs = losses(path, probes)
    except ImportError as e:
        print("without peft and transformers: %s" % e)
        theirs = {}
    worst, good = 0, True
    for g in "lora", "phi":
        t, v = load(g + ".train"), load(g + ".verdict")
        print("%s: %d parameters, %d tokens, %d steps, %.0f s; loss %.4f at first, %.4f at last; %s" % (
            g, t["trained"], t["tokens"], t["steps"], t["seconds"], t["first_loss"], t["last_loss"], v["verdict"]))
        good = good and v["verdict"] == "accept"
        for w in v["gates"]:
            if w["docs"]:
                print("  %s %s: %d documents, %.4f nats a token without it, %+.4f with it (%+.4f to %+.4f), limit %s: %s" % (
                    w["gate"], w["set"], w["docs"], w["parent"], w["mean"], w["lower"], w["upper"], w["threshold"], w["verdict"]))
            elif w["verdict"] != "accept":
                print("  %s: %s: %s" % (w["gate"], w["verdict"], w["text"]))
        lines = {l["file"]: l for l in load(g + ".eval")["lines"]}
        for i, name in enumerate(probes):
            ours = lines[name]["nats"] / lines[name]["tokens"]
            text = "  %s, %d tokens: sg eval %.6f" % (name, lines[name]["tokens"], ours)
            if theirs:
                d = [x[i] - ours for x in theirs[g]]
                worst = max(worst, *map(abs, d))
                text += "; peft %.6f (%+.1e); merged %.6f (%+.1e); base %.6f" % (
                    theirs[g][0][i], d[0], theirs[g][1][i], d[1], theirs["base"][i])
            print(text)
    if theirs:
        print("worst difference %.1e: %s" % (worst, "good" if worst < 1e-4 else "TOO MUCH"))
    sys.exit(not good or worst >= 1e-4)


def main():
    if sys.argv[1] == "cut":
        cut(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        table(sys.argv[2])


main()
