"""A second reader of grafts, written from sg-graft(5) alone.

	python3 tests/readers/graft.py <folder of a graft>

Prints the id when the manifest is canonical and every tensor's chunks give the
bytes that the manifest names. Needs the zstd command.
"""
import hashlib
import json
import os
import re
import struct
import subprocess
import sys

WIDTH = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2,
	 "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
KEYS = ["after", "base", "hyper", "kind", "replaces", "requires", "sites", "tensors", "version"]
NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\Z")
ID = re.compile(r"[0-9a-f]{64}\Z")


def manifest(raw):
	g = json.loads(raw.decode("utf-8"))
	again = json.dumps(g, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
	assert again.encode("utf-8") == raw, "not canonical"
	assert sorted(g) == KEYS and g["version"] == "sg-graft-1"
	assert NAME.match(g["kind"]) and ID.match(g["base"])
	for key in ("after", "replaces", "requires"):
		assert g[key] == sorted(set(g[key])) and all(ID.match(i) for i in g[key]), key
	assert all(NAME.match(s) for s in g["sites"])
	for key, value in g["hyper"].items():
		assert NAME.match(key) and type(value) in (str, int), key
	names = [t["name"] for t in g["tensors"]]
	assert names == sorted(set(names)) and all(NAME.match(n) for n in names)
	return g


def frames(data):
	"""Content of the zstd frames in data, all of them."""
	return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def chunk(blob):
	magic, codec, width, zero1, length, zero2 = struct.unpack("<4sBBHII", blob[:16])
	assert magic == b"SGC1" and zero1 == zero2 == 0 and 1 <= width <= 8 and codec <= 2
	payload = blob[16:]
	if codec:
		payload = frames(payload)
	if codec == 2:
		count = length // width
		assert count * width == length
		planes = [payload[k * count:(k + 1) * count] for k in range(width)]
		payload = b"".join(bytes(e) for e in zip(*planes))
	assert len(payload) == length
	return payload


def chunk_size(n):
	size = 65536
	while size < 524288 and size * 2 <= n // 64:
		size *= 2
	return size


def tensor(folder, t):
	n = WIDTH[t["dtype"]]
	for d in t["shape"]:
		n *= d
	size = chunk_size(n)
	names = sorted(os.listdir(folder), key=int)
	assert names == ["%04d" % i for i in range((n + size - 1) // size)], names
	data = [chunk(open(os.path.join(folder, name), "rb").read()) for name in names]
	assert all(len(d) == size for d in data[:-1])
	data = b"".join(data)
	assert len(data) == n and hashlib.sha256(data).hexdigest() == t["sha256"], t["name"]


def main(folder):
	with open(os.path.join(folder, "graft.json"), "rb") as f:
		raw = f.read()
	for t in manifest(raw)["tensors"]:
		tensor(os.path.join(folder, "data", t["name"]), t)
	print(hashlib.sha256(raw).hexdigest())


main(sys.argv[1])
