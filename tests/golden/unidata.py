#!/usr/bin/env python3
"""Makes src/model/tok_unidata.c: what the `tokenizers` library takes characters for.

Nothing is read from a Unicode version of our own choice: each fact is asked of
the library, since its parts carry tables of different age (its regular
expressions, its digits, its normaliser, its word characters). Run by hand:
    python3 tests/golden/unidata.py [OUT]
"""
import os, sys, unicodedata
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xd800 <= c < 0xe000]
HANGUL = range(0xac00, 0xac00 + 11172)
STEP, HIGH = 128, 0xe0000
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/model/tok_unidata.c")
nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str


def pieces(cutter, sep=""):
    """What a cutter leaves of all characters, in order."""
    for at in range(0, len(POINTS), 65536):
        text = sep.join(map(chr, POINTS[at:at + 65536]))
        for piece, _ in cutter.pre_tokenize_str(text):
            yield piece


def matched(regex):
    rest = set()
    for piece in pieces(pre_tokenizers.Split(Regex(regex), "removed")):
        rest.update(map(ord, piece))
    return set(POINTS) - rest


def numeric():
    return {ord(p) for p in pieces(pre_tokenizers.Digits(individual_digits=True), "x") if len(p) == 1 and p != "x"}


def word():
    """Characters beside which a single_word token does not match."""
    tok = Tokenizer(models.BPE(vocab={"x": 0}, merges=[]))
    tok.add_tokens([AddedToken("@@", single_word=True, normalized=False)])
    return {c for c, e in zip(POINTS, tok.encode_batch(["@@" + chr(c) for c in POINTS])) if 1 not in e.ids}


def stripped():
    tok = Tokenizer(models.BPE(vocab={"x": 0}, merges=[]))
    tok.add_tokens([AddedToken("@@", rstrip=True, normalized=False)])
    return {c for c, e in zip(POINTS, tok.encode_batch(["@@" + chr(c) for c in POINTS])) if e.offsets[0][1] > 2}


def swaps(a, b):
    """The second of two marks goes first: its class is lower, and neither is 0."""
    return nfd(chr(a) + chr(b)) != chr(a) + chr(b)


def classes(full):
    """Combining classes. Which characters have one, and in which order, says
    the library; the numbers are Python's and proved against it."""
    low, high = 0x334, 0x345            # classes 1 and 240
    cc = {c: unicodedata.combining(chr(c)) for c in POINTS
          if c not in full and c not in HANGUL and (c in (low, high) or swaps(high, c) or swaps(c, low))}
    one = {k: c for c, k in sorted(cc.items(), reverse=True)}
    for c, k in cc.items():
        for j, d in one.items():
            assert k and swaps(c, d) == (k > j) and swaps(d, c) == (j > k), (hex(c), hex(d))
    return cc


def steps(full):
    """Decompositions of one step: c -> (a,) or (a, b)."""
    back = {}
    for c, s in full.items():
        back.setdefault(s, c)
    one = {}
    for c, s in full.items():
        head = nfc(s[:-1])
        if len(head) > 1:
            head = chr(back[s[:-1]])
        one[c] = tuple(map(ord, head + s[-1]))
    return one


def rows(words, width=116):
    line, out = "", []
    for w in words:
        if len(line) + len(w) + 1 > width:
            out.append("\t" + line.rstrip())
            line = ""
        line += w + ", "
    return "\n".join(out + ["\t" + line.rstrip()])


def runs(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] + 1 == c:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def table(name, kind, words):
    return "const %s sg_uni_%s[] = {\n%s\n};\n" % (kind, name, rows(words))


def main():
    L, N, S, W = matched(r"\p{L}"), matched(r"\p{N}"), matched(r"\s"), word()
    assert stripped() == S and not (L & N or L & S or N & S)
    D = numeric()
    assert N < D, "a number that is not numeric"
    full = {c: nfd(chr(c)) for c in POINTS if c not in HANGUL and nfd(chr(c)) != chr(c)}
    whole = {c for c in full if nfc(chr(c)) == chr(c)}     # composites that NFC makes
    cc, one = classes(full), steps(full)
    assert all(len(one[c]) == 2 and nfc("".join(map(chr, one[c]))) == chr(c) for c in whole)
    look = set(cc) | (set(full) - whole) | {one[c][1] for c in whole} | set(range(0x1161, 0x1176)) | set(range(0x11a8, 0x11c3))
    value = [(1 if c in L else 2 if c in N else 3 if c in S else 0) | (c in look) * 4 | (c in W) * 8
             for c in range(0x110000)]
    end = max(c for c in range(HIGH) if value[c]) // STEP * STEP + STEP
    high = runs(c for c in range(end, 0x110000) if value[c])
    assert len(high) == 1 and {value[c] for c in range(high[0][0], high[0][1] + 1)} == {8}
    blocks, index = {}, []
    for at in range(0, end, STEP):
        index.append(blocks.setdefault(tuple(value[at:at + STEP]), len(blocks)))
    assert len(blocks) <= 256
    bits = ["0x%x" % sum(v << 4 * i for i, v in enumerate(b[at:at + 16])) for b in blocks for at in range(0, STEP, 16)]
    singles, pairs = sorted(c for c in one if len(one[c]) == 1), sorted(c for c in one if len(one[c]) == 2)
    by_pair = sorted((i for i, c in enumerate(pairs) if c in whole), key=lambda i: one[pairs[i]])
    marks = [r for k in sorted(set(cc.values())) for r in [(a, b, k) for a, b in runs(c for c in cc if cc[c] == k)]]

    def placed(points):
        n, out = 0, []
        for a, b in runs(points):
            out.append("{0x%x, %d, %d}" % (a, b - a + 1, n))
            n += b - a + 1
        return out

    run = "struct sg_uni_run"
    parts = [
        "/* Made by tests/golden/unidata.py from tokenizers %s; not to be edited. See tok_uni.h. */\n"
        '#include "model/tok_uni.h"\n' % tokenizers.__version__,
        "_Static_assert(SG_UNI_END == 0x%x && SG_UNI_HIGH == 0x%x && SG_UNI_HIGH_LAST == 0x%x, \"tok_uni.h\");\n"
        % (end, *high[0]),
        table("ascii", "uint8_t", ["%d" % value[c] for c in range(128)]),
        table("block", "uint8_t", ["%d" % i for i in index]),
        table("bits", "uint64_t", bits),
        table("numeric", "uint32_t", ["0x%x, 0x%x" % (a, b) for a, b in runs(D - N)]),
        "const size_t sg_uni_n_numeric = %d;\n" % len(runs(D - N)),
        table("mark", "struct sg_uni_mark", ["{0x%x, 0x%x, %d}" % m for m in sorted(marks)]),
        "const size_t sg_uni_n_mark = %d;\n" % len(marks),
        table("single_run", run, placed(singles)),
        table("single", "uint32_t", ["0x%x" % one[c] for c in singles]),
        table("pair_run", run, placed(pairs)),
        table("pair", "struct sg_uni_pair", ["{0x%x, 0x%x}" % one[c] for c in pairs]),
        table("by_pair", "uint16_t", ["%d" % i for i in by_pair]),
        "const size_t sg_uni_n_single_run = %d, sg_uni_n_pair_run = %d, sg_uni_n_by_pair = %d;\n"
        % (len(runs(singles)), len(runs(pairs)), len(by_pair)),
    ]
    with open(OUT, "w", encoding="ascii") as f:
        f.write("".join(parts))


main()
