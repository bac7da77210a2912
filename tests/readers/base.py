"""A second reader of bases in GGUF files, written from sg-base(5) alone.

	python3 tests/readers/base.py <file.gguf> <sg.json>

Checks that the pin is that of the file: names, types, shapes and SHA-256 of all
tensors; that the pin is canonical; and prints its id.
"""
import hashlib
import json
import struct
import sys

NAMES = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
         6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
         14: ("Q6_K", 256, 210)}
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class Reader:
	def __init__(self, data):
		self.data, self.at = data, 0

	def take(self, form):
		v = struct.unpack_from("<" + form, self.data, self.at)[0]
		self.at += struct.calcsize("<" + form)
		return v

	def text(self):
		n = self.take("Q")
		self.at += n
		return self.data[self.at - n:self.at]

	def skip(self, kind):
		if kind == 8:
			self.text()
		elif kind == 9:
			inner, n = self.take("I"), self.take("Q")
			for _ in range(n):
				self.skip(inner)
		else:
			self.at += SIZES[kind]


def tensors(data):
	r = Reader(data)
	assert r.data[:4] == b"GGUF"
	r.at = 4
	assert r.take("I") in (2, 3)
	n, keys = r.take("Q"), r.take("Q")
	align = 32
	for _ in range(keys):
		key, kind = r.text(), r.take("I")
		if key == b"general.alignment":
			align = r.take("I")
		else:
			r.skip(kind)
	found = []
	for _ in range(n):
		name = r.text().decode()
		shape = [r.take("Q") for _ in range(r.take("I"))][::-1]
		kind, offset = r.take("I"), r.take("Q")
		count = 1
		for d in shape:
			count *= d
		found.append((name, NAMES[kind], shape, offset, count))
	start = (r.at + align - 1) // align * align
	for name, (dtype, block, size), shape, offset, count in found:
		raw = data[start + offset:start + offset + count // block * size]
		yield {"dtype": dtype, "name": name, "sha256": hashlib.sha256(raw).hexdigest(), "shape": shape}


def main():
	data = open(sys.argv[1], "rb").read()
	pin = json.load(open(sys.argv[2]))["base"]
	assert sorted(pin) == ["arch", "computed", "config", "format", "tensors", "tokenizer"] and pin["format"] == "sg-base-1"
	assert pin["tensors"] == sorted(tensors(data), key=lambda t: t["name"])
	text = json.dumps(pin, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
	assert text in open(sys.argv[2], "rb").read()
	print(hashlib.sha256(text).hexdigest())


main()
