#!/usr/bin/env python3
"""A second reader of token shards, written from sg-tokens(5) alone.

usage: tokens_read.py SHARD      prints one line a document: bytes, hash, ids
"""
import hashlib, struct, sys

data = open(sys.argv[1], "rb").read()
assert data[:4] == b"SGTK"
version, width, vocab, docs, tokens = struct.unpack("<IIIQQ", data[4:32])
assert version == 1 and width in (2, 4)
at = 32
offset = struct.unpack("<%dQ" % (docs + 1), data[at:at + 8 * (docs + 1)])
at += 8 * (docs + 1)
size = struct.unpack("<%dQ" % docs, data[at:at + 8 * docs])
at += 8 * docs
hashes = [data[at + 16 * i:at + 16 * i + 16] for i in range(docs)]
at += 16 * docs
ids = struct.unpack("<%d%s" % (tokens, "H" if width == 2 else "I"), data[at:at + width * tokens])
at += width * tokens
assert data[at:] == hashlib.sha256(data[:at]).digest()
assert offset[0] == 0 and offset[-1] == tokens and list(offset) == sorted(offset)
assert all(i < vocab for i in ids)
for d in range(docs):
    print(size[d], hashes[d].hex(), *ids[offset[d]:offset[d + 1]])
