#!/usr/bin/env python3
"""What tests/bench/tokenizer.c does, by the `tokenizers` library: its fastest
call, without offsets, on one thread, in processor seconds; a text whole or by
lines, whichever is faster there.
usage: tokenizer.py ROUNDS TOKENIZER.json TEXT..."""
import array, hashlib, os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer

clock = time.thread_time
begun = clock()
tok = Tokenizer.from_file(sys.argv[2])
tok.encode_special_tokens = True
print("load %.3f" % (clock() - begun))
for path in sys.argv[3:]:
    text = open(path, encoding="utf-8", newline="").read()
    least, n = 1e9, None
    for part in [text], text.splitlines(True):
        for _ in range(int(sys.argv[1])):
            begun = clock()
            out = tok.encode_batch_fast(part, add_special_tokens=False)
            least = min(least, clock() - begun)
        if not n:
            ids = array.array("i", out[0].ids)
            n = "%d:%s" % (len(ids), hashlib.sha256(ids.tobytes()).hexdigest()[:16])
        del out
    print("%d %s %.6f %s" % (len(text.encode()), n, least, path))
