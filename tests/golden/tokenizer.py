#!/usr/bin/env python3
"""Makes tokenizer.json beside it: what the `tokenizers` library says.

Two small BPE models (one with a token for every byte, one with an unknown
token only) under several pipelines. For each text: ids with the template,
ids with specials in the text, and the decoded text. Run by hand:
    python3 tests/golden/tokenizer.py CORPUS.txt
"""
import json, os, sys
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

M = "\u2581"
HERE = os.path.dirname(os.path.abspath(__file__))


def train(lines, size, byte):
    tok = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte, fuse_unk=True))
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"] + (["<0x%02X>" % i for i in range(256)] if byte else [])
    tok.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False, limit_alphabet=60))
    model = json.loads(tok.to_str())["model"]
    model["merges"] = [list(m) if i % 2 else (m if isinstance(m, list) else m.split(" "))
                       for i, m in enumerate(model["merges"])]
    return model


def special(i, text, **more):
    d = dict(id=i, content=text, single_word=False, lstrip=False, rstrip=False,
             normalized=False, special=True)
    d.update(more)
    return d


ENDS = [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")]
BOS = {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}}],
       "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
BOTH = dict(BOS, single=BOS["single"] + [{"SpecialToken": {"id": "</s>", "type_id": 0}}],
            special_tokens={"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                            "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}})
NORM = {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": M}, {"type": "Replace", "pattern": {"String": " "}, "content": M}]}
BACK = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": M}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}


def meta(scheme, split):
    return {"type": "Metaspace", "replacement": M, "prepend_scheme": scheme, "split": split}


def variants(na, nb):
    yield "llama2", 0, {}, dict(normalizer=NORM, post_processor=BOS, decoder=BACK, added_tokens=ENDS)
    yield "both ends", 0, {}, dict(normalizer=NORM, post_processor=BOTH, decoder=BACK, added_tokens=ENDS)
    for scheme in "always", "first", "never":
        for split in False, True:
            yield "metaspace %s %s" % (scheme, split), 0, {}, dict(
                pre_tokenizer=meta(scheme, split), post_processor=BOS, decoder=meta(scheme, split),
                added_tokens=ENDS)
    yield "added", 0, {}, dict(normalizer=NORM, post_processor=BOS, decoder=BACK, added_tokens=ENDS + [
        special(na, "<|x|>", lstrip=True), special(na + 1, "<|x|>y", special=False),
        special(na + 2, "<r>", rstrip=True, special=False), special(na + 3, "Tom", special=False, normalized=True),
        special(na + 4, "  ", special=False)])
    yield "unknown fused", 1, {}, dict(normalizer=NORM, post_processor=BOS, decoder=BACK, added_tokens=ENDS)
    yield "unknown single", 1, {"fuse_unk": False}, dict(
        normalizer=NORM, post_processor=BOS, decoder=BACK, added_tokens=ENDS)
    yield "whole words", 0, {"ignore_merges": True}, dict(
        pre_tokenizer=meta("always", True), post_processor=BOS, decoder=BACK, added_tokens=ENDS)


TEXTS = [
    "", " ", "  ", "a", "Tom", "Tom Sawyer", " Tom  Sawyer ", "\n", "\t x\r\n\r\ny", "the the the", "aaaaaaaaaaaaaaaaa",
    "He said: \u201cAunt Polly\u201d", "ma\u00f1ana", "\U0001f600 smile \U0001f600\U0001f600", "\u200a", M, M + " " + M + M,
    "<s> Hi", "a<s>b</s>c", "<s><s>", "</s>", "<unk>", "<0x41>", "<0x0A> x", "<|x|>y", "a  <|x|>  b", "a <r>   b<r>",
    "I saw Tom and  Tom", "  lead", "tail  ", "\u00e9e\u0301", "\x00\x01", "\u4e2d\u6587 text", "x" * 200, " " * 50,
    "the quick brown fox " * 12, "\ufeffbom", "\u0130\u0131", "<|x|><|x|>", "<r><|x|> <s>", "Sawyer<unk>Tom",
]


def main():
    lines = open(sys.argv[1], encoding="utf-8").read()[:60000].split("\n")
    model = [train(lines, 500, True), train(lines, 150, False)]
    out = {"models": model, "variants": []}
    for name, k, options, rest in variants(len(model[0]["vocab"]), len(model[1]["vocab"])):
        full = dict(version="1.0", truncation=None, padding=None, normalizer=None, pre_tokenizer=None)
        full.update(rest, model=dict(model[k], **options))
        tok = Tokenizer.from_str(json.dumps(full))
        cases = []
        for text in TEXTS:
            tok.encode_special_tokens = True
            ids = tok.encode(text).ids
            tok.encode_special_tokens = False
            open_ids = tok.encode(text, add_special_tokens=False).ids
            cases.append({"text": text, "ids": ids, "open": open_ids,
                          "back": tok.decode(ids), "open_back": tok.decode(open_ids, skip_special_tokens=False)})
        # runs of bytes that are no text
        odd = [[3 + 0xe2, 3 + 0x96, 260], [3 + 0x20, 3 + 0xff, 300, 3 + 0x41], [3 + 0xc3, 1, 3 + 0xa9], [3 + 0x20, 265]]
        odd = [{"ids": o, "back": tok.decode(o)} for o in odd] if k == 0 else []
        out["variants"].append({"name": name, "model": k, "options": options, "rest": rest, "cases": cases, "odd": odd})
    with open(os.path.join(HERE, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        f.write("\n")


main()
