"""A second reader of receipts, written from sg-receipt(5) and sg-policy(5) alone.

	python3 tests/readers/receipt.py <receipt.mp>

Checks the form, then computes the numbers of each gate that looked at a set again
from the losses, Student's t by another method. Prints the verdict.
"""
import math
import re
import struct
import sys

ID = re.compile(r"[0-9a-f]{64}\Z")
KEYS = ["format", "tool", "base", "parent", "candidate", "graft", "policy", "fingerprint", "window", "facts",
	"sets", "gates", "verdict"]
FACTS = ["size", "elements", "nonzero", "nonfinite", "before", "after"]
SET = ["name", "role", "id", "shard", "uses", "parent", "cand", "tokens", "bytes"]
GATE = ["name", "set", "verdict", "n", "parent", "mean", "se", "skew", "lower", "upper", "ratio", "worst",
	"threshold", "alpha", "worse", "text"]


class Reader:
	def __init__(self, data):
		self.data, self.at = data, 0

	def take(self, n):
		piece = self.data[self.at:self.at + n]
		assert len(piece) == n, "truncated"
		self.at += n
		return piece

	def number(self, n, floor):
		v = int.from_bytes(self.take(n), "big")
		assert v >= floor, "not the shortest form"
		return v

	def sized(self, tag, first, floors):
		return self.number(1 << tag - first, floors[tag - first])

	def value(self):
		tag = self.take(1)[0]
		if tag < 0x80:
			return tag
		if tag < 0x90:
			return self.map(tag & 15)
		if tag < 0xa0:
			return [self.value() for _ in range(tag & 15)]
		if tag < 0xc0:
			return self.take(tag & 31).decode()
		if 0xc4 <= tag <= 0xc6:
			return self.take(self.sized(tag, 0xc4, [0, 1 << 8, 1 << 16]))
		if tag == 0xcb:
			return struct.unpack(">d", self.take(8))[0]
		if 0xcc <= tag <= 0xcf:
			return self.sized(tag, 0xcc, [0x80, 1 << 8, 1 << 16, 1 << 32])
		if 0xd9 <= tag <= 0xdb:
			return self.take(self.sized(tag, 0xd9, [32, 1 << 8, 1 << 16])).decode()
		if tag in (0xdc, 0xdd):
			n = self.number(2, 16) if tag == 0xdc else self.number(4, 1 << 16)
			return [self.value() for _ in range(n)]
		if tag == 0xde:
			return self.map(self.number(2, 16))
		raise AssertionError("tag %#x has no place in a receipt" % tag)

	def map(self, n):
		return dict([(self.value(), self.value()) for _ in range(n)])


def t_tail(t, v):
	"""P(T > t): the finite sums of Abramowitz and Stegun 26.7.3 and 26.7.4."""
	theta = math.atan(t / math.sqrt(v))
	c, s = math.cos(theta), math.sin(theta)
	if v % 2:
		term, total = c, c if v > 1 else 0.0
		for k in range(3, v - 1, 2):
			term *= c * c * (k - 1) / k
			total += term
		inside = 2 / math.pi * (theta + s * total)
	else:
		term = total = 1.0
		for k in range(2, v, 2):
			term *= c * c * (k - 1) / k
			total += term
		inside = s * total
	return (1 - inside) / 2


def t_quantile(alpha, v):
	lo, hi = 0.0, 1.0
	while t_tail(hi, v) > alpha:
		hi *= 2
	for _ in range(100):
		mid = (lo + hi) / 2
		lo, hi = (mid, hi) if t_tail(mid, v) > alpha else (lo, mid)
	return lo


def cbrt(x):
	return math.copysign(abs(x) ** (1 / 3), x)


def reach(t, k):
	return t if k < 1e-6 else max(t, 3 / k * (1 - cbrt(1 - k * (t + k / 6))))


def judge(s, alpha):
	docs = [(p, c, t) for p, c, t in zip(s["parent"], s["cand"], s["tokens"]) if t]
	n = len(docs)
	d = [(c - p) / t for p, c, t in docs]
	if n < 2 or not all(map(math.isfinite, d)):
		return None
	mean = math.fsum(d) / n
	m2, m3 = (math.fsum((x - mean) ** e for x in d) / n for e in (2, 3))
	se = math.sqrt(m2 / (n - 1))
	skew = m3 / m2 ** 1.5 if m2 else 0.0
	t, k = t_quantile(alpha, n - 1), skew / math.sqrt(n)
	tenth = (n + 9) // 10
	return {
		"n": n, "parent": math.fsum(p / t for p, _, t in docs) / n, "mean": mean, "se": se, "skew": skew,
		"lower": mean - se * reach(t, -k), "upper": mean + se * reach(t, k),
		"ratio": math.fsum(c - p for p, c, _ in docs) / sum(t for _, _, t in docs),
		"worst": math.fsum(sorted(d)[-tenth:]) / tenth, "worse": sum(x > 0.1 for x in d),
	}


def main(path):
	reader = Reader(open(path, "rb").read())
	r = reader.value()
	assert reader.at == len(reader.data), "bytes after the end"
	assert list(r) == KEYS and r["format"] == "sg-receipt-1" and list(r["facts"]) == FACTS
	assert all(ID.match(r[k]) for k in ("base", "parent", "candidate", "policy"))
	sets = {}
	for s in r["sets"]:
		assert list(s) == SET and ID.match(s["id"]) and ID.match(s["shard"]) and s["uses"] >= 1
		for key, form in (("parent", "d"), ("cand", "d"), ("tokens", "I"), ("bytes", "I")):
			s[key] = [x for x, in struct.iter_unpack("<" + form, s[key])]
		assert len({len(s[k]) for k in SET[5:]}) == 1
		assert s["name"] not in sets
		sets[s["name"]] = s
	for g in r["gates"]:
		assert list(g) == GATE and all(math.isfinite(g[k]) for k in GATE[4:15])
		again = g["set"] in sets and judge(sets[g["set"]], g["alpha"])
		for key, value in (again or {}).items():
			assert abs(g[key] - value) <= 1e-9 * max(1, abs(value)), (g["name"], g["set"], key, g[key], value)
		if again and r["graft"] and g["verdict"] == "accept":
			assert g["upper"] < g["threshold"]
	verdicts = [g["verdict"] for g in r["gates"]]
	want = "reject" if "reject" in verdicts else "defer" if "defer" in verdicts else "accept"
	assert r["verdict"] == want
	print(r["verdict"], len(sets), len(verdicts))


main(sys.argv[1])
