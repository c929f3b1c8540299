"""PSNR on unrounded BT.601 Y with borders shaved, output rounded to 8 bits: `npm run quality` does
the same, and is what reports quote; this is for the curve of a training."""

import glob
import math
import os

import numpy as np
import torch
from PIL import Image

import bicubic
import tasks


def luma(image: np.ndarray) -> np.ndarray:
    return 16 + (65.481 * image[..., 0] + 128.553 * image[..., 1] + 24.966 * image[..., 2]) / 255


def psnr(a: np.ndarray, b: np.ndarray, border: int) -> float:
    d = luma(a.astype(np.float64)) - luma(b.astype(np.float64))
    if border:
        d = d[border:-border, border:-border]
    return 10 * math.log10(255**2 / np.mean(d * d))


def pairs(folder: str, scale: int, task: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs and HR images of a data set (HR/NAME.png) for a task: photos at JPEG quality 40, scale-1
    JPEG at 20, noise of 25 levels, each the same every time."""
    found = sorted(glob.glob(os.path.join(folder, "HR", "*.png")))
    if not found:
        raise SystemExit(f"no images in {folder}/HR")
    out = []
    for index, path in enumerate(found):
        hr = bicubic.crop_to_multiple(np.asarray(Image.open(path).convert("RGB")), scale)
        lr = hr if scale == 1 else bicubic.reduce(hr, scale)
        if task == "photo":
            lr = tasks.as_jpeg(lr, 40)
        elif task == "jpeg":
            lr = tasks.as_jpeg(lr, 20)
        elif task == "denoise":
            lr = tasks.add_noise(lr, 25, np.random.default_rng(index))
        out.append((lr, hr))
    return out


@torch.no_grad()
def run(network: torch.nn.Module, image: np.ndarray, device: str) -> np.ndarray:
    """uint8 [H, W, 3] through a network of any input range."""
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(device).float()
    y = network(x * (network.input_range / 255))[0] * (255 / network.input_range)
    return y.clamp(0, 255).round().permute(1, 2, 0).cpu().numpy()


def mean_psnr(network, folder: str, task: str, device: str = "cpu") -> float:
    values = [
        psnr(run(network, lr, device), hr, network.scale)
        for lr, hr in pairs(folder, network.scale, task)
    ]
    return sum(values) / len(values)
