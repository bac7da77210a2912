#!/usr/bin/env python3
"""A SentencePiece model and what its own library says of texts.

usage: spm_live.py DIR TEXT ...

Trains BPE with byte fallback on the texts into DIR/tokenizer.model, and writes
DIR/want.json: strings (lines of the texts, and random ones of hostile characters) with
their ids. DIR/unigram.model is one that is to be refused. Exit status 77 when the
library is not there.
"""
import json, os, random, sys
try:
    import sentencepiece as spm
except ImportError:
    sys.exit(77)

HOSTILE = [" ", "  ", "\n", "\t", "a", "the", "é", "e\u0301", "ñ", "\u2581", "日本", "русский", "🙂", "\u200a", "\u00a0",
           "<s>", "</s>", "<unk>", "<mark>", "<0x41>", "0", "12345", "...", "\U000e0001", "\r\n", "A\u030a", "ﬁ", "①"]


def main():
    out, texts = sys.argv[1], sys.argv[2:]
    both = dict(input=texts, vocab_size=900, input_sentence_size=4000, minloglevel=2,
                normalization_rule_name="identity", remove_extra_whitespaces=False)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "tokenizer"), model_type="bpe", byte_fallback=True,
                                   character_coverage=0.999, **both)
    spm.SentencePieceTrainer.train(model_prefix=os.path.join(out, "unigram"), model_type="unigram", **both)
    sp = spm.SentencePieceProcessor(model_file=os.path.join(out, "tokenizer.model"))
    strings = []
    for name in texts:
        with open(name, encoding="utf-8", newline="") as f:
            strings += f.read(60000).splitlines(True)
    rng = random.Random(1)
    strings += ["".join(rng.choices(HOSTILE, k=rng.randint(1, 12))) for _ in range(12000)]
    # its own control tokens in a text, and the sign that stands for a space, mean
    # something else to either side
    strings = [s for s in strings if "<s>" not in s and "</s>" not in s and "<unk>" not in s and s]
    with open(os.path.join(out, "want.json"), "w") as f:
        json.dump([{"text": s, "ids": sp.encode(s)} for s in strings], f)


main()
