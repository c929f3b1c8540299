"""repeats.py OUT [--factor 2]: writes a data set of repetitive pictures for `npm run quality`.

Non-local attention should help where a texture repeats at different phases, because pixels that are
lost in one repeat are present in another. There are six pictures: a photographed brick wall
(test/images/brick.png), the same photo turned by 10 degrees, and four drawn pictures: windows of a
facade in perspective, a woven cloth, roof tiles, and the rings of a tree. Drawn pictures are
computed from fixed numbers, with 4 x 4 samples per pixel.
"""

import argparse
import os

import numpy as np
from PIL import Image

import bicubic

SIDE = 256
SAMPLES = 4
HERE = os.path.dirname(os.path.abspath(__file__))


def drawn(shade) -> np.ndarray:
    """Draws the picture of a function that maps coordinates, in pixels, to RGB in 0..1."""
    at = (np.arange(SIDE * SAMPLES) + 0.5) / SAMPLES
    y, x = np.meshgrid(at, at, indexing="ij")
    fine = np.clip(shade(x, y), 0, 1).reshape(SIDE, SAMPLES, SIDE, SAMPLES, 3)
    return np.round(fine.mean((1, 3)) * 255).astype(np.uint8)


def mixed(mask: np.ndarray, on: tuple, off: tuple) -> np.ndarray:
    return mask[..., None] * np.array(on) + (1 - mask[..., None]) * np.array(off)


def facade(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draws windows in perspective. Distant windows are smaller."""
    depth = 1 + x / 180
    u, v = 14 * np.log(depth) * 6.3, (y - 110) * depth / 11.3
    inside = (np.mod(u, 1) > 0.35) & (np.mod(v, 1) > 0.3)
    bar = (np.abs(np.mod(u, 1) - 0.66) < 0.04) | (np.abs(np.mod(v, 1) - 0.62) < 0.04)
    glass = mixed((inside & ~bar).astype(float), (0.22, 0.3, 0.42), (0.83, 0.78, 0.7))
    return glass * (1 - 0.15 * x[..., None] / SIDE)


def cloth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draws threads of 5.3 pixels that go over two and under two. The cloth is turned by 17
    degrees."""
    c, s = np.cos(0.3), np.sin(0.3)
    u, v = (c * x + s * y) / 5.3, (c * y - s * x) / 5.3
    over = np.mod(np.floor(u) + np.floor(v), 4) < 2
    along = np.where(over, np.mod(u, 1), np.mod(v, 1))
    light = 0.45 + 0.55 * np.sin(np.pi * along)
    return mixed(over.astype(float), (0.72, 0.2, 0.2), (0.9, 0.85, 0.75)) * light[..., None]


def roof(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draws rows of round tiles. Every second row is shifted by half a tile."""
    row = np.floor(y / 9.7)
    u = np.mod(x / 12.6 + 0.5 * np.mod(row, 2), 1) - 0.5
    v = np.mod(y / 9.7, 1)
    edge = v - 0.55 - 0.42 * np.sqrt(np.maximum(0, 1 - 4 * u * u))
    light = np.where(edge > 0, 0.3, 0.65 + 0.35 * v)
    return light[..., None] * np.array((0.8, 0.42, 0.3))


def rings(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draws rings around a point outside the picture, 4.6 pixels apart."""
    r = np.hypot(x + 31, y - 77) / 4.6
    light = 0.55 + 0.4 * np.tanh(3 * np.sin(2 * np.pi * r))
    return light[..., None] * np.array((0.95, 0.8, 0.6))


def pictures() -> dict[str, np.ndarray]:
    brick = Image.open(os.path.join(HERE, "../test/images/brick.png")).convert("RGB")
    turned = brick.rotate(10, Image.Resampling.BICUBIC)
    # The largest square with even sides that excludes the empty corners.
    inner = [20, 20, SIDE - 20, SIDE - 20]
    photos = {"brick": np.asarray(brick), "turned": np.asarray(turned.crop(inner))}
    return photos | {f.__name__: drawn(f) for f in (facade, cloth, roof, rings)}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("out")
    p.add_argument("--factor", type=int, default=2)
    a = p.parse_args()
    lr = os.path.join(a.out, f"LR_bicubic/X{a.factor}")
    for folder in (os.path.join(a.out, "HR"), lr):
        os.makedirs(folder, exist_ok=True)
    for name, hr in pictures().items():
        Image.fromarray(hr).save(os.path.join(a.out, "HR", f"{name}.png"))
        small = bicubic.reduce(hr, a.factor)
        Image.fromarray(small).save(os.path.join(lr, f"{name}x{a.factor}.png"))


if __name__ == "__main__":
    main()
