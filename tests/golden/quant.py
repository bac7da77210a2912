#!/usr/bin/env python3
"""Blocks of every quantised type with what the reference makes of them, into
tests/golden/quant.safetensors. Needs numpy and gguf:

	python3 tests/golden/quant.py
"""
import json
import os
import struct

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from gguf.constants import GGML_QUANT_SIZES

# where the f16 scales of a block stand
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
EDGES = [0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff, 0xfbff, 0x3c00]


def main():
    rng = np.random.default_rng(1)
    tensors = []
    for name, at in SCALES.items():
        kind = GGMLQuantizationType[name]
        block, size = GGML_QUANT_SIZES[kind]
        n = 1024 // block
        raw = rng.integers(0, 256, (n, size), dtype=np.uint8)
        for i in range(n):
            for k in at:
                h = EDGES[i] if block == 32 and i < len(EDGES) else int(rng.integers(0, 65536)) & 0xbbff
                raw[i, k:k + 2] = np.frombuffer(struct.pack("<H", h), np.uint8)
        value = dequantize(raw.reshape(1, -1), kind)
        tensors.append((name + ".f32", "F32", value.astype("<f4").reshape(-1)))
        tensors.append((name + ".raw", "U8", raw.reshape(-1)))
    tensors.sort(key=lambda t: (t[1] != "F32", t[0]))
    header, offset = {}, 0
    for name, dtype, a in tensors:
        header[name] = {"dtype": dtype, "shape": [a.size], "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "quant.safetensors")
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for _, _, a in tensors))


main()
