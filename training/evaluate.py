"""PSNR on unrounded BT.601 Y with borders shaved, output rounded to 8 bits. `npm run quality`
measures the same; reports use its figures. This script is for training curves and for a quick
look at a weight file:

evaluate.py FOLDER WEIGHTS... [--features FILE]    # e.g. ../../shared/images/Set5 starts/*/weights.safetensors

Files without a recipe next to them, such as the shipped ones, need --network, --scale and --task.
"""

import argparse
import glob
import io
import json
import math
import os
import re
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

import bicubic
import networks
import tensors
from perceptual import HELD, Features


def count(weights: dict[str, torch.Tensor], pattern: str) -> int:
    """Returns the number of different numbers that the pattern's group matches in the names."""
    return len({found[1] for name in weights if (found := re.match(pattern, name))})


def sizes_of(weights: dict[str, torch.Tensor]) -> dict[str, int]:
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


def opened(path: str, recipe: dict | None = None) -> tuple[torch.nn.Module, dict]:
    """The network of a weight file, as named by the given recipe or by the one next to it
    (run.json)."""
    if recipe is None:
        with open(os.path.join(os.path.dirname(path), "run.json")) as file:
            recipe = json.load(file)
    weights = tensors.load(path)
    network = networks.create(recipe["network"], recipe["scale"], **sizes_of(weights)).eval()
    missing = [key for key in tensors.fill(network, weights) if not SEARCH.match(key)]
    if missing:
        raise SystemExit(f"{path} lacks {missing}")
    return network, recipe


def luma(image: np.ndarray) -> np.ndarray:
    return 16 + (65.481 * image[..., 0] + 128.553 * image[..., 1] + 24.966 * image[..., 2]) / 255


def psnr(a: np.ndarray, b: np.ndarray, border: int) -> float:
    d = luma(a.astype(np.float64)) - luma(b.astype(np.float64))
    if border:
        d = d[border:-border, border:-border]
    return 10 * math.log10(255**2 / np.mean(d * d))


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """uint8 [H, W, 3] compressed as JPEG and decoded; 4:2:0 is Pillow's default."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    noisy = image.astype(np.float32) + rng.normal(0, sigma, image.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


# How each task is judged: the names of its figures, and how the LR image with an index is degraded
# first.
_CLEAN, _JPEG40, _JPEG80 = (lambda lr, _: lr), (lambda lr, _: as_jpeg(lr, 40)), (lambda lr, _: as_jpeg(lr, 80))
_WORN = {"clean": _CLEAN, "jpeg40": _JPEG40, "jpeg80": _JPEG80}
INPUTS = {
    "clean": {"psnr": _CLEAN},
    "photo": _WORN,
    "web": _WORN,
    "web-low": _WORN,
    "jpeg": {"psnr": lambda lr, _: as_jpeg(lr, 20)},
    "denoise": {"psnr": lambda lr, index: add_noise(lr, 25, np.random.default_rng(index))},
}


@torch.no_grad()
def run(network: torch.nn.Module, image: np.ndarray, device: str) -> np.ndarray:
    """uint8 [H, W, 3] through a network of any input range."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(device).float()
    whole = getattr(network, "picture", network)
    y = whole(x * (network.input_range / 255))[0] * (255 / network.input_range)
    return y.clamp(0, 255).round().permute(1, 2, 0).cpu().numpy()


@lru_cache
def inputs_of(folder: str, scale: int, task: str) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The HR images of a data set, with the inputs of the task by name. SystemExit without images."""
    found = sorted(glob.glob(os.path.join(folder, "HR", "*.png")))
    if not found:
        raise SystemExit(f"no images in {folder}/HR")
    images = []
    for index, path in enumerate(found):
        hr = bicubic.crop_to_multiple(np.asarray(Image.open(path).convert("RGB")), scale)
        lr = hr if scale == 1 else bicubic.reduce(hr, scale)
        images.append((hr, {name: worn(lr, index) for name, worn in INPUTS[task].items()}))
    return images


def figures(
    network: torch.nn.Module, folder: str, task: str, device: str = "cpu", features: Features | None = None,
    only: str | None = None,
) -> dict[str, float]:  # fmt: skip
    """Mean PSNR of a data set (HR/NAME.png) for each input of the task, or only for one of them.
    With `features`, also the mean distance for the last of these inputs, by maps that training does
    not use. SystemExit without images."""
    images = inputs_of(folder, network.scale, task)
    names = [only] if only else list(INPUTS[task])
    sums = dict.fromkeys(names, 0.0)
    distance = 0.0
    for hr, inputs in images:
        for name in names:
            made = run(network, inputs[name], device)
            sums[name] += psnr(made, hr, network.scale)
        if features:
            both = (torch.from_numpy(v.astype(np.float32)).permute(2, 0, 1)[None].to(device) for v in (made, hr))
            with torch.no_grad():
                distance += features.distance(*both, HELD).item()
    result = {name: round(value / len(images), 3) for name, value in sums.items()}
    return {**result, "held": round(distance / len(images), 4)} if features else result


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("folder")
    p.add_argument("weights", nargs="+")
    p.add_argument("--features", metavar="FILE", help="SqueezeNet's tensors, for the distance by held maps")
    p.add_argument("--network", choices=networks.NETWORKS, help="instead of the recipes")
    p.add_argument("--scale", type=int)
    p.add_argument("--task", choices=INPUTS)
    p.add_argument("--only", metavar="INPUT", help="one of the task's inputs, such as jpeg80")
    a = p.parse_args()
    given = {"network": a.network, "scale": a.scale, "task": a.task}
    if any(given.values()) and not all(given.values()):
        p.error("--network, --scale and --task need each other")
    features = Features(a.features) if a.features else None
    for path in a.weights:
        network, recipe = opened(path, given if a.network else None)
        if a.only and a.only not in INPUTS[recipe["task"]]:
            p.error(f"--only takes one of {', '.join(INPUTS[recipe['task']])}")
        print(json.dumps({"weights": path, **figures(network, a.folder, recipe["task"], "cpu", features, a.only)}), flush=True)


if __name__ == "__main__":
    main()
