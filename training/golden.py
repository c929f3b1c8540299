"""golden.py NETWORK SCALE OUT.safetensors [--weights FILE]: writes the input, weights and output of
a network.

Without --weights, the network is tiny and has random weights. The tests use it to compare these
networks with the TypeScript networks. With the weights of a run, the file is the golden dump of a
shipped model.
"""

import argparse

import torch

import networks
import tensors

TINY = {
    "a2n": {"features": 8, "width": 6, "blocks": 2},
    "a2nm": {"features": 8, "width": 6, "blocks": 2},
    "pan": {"features": 8, "width": 6, "blocks": 2},
    "acla": {"features": 8, "blocks": 4, "keys": 3},
    "lcoan": {"features": 8, "groups": 3, "blocks": 1, "clusters": 5, "window": 16},
    "asid": {"features": 16, "blocks": 2},
}
MODEL = {"acla": "EDSR_CLA", "lcoan": "LCoAN"}
# Golden files of ACLA may contain two layouts of offsets.
OUTPUT = {"acla": "paired.output"}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("network", choices=networks.NETWORKS)
    p.add_argument("scale", type=int)
    p.add_argument("out")
    p.add_argument("--weights")
    p.add_argument("--size", default="9x7")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    network = networks.create(a.network, a.scale, **({} if a.weights else TINY[a.network])).eval()
    if a.weights:
        missing = tensors.fill(network, tensors.load(a.weights))
        if missing:
            raise SystemExit(f"{a.weights} lacks {missing}")
    width, height = map(int, a.size.split("x"))
    range_ = network.input_range
    x = torch.rand(1, 3, height, width) * range_
    with torch.no_grad():
        y = network(x)
    metadata = {
        "model": MODEL.get(a.network, a.network), "scale": a.scale, "seed": a.seed,
        "input_range": f"0..{range_}", **network.config,
    }
    weights = {f"weights.{k}": v for k, v in network.state_dict().items()}
    tensors.save(a.out, {"input": x, OUTPUT.get(a.network, "output"): y, **weights}, metadata)


if __name__ == "__main__":
    main()
