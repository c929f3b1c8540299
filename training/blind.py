"""Pairs of pictures for a blind comparison of a x4 network with bicubic.

blind.py OUT WEIGHTS --set FOLDER [--picture FILE] [--seed N]

Writes OUT/01.png and so on: the same part of 104x104 pixels, enlarged by both, in random order. The
parts come from `--picture`, as it is, and from ten images of the data set at half their size: clean
or saved as JPEG 95, 90 or 85 in turn. Images without room for a part are left out. OUT.json says
which side is which. Show the viewer only the pictures.
"""

import argparse
import glob
import json
import os

import numpy as np
import torch
from PIL import Image

import evaluate

SIDE = 104
# Pixels around a part that the network also sees.
AROUND = 16
QUALITIES = (None, 95, 90, 85)


def pictures(folder: str, picture: str | None, rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """Names and LR images."""
    found = sorted(glob.glob(os.path.join(folder, "HR", "*.png")))
    images = [(os.path.basename(p)[:-4], Image.open(p).convert("RGB")) for p in found]
    halved = [(name, i.resize((i.width // 2, i.height // 2), Image.BICUBIC)) for name, i in images]
    large = [(name, np.asarray(i)) for name, i in halved if min(i.size) >= SIDE]
    kept = [large[i] for i in rng.permutation(len(large))[:10]]
    worn = [(name, evaluate.as_jpeg(i, q) if (q := QUALITIES[n % 4]) else i) for n, (name, i) in enumerate(kept)]
    own = [(os.path.basename(picture), np.asarray(Image.open(picture).convert("RGB")))] if picture else []
    return own + worn


def pair(network: torch.nn.Module, image: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The same random part by both."""
    scale = network.scale
    y, x = (int(rng.integers(side - SIDE + 1)) for side in image.shape[:2])
    top, left = max(y - AROUND, 0), max(x - AROUND, 0)
    part = image[top : y + SIDE + AROUND, left : x + SIDE + AROUND]

    def cut(large: np.ndarray, row: int, column: int) -> np.ndarray:
        return large[row * scale : (row + SIDE) * scale, column * scale : (column + SIDE) * scale]

    size = (image.shape[1] * scale, image.shape[0] * scale)
    plain = np.asarray(Image.fromarray(image).resize(size, Image.BICUBIC))
    made = evaluate.run(network, part, "cpu").astype(np.uint8)
    return {"bicubic": cut(plain, y, x), "model": cut(made, y - top, x - left)}


def main(given: list[str] | None = None) -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("out")
    p.add_argument("weights", help="with run.json next to it")
    p.add_argument("--set", required=True, help="folder with HR/*.png, such as Set14")
    p.add_argument("--picture", help="one more picture")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args(given)
    network, _ = evaluate.opened(a.weights)
    os.makedirs(a.out, exist_ok=True)
    rng = np.random.default_rng(a.seed)
    key = {}
    for index, (name, image) in enumerate(pictures(a.set, a.picture, rng), 1):
        both = list(pair(network, image, rng).items())
        if rng.random() < 0.5:
            both.reverse()
        gap = np.full((both[0][1].shape[0], 16, 3), 255, np.uint8)
        Image.fromarray(np.concatenate([both[0][1], gap, both[1][1]], 1)).save(os.path.join(a.out, f"{index:02}.png"))
        key[f"{index:02}.png"] = {"of": name, "left": both[0][0], "right": both[1][0]}
    with open(f"{a.out.rstrip('/')}.json", "w") as file:
        json.dump(key, file, indent=1)


if __name__ == "__main__":
    main()
