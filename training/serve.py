"""Runs a network for `npm run quality -- --device torch`. It reads images from stdin and writes
results to stdout.

serve.py NETWORK SCALE WEIGHTS. Until stdin ends, each request contains the width and height as two
little-endian uint32, and then width * height RGB pixels of 8 bits. The answer contains the
result's scale * width * scale * height pixels, rounded and clamped.
"""

import re
import struct
import sys

import numpy as np
import torch

import evaluate
import networks
import tensors


def count(weights: dict[str, torch.Tensor], pattern: str) -> int:
    """Returns the number of different numbers that the pattern's group matches in the names."""
    return len({found[1] for name in weights if (found := re.match(pattern, name))})


def sizes(weights: dict[str, torch.Tensor]) -> dict[str, int]:
    """Infers a network's sizes, such as channels and blocks, from its tensors. LCoAN's window is
    always 384."""
    if "cla.0.conv_refer.weight" in weights:
        return {
            "features": weights["head.0.weight"].shape[0],
            "blocks": sum(bool(re.fullmatch(r"body\.\d+\.\d+\.body\.0\.weight", name)) for name in weights),
            "keys": weights["cla.0.conv_attn.0.weight"].shape[0],
        }
    if "body.0.attention.0.kmeans.means" in weights:
        _, clusters, width = weights["body.0.attention.0.kmeans.means"].shape
        features = weights["head.0.weight"].shape[0]
        return {
            "features": features,
            "groups": count(weights, r"body\.(\d+)\."),
            "blocks": count(weights, r"body\.0\.local_body\.(\d+)\."),
            "reduction": features // width,
            "clusters": clusters,
        }
    if "block0.res_end.weight" in weights:
        return {"features": weights["input.weight"].shape[0], "blocks": count(weights, r"block(\d+)\.")}
    return {
        "features": weights["conv_first.weight"].shape[0],
        # At scale 1, there is no upsampler.
        **({"width": weights["upconv1.weight"].shape[0]} if "upconv1.weight" in weights else {}),
        "blocks": count(weights, r"\w+_trunk\.(\d+)\."),
    }


# Only LCoAN's first group searches for the pattern, so files may lack the search tensors of the
# other groups.
SEARCH = re.compile(r"body\.[1-9]\d*\.attention\.0\.(conv_match|kmeans)\.")


def main() -> None:
    name, scale, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    weights = tensors.load(path)
    network = networks.create(name, scale, **sizes(weights)).eval()
    missing = [key for key in tensors.fill(network, weights) if not SEARCH.match(key)]
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
