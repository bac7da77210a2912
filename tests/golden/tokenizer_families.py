#!/usr/bin/env python3
"""The byte-level families, each with the exact pipeline of its models' files
over a small vocabulary, and what the `tokenizers` library says of many strings.

usage: tokenizer_families.py golden TEXT...
           makes tokenizer_level.json beside this file, run by hand
       tokenizer_families.py live DIR COUNT EVERY TEXT...
           writes DIR/<family>.json and DIR/<family>.rec for the test
           tokenizer_families_live: COUNT seeded strings, each EVERYth code
           point in several places, each TEXT whole and by lines
       tokenizer_families.py file TOKENIZER.json OUT COUNT EVERY TEXT...
           the same of a file at hand

A .rec has records of little-endian numbers: u32 bytes of a text, the text, u32
number of ids, the ids as u32. Exit status 77 when the library is not there.
"""
import json, os, random, struct, sys, unicodedata
try:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
except ImportError:
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")


def level(space=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": regex}


def split(regex):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def digits(each):
    return {"type": "Digits", "individual_digits": each}


def seq(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def token(i, text, **more):
    d = dict(id=i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    d.update(more)
    return d


def bos(name, i):
    t = [{"SpecialToken": {"id": name, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": t, "pair": t + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [i], "tokens": [name]}}}


def train(lines, pre, size, alphabet=True, special=("<|endoftext|>",)):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre
    tok.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else []))
    return json.loads(tok.to_str())["model"]


def trained(lines, size):
    """The models; 0 is GPT-2's, 1 Llama-3's, 2 Qwen2's, 3 SmolLM's without some
    control bytes, 4 without most bytes, with an unknown token."""
    g = pre_tokenizers.ByteLevel(add_prefix_space=False)
    b = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    cut = lambda r: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r), "isolated"), b])
    smol = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), g])
    out = [train(lines, g, size), train(lines, cut(LLAMA3), size, special=()), train(lines, cut(QWEN2), size, special=()),
           train(lines, smol, size), train(lines, g, size, alphabet=False)]
    out[0]["merges"] = ["#version: 0.2"] + [" ".join(m) for m in out[0]["merges"]]
    out[1]["ignore_merges"] = True
    out[2].update(continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False)
    # words that a merge does not make, for ignore_merges
    for word in "\u0120zqx", "Xyzzy", "\u0120\u0120\u0120q":
        out[1]["vocab"][word] = len(out[1]["vocab"])
    gone = [chr(256 + c) for c in (4, 6, 19, 20)]
    keep = sorted((i, t) for t, i in out[3]["vocab"].items() if t not in gone)
    out[3]["vocab"] = {t: i for i, (_, t) in enumerate(keep)}
    return out


def families(sizes):
    """name, model, options, rest of the file"""
    n = sizes
    end = [token(0, "<|endoftext|>")]
    nfc = {"type": "NFC"}
    yield "gpt2", 0, {}, dict(pre_tokenizer=level(), post_processor=level(), added_tokens=end)
    yield "opt", 0, {}, dict(pre_tokenizer=level(), added_tokens=[token(0, "<|endoftext|>", normalized=True)] +
                             [token(n[0], "</s>", normalized=True)], post_processor=bos("</s>", n[0]))
    runs = [token(n[0] + 1 + i, " " * k, special=False, normalized=True) for i, k in enumerate(range(24, 1, -1))]
    yield "neox", 0, {}, dict(normalizer=nfc, pre_tokenizer=level(), post_processor=level(),
                              added_tokens=end + [token(n[0], "<|padding|>")] + runs)
    yield "llama3", 1, {}, dict(
        pre_tokenizer=seq(split(LLAMA3), level(regex=False)),
        added_tokens=[token(n[1], "<|begin_of_text|>"), token(n[1] + 1, "<|end_of_text|>"), token(n[1] + 2, "<|eot_id|>")],
        post_processor={"type": "Sequence", "processors": [level(), bos("<|begin_of_text|>", n[1])]})
    yield "qwen2", 2, {}, dict(
        normalizer=nfc, pre_tokenizer=seq(split(QWEN2), level(regex=False)), post_processor=level(regex=False),
        added_tokens=[token(n[2], "<|endoftext|>"), token(n[2] + 1, "<|im_start|>"), token(n[2] + 2, "<|im_end|>"),
                      token(n[2] + 3, "<think>", special=False), token(n[2] + 4, "</think>", special=False)])
    yield "smollm", 3, {}, dict(pre_tokenizer=seq(digits(True), level()), added_tokens=end)
    yield "prefix", 0, {}, dict(pre_tokenizer=level(space=True), added_tokens=end)
    yield "digits prefix", 0, {}, dict(pre_tokenizer=seq(digits(False), level(space=True)), added_tokens=end)
    yield "unknown", 4, {"unk_token": "<|endoftext|>"}, dict(pre_tokenizer=level(), added_tokens=end)
    yield "flags", 2, {}, dict(normalizer=nfc, pre_tokenizer=seq(split(QWEN2), level(regex=False)), added_tokens=[
        token(n[2], "<|s|>", single_word=True), token(n[2] + 1, "<|l|>", lstrip=True), token(n[2] + 2, "<|r|>", rstrip=True),
        token(n[2] + 3, "caf\u00e9", special=False, normalized=True, single_word=True),
        token(n[2] + 4, "e\u0301t", special=False, normalized=True, lstrip=True, rstrip=True),
        token(n[2] + 5, "  ", special=False), token(n[2] + 6, "a  b", special=False, normalized=True)])


def tokenizers(model, decoder):
    for name, k, options, rest in families([len(m["vocab"]) for m in model]):
        rest = dict(rest, decoder=decoder)
        full = dict(version="1.0", truncation=None, padding=None, normalizer=None, pre_tokenizer=None, post_processor=None)
        full.update(rest, model=dict(model[k], **options))
        yield name, k, options, rest, json.dumps(full, ensure_ascii=False)


TEXTS = [
    "", " ", "  ", "   ", "a", "Hello world", " Hello  world ", "I'll we've it's I'M IT'S 'tis don't '' 's'", "it'\u017f '\u017fx",
    "x=1;\n\n\n  y  =\t22;\r\n\tif (z) {\n    return 333;\n}\n", "1 22 333 4444 55555 1,000,000.50 3\u00b2 \u0664\u0662 \u216b\u2460",
    "\U00011de0\U00011de9 \U00016ff4", "a\u00a0b \u3000\u3000c\u2003\u2003 d\u180ee\u200bf\u0085g", "\n", "\r\n", " \n \n", "\n  x", "!\n\n!", " !!\r\n a",
    "ma\u00f1ana \u00e9t\u00e9 e\u0301t e\u0301te\u0301 cafe\u0301 caf\u00e9 un caf\u00e9s", "\u4e2d\u6587\uff0c\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0958 \u0915\u093c", "\U0001f600\u200d\U0001f525 \U0001f1eb\U0001f1f7", "\u212b \u2126 \ufb01 \uf900 \u0344 \u1e9b\u0323", "a\u0315\u0300\u05ae\u0300b q\u0307\u0323 \u0f71\u0f72\u0f74",
    "\x00\x01\x04\x06\x13\x14\x16\x1d\x7f", "\U0010ffff\ue000\ufffd\ufeff \U00031350\U000f0000\U00050000", "x" * 100, " " * 60, "ab" * 60, "\u0301\u0301\u0301", "\u0301" * 40 + "\u0323",
    "<|endoftext|>", "a<|endoftext|>b <|im_start|>user\nhi<|im_end|>", "<|begin_of_text|>x<|eot_id|>", "<think> </think>", "</s>x</s>",
    "a <|s|> b", "a<|s|>b", "<|s|>", "\u4e2d<|s|>!", "a  <|l|>  <|r|>  b", "<|r|>   <|l|>", "<|l|><|r|>", "  <|l|>", "a  b", "x a  b y", "zqx zqx Xyzzy    q", "a" + " " * 24 + "b" + " " * 25 + "c" + " " * 49,
]


def cases(tok):
    for text in TEXTS:
        tok.encode_special_tokens = True
        ids = tok.encode(text).ids
        tok.encode_special_tokens = False
        opened = tok.encode(text, add_special_tokens=False).ids
        yield {"text": text, "ids": ids, "open": opened, "back": tok.decode(ids),
               "open_back": tok.decode(opened, skip_special_tokens=False)}


def odd(tok, size):
    """Ids in an order that no text gives: bytes that are no UTF-8."""
    rng = random.Random(7)
    for _ in range(12):
        ids = [rng.randrange(1, min(size, 300)) for _ in range(rng.randrange(1, 12))]
        yield {"ids": ids, "back": tok.decode(ids)}


def read(paths):
    return [open(p, encoding="utf-8", newline="").read() for p in paths]


def golden(paths):
    lines = "\n".join(t[:30000] for t in read(paths)).splitlines(True)
    model = trained(lines, 400)
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    out = {"models": model, "variants": []}
    for name, k, options, rest, text in tokenizers(model, decoder):
        tok = Tokenizer.from_str(text)
        out["variants"].append({"name": name, "model": k, "options": options, "rest": rest, "cases": list(cases(tok)),
                                "odd": list(odd(tok, len(model[k]["vocab"])))})
    with open(os.path.join(HERE, "tokenizer_level.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        f.write("\n")


PIECES = [" ", "  ", "   ", "\n", "\t", "\r\n", "\r", "\x0b", "\u00a0", "\u2003", "\u3000", "\u0085", "\u180e", "\u200b", "'", "'s", "'S", "'ll", "'Re",
          "'\u017f", "\u2019s", "1", "22", "333", "4444", "\u0664", "\u00b2", "\u216b", "\U00011de3", "a", "Z", "the", " the", "The", "ing", "\u00e9", "e\u0301",
          "\u0301", "\u0323", "\u0315", "\u05ae", "\u00f1", "\u4e2d", "\u3042\u3099", "\uac00\u11a8", "\u1100\u1161", "\u11a7", "\u0958", "\u0344", "\u2126", "\U0001d15e",
          "\U0001f600", "\u200d", "\ufeff", "\x00", "\x7f", ".", ",", "!?", "--", "=", "<|", "|>", "<|endoftext|>", "<|im_end|>", "</s>", "<think>", "\u0130", "\U0010ffff",
          "\u0345", "\u0f71", "\u0f72", "<|s|>", "<|l|>", "<|r|>", "caf\u00e9", "cafe\u0301", "a  b"]


# characters that compose, decompose or move
MOVING = [c for c in map(chr, range(0x30000)) if unicodedata.combining(c) or "\u1100" <= c <= "\u11ff" or
          unicodedata.decomposition(c)[:1] not in ("", "<")]


def string(rng):
    kind, n = rng.randrange(6), rng.randrange(1, 30)
    if kind < 2:
        return "".join(rng.choice(PIECES) for _ in range(n))
    if kind == 2:
        return "".join(chr(rng.randrange(32, 127)) for _ in range(n))
    if kind == 3:
        return "".join(chr(c) for c in (rng.randrange(0x110000 if rng.randrange(3) else 0x3100) for _ in range(n)) if not 0xd800 <= c < 0xe000)
    if kind == 4:
        return "".join(rng.choice(MOVING) if rng.randrange(3) else rng.choice("aeiouAEy \u0627\u03b1\uac00") for _ in range(n))
    return "".join(rng.choice("aeth ndosr1\u0301\u0327\u0338") for _ in range(n * 4))


def around(points):
    """Each code point beside letters, digits, spaces, marks and line ends."""
    points = [chr(c) for c in points if not 0xd800 <= c < 0xe000]
    for at in range(0, len(points), 16):
        yield " ".join("a%sb %s1%s'%ss %s  %s\n%s e%s\u0323\u0301%s!%s" % ((c,) * 10) for c in points[at:at + 16])


def strings(count, every, paths):
    rng = random.Random(20250711)
    texts = [string(rng) for _ in range(count)] + list(around(range(rng.randrange(every), 0x110000, every)))
    for text in read(paths):
        texts += [text] + text.split("\n")
    return texts


def record(path, tok, texts):
    tok.encode_special_tokens = True
    with open(path, "wb") as f:
        for at in range(0, len(texts), 1000):
            part = texts[at:at + 1000]
            for text, enc in zip(part, tok.encode_batch(part)):
                raw = text.encode()
                f.write(struct.pack("<I", len(raw)) + raw + struct.pack("<I%dI" % len(enc.ids), len(enc.ids), *enc.ids))


def live(where, count, every, paths):
    size = 200000 if int(every) == 1 else 50000
    lines = "\n".join(t[:size] for t in read(paths[:2])).splitlines(True)
    texts = strings(int(count), int(every), paths if int(every) == 1 else [])
    fewer = strings(int(count) // 4, 4 * int(every), [])
    os.makedirs(where, exist_ok=True)
    for name, _, _, _, text in tokenizers(trained(lines, 1200), {"type": "ByteLevel", "add_prefix_space": True,
                                                                 "trim_offsets": True, "use_regex": True}):
        name = os.path.join(where, name.replace(" ", "_"))
        with open(name + ".json", "w", encoding="utf-8") as f:
            f.write(text)
        # these see every character through a part of their own; the others share theirs
        own = os.path.basename(name) in ("gpt2", "llama3", "qwen2", "smollm")
        record(name + ".rec", Tokenizer.from_str(text), texts if own else fewer)


def main():
    if sys.argv[1] == "golden":
        golden(sys.argv[2:])
    elif sys.argv[1] == "live":
        live(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    else:
        record(sys.argv[3], Tokenizer.from_file(sys.argv[2]), strings(int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:]))


if __name__ == "__main__":
    main()
