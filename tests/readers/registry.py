"""A second reader of registries, written from sg-registry(5) alone, without git.

	python3 tests/readers/registry.py <folder .sg> <ref> <path>

Checks every pack and index down to the byte, then prints the SHA-256 of the file
that the path names in the ref's commit.
"""
import binascii
import hashlib
import os
import struct
import sys
import zlib

TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
objects = {}


def entry(pack, at):
	"""Type, content and end of the entry at an offset: stored blocks only."""
	byte = pack[at]
	kind, size, shift = byte >> 4 & 7, byte & 15, 4
	while byte & 128:
		at += 1
		byte = pack[at]
		size |= (byte & 127) << shift
		shift += 7
	at += 1
	start = at
	assert pack[at:at + 2] == b"\x78\x01", "zlib header"
	at += 2
	last = 0
	while not last:
		last, length, check = struct.unpack("<BHH", pack[at:at + 5])
		assert last < 2 and length ^ check == 0xFFFF, "stored block"
		at += 5 + length
	at += 4
	data = zlib.decompress(pack[start:at])
	assert len(data) == size
	return TYPES[kind], data, at


def oid_of(kind, data):
	return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).digest()


def read_pack(base):
	pack, idx = open(base + ".pack", "rb").read(), open(base + ".idx", "rb").read()
	assert pack[:8] == b"PACK\0\0\0\2" and hashlib.sha1(pack[:-20]).digest() == pack[-20:]
	assert idx[:8] == b"\xfftOc\0\0\0\2" and hashlib.sha1(idx[:-20]).digest() == idx[-20:]
	assert idx[-40:-20] == pack[-20:]
	n = struct.unpack(">I", pack[8:12])[0]
	fan = struct.unpack(">256I", idx[8:1032])
	assert fan[255] == n and list(fan) == sorted(fan)
	oids = [idx[1032 + 20 * i:1052 + 20 * i] for i in range(n)]
	assert oids == sorted(set(oids))
	assert all(sum(o[0] <= b for o in oids) == fan[b] for b in range(256))
	at = 1032 + 20 * n
	crcs = struct.unpack(">%dI" % n, idx[at:at + 4 * n])
	offsets = struct.unpack(">%dI" % n, idx[at + 4 * n:at + 8 * n])
	assert len(idx) == at + 8 * n + 40, "no pack here needs wide offsets"
	ends = {}
	for oid, crc, offset in zip(oids, crcs, offsets):
		kind, data, ends[offset] = entry(pack, offset)
		assert oid_of(kind, data) == oid and binascii.crc32(pack[offset:ends[offset]]) == crc
		objects[oid] = kind, data
	assert sorted(ends) == sorted([12] + list(ends.values()))[:-1], "gaps between entries"
	assert not n or max(ends.values()) == len(pack) - 20


def read_loose(path, name):
	raw = zlib.decompress(open(path, "rb").read())
	head, data = raw.split(b"\0", 1)
	kind, size = head.decode().split(" ")
	assert int(size) == len(data) and oid_of(kind, data).hex() == name
	objects[bytes.fromhex(name)] = kind, data


def tree(oid):
	kind, data = objects[oid]
	assert kind == "tree"
	while data:
		head, rest = data.split(b"\0", 1)
		yield head.split(b" ", 1)[1].decode(), rest[:20]
		data = rest[20:]


def main(sg, ref, path):
	git = os.path.join(sg, "registry.git")
	for name in sorted(os.listdir(os.path.join(git, "objects"))):
		folder = os.path.join(git, "objects", name)
		for f in sorted(os.listdir(folder)):
			if len(name) == 2:
				read_loose(os.path.join(folder, f), name + f)
			elif name == "pack" and f.endswith(".idx"):
				read_pack(os.path.join(folder, f[:-4]))
	kind, data = objects[bytes.fromhex(open(os.path.join(git, ref)).read().strip())]
	assert kind == "commit"
	oid = bytes.fromhex(data.split(b"\n")[0].decode().split(" ")[1])
	for part in path.split("/"):
		oid = dict(tree(oid))[part]
	print(hashlib.sha256(objects[oid][1]).hexdigest())


main(*sys.argv[1:])
