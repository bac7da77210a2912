#!/usr/bin/env python3
"""What tests/bench/tokenizer.c does, by the `tokenizers` library: its fastest
call, without offsets, on one thread, in processor seconds.
usage: tokenizer.py ROUNDS TOKENIZER.json TEXT..."""
import os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer

clock = time.thread_time
begun = clock()
tok = Tokenizer.from_file(sys.argv[2])
tok.encode_special_tokens = True
print("load %.3f" % (clock() - begun))
for path in sys.argv[3:]:
    text = open(path, encoding="utf-8", newline="").read()
    least, n = 1e9, 0
    for _ in range(int(sys.argv[1])):
        begun = clock()
        n = len(tok.encode_batch_fast([text], add_special_tokens=False)[0])
        least = min(least, clock() - begun)
    print("%d %d %.6f %s" % (len(text.encode()), n, least, path))
