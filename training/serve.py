"""Runs a network for `npm run quality -- --device torch`. It reads images from stdin and writes
results to stdout.

serve.py NETWORK SCALE WEIGHTS. Until stdin ends, each request contains the width and height as two
little-endian uint32, and then width * height RGB pixels of 8 bits. The answer contains the
result's scale * width * scale * height pixels, rounded and clamped.
"""

import struct
import sys

import numpy as np
import torch

import evaluate


def main() -> None:
    name, scale, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    network, _ = evaluate.opened(path, {"network": name, "scale": scale})
    network = network.to(memory_format=torch.channels_last)
    while header := sys.stdin.buffer.read(8):
        width, height = struct.unpack("<2I", header)
        pixels = np.frombuffer(sys.stdin.buffer.read(width * height * 3), np.uint8)
        result = evaluate.run(network, pixels.reshape(height, width, 3), "cpu")
        sys.stdout.buffer.write(result.astype(np.uint8).tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
