"""Runs a network for `npm run quality -- --device torch`: images in on stdin, out on stdout.

serve.py NETWORK SCALE WEIGHTS. Then, until stdin ends, each request is width and height as two
little-endian uint32 and width * height RGB bytes. The answer is scale * width * scale * height
RGB bytes, rounded and clamped.
"""

import re
import struct
import sys

import numpy as np
import torch

import evaluate
import networks
import tensors


def sizes(weights: dict[str, torch.Tensor]) -> dict[str, int]:
    """Channels and blocks of an A2N or a PAN, and ACLA's keys, from its tensors."""
    if "cla.0.conv_refer.weight" in weights:
        return {
            "features": weights["head.0.weight"].shape[0],
            "blocks": sum(bool(re.fullmatch(r"body\.\d+\.\d+\.body\.0\.weight", name)) for name in weights),
            "keys": weights["cla.0.conv_attn.0.weight"].shape[0],
        }
    trunk = (re.match(r"\w+_trunk\.(\d+)\.", name) for name in weights)
    return {
        "features": weights["conv_first.weight"].shape[0],
        "blocks": 1 + max(int(found[1]) for found in trunk if found),
    }


def main() -> None:
    name, scale, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    weights = tensors.load(path)
    network = networks.create(name, scale, **sizes(weights)).eval()
    missing = tensors.fill(network, weights)
    if missing:
        raise SystemExit(f"the weights lack {missing}")
    network = network.to(memory_format=torch.channels_last)
    while header := sys.stdin.buffer.read(8):
        width, height = struct.unpack("<2I", header)
        pixels = np.frombuffer(sys.stdin.buffer.read(width * height * 3), np.uint8)
        result = evaluate.run(network, pixels.reshape(height, width, 3), "cpu")
        sys.stdout.buffer.write(result.astype(np.uint8).tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
