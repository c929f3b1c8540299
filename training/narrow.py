"""narrow.py WEIGHTS WIDTH OUT --network N --scale S PICTURE...: writes a PAN or A2N whose upsampler
has WIDTH channels, as a starting point for training.

In each map of the upsampler, the channels that count most for the next convolution remain. The mean
of each dropped channel goes into the biases of the layers that read it. The maps are computed from
the centre of each picture.
"""

import argparse

import numpy as np
import torch
from PIL import Image

import evaluate
import networks
import tensors

SIDE = 96


def ranked(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Returns the indices of the channels of x [B, C, H, W], sorted by how much they count for a
    convolution [O, C, K, K]. The most important channel is first."""
    return (x.std((0, 2, 3)) * weight.flatten(2).norm(dim=(0, 2))).argsort(descending=True)


def without(state: dict, layer: str, x: torch.Tensor, keep: torch.Tensor) -> None:
    """Removes all input channels of a convolution except those in `keep`. Its input is
    x [B, C, H, W]."""
    weight = state[f"{layer}.weight"]
    mean = x.mean((0, 2, 3))
    mean[keep] = 0
    state[f"{layer}.bias"] = state[f"{layer}.bias"] + weight.sum((2, 3)) @ mean
    state[f"{layer}.weight"] = weight[:, keep]


def cut(state: dict, layer: str, keep: torch.Tensor) -> None:
    """Removes all output channels of a convolution except those in `keep`."""
    for name in (f"{layer}.weight", f"{layer}.bias"):
        state[name] = state[name][keep]


@torch.no_grad()
def narrow(network: networks.Upsampler, x: torch.Tensor, width: int) -> dict[str, torch.Tensor]:
    """Returns the weights of the narrower network. x [B, 3, H, W] is the input that decides which
    channels remain."""
    inputs: dict[str, torch.Tensor] = {}
    stages = 2 if network.scale == 4 else 1
    after = ["upconv2", "conv_last"][-stages:]
    for name in ["HRconv1", "HRconv2"][:stages] + ["att1.conv", "att2.conv"][:stages] + after:
        network.get_submodule(name).register_forward_pre_hook(
            lambda _, given, name=name: inputs.__setitem__(name, given[0])
        )
    network(x)
    state = dict(network.state_dict())
    for stage, reader in enumerate(after, 1):
        conv, attention = f"HRconv{stage}", f"att{stage}.conv"
        keep = ranked(inputs[conv], state[f"{conv}.weight"])[:width].sort().values
        cut(state, f"upconv{stage}", keep)
        without(state, attention, inputs[attention], keep)
        cut(state, attention, keep)
        without(state, conv, inputs[conv], keep)
        keep = ranked(inputs[reader], state[f"{reader}.weight"])[:width].sort().values
        cut(state, conv, keep)
        without(state, reader, inputs[reader], keep)
    return state


def centre(path: str) -> torch.Tensor:
    """Returns the central SIDE x SIDE pixels of a picture, [3, SIDE, SIDE], in levels."""
    with Image.open(path) as image:
        x, y = ((size - SIDE) // 2 for size in image.size)
        pixels = np.asarray(image.convert("RGB").crop((x, y, x + SIDE, y + SIDE)), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("weights")
    p.add_argument("width", type=int)
    p.add_argument("out")
    p.add_argument("--network", required=True, choices=("a2n", "pan"))
    p.add_argument("--scale", type=int, required=True)
    p.add_argument("picture", nargs="+")
    a = p.parse_args()
    wide, _ = evaluate.opened(a.weights, {"network": a.network, "scale": a.scale})
    inputs = torch.stack([centre(picture) for picture in a.picture]) / 255 * wide.input_range
    tensors.save(a.out, narrow(wide, inputs, a.width))
