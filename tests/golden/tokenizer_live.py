#!/usr/bin/env python3
"""What the `tokenizers` library says of many strings, for the test tokenizer_live.

usage: tokenizer_live.py TOKENIZER.json OUT COUNT [TEXT...]

OUT gets records of little-endian numbers: u32 bytes of a text, the text, u32
number of ids, the ids as u32. COUNT seeded strings are made of pieces that
tokenizers trip over; each TEXT file comes whole and by lines. Exit status 77
when the library is not there.
"""
import random, struct, sys
try:
    from tokenizers import Tokenizer
except ImportError:
    sys.exit(77)

PIECES = [" ", "  ", "\n", "\t", "\r\n", "\u2581", "\u200a", "\u00a0", "<s>", "</s>", "<unk>", "<0x0A>", "<0x", "\x00", "\x7f",
          "the", " the", "The", "ing", "'s", "\u2019s", "123", "\u00e9", "e\u0301", "\u00f1", "\u4e2d", "\U0001f600",
          "\u200d", "\ufeff", "\ufffd", "\u0000", "ab", "A", "zz", ".", ",", "!?", "\u0130", "\U0010ffff", "\ud7ff", "\ue000"]


def string(rng):
    kind = rng.randrange(4)
    n = rng.randrange(1, 40)
    if kind == 0:
        return "".join(rng.choice(PIECES) for _ in range(n))
    if kind == 1:
        return "".join(chr(rng.randrange(32, 127)) for _ in range(n))
    if kind == 2:
        return "".join(chr(c) for c in (rng.randrange(0x110000) for _ in range(n)) if not 0xd800 <= c < 0xe000)
    return "".join(rng.choice("aeth ndosr") for _ in range(n * 4))


def main():
    tok = Tokenizer.from_file(sys.argv[1])
    tok.encode_special_tokens = True
    rng = random.Random(20240229)
    texts = [string(rng) for _ in range(int(sys.argv[3]))]
    for path in sys.argv[4:]:
        text = open(path, encoding="utf-8", newline="").read()
        texts += [text] + text.split("\n")
    with open(sys.argv[2], "wb") as f:
        for at in range(0, len(texts), 1000):
            part = texts[at:at + 1000]
            for text, enc in zip(part, tok.encode_batch(part)):
                raw = text.encode()
                f.write(struct.pack("<I", len(raw)) + raw + struct.pack("<I%dI" % len(enc.ids), len(enc.ids), *enc.ids))


main()
