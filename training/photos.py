"""Writes photos to one file of HR images with their exact bicubic LR images.

Images are cropped to multiples of 12, so that x2, x3 and x4 share them. Small images are left out.
--reduce first makes images smaller, and large ones in two sizes. This removes JPEG artifacts and
sharpens edges.
--large FOLDER adds pictures of many megapixels, such as desktop backgrounds. They are reduced until
no noise, JPEG artifacts or soft focus remain, and then cut into tiles. Tiles without detail are
left out.
--leaves N adds N pictures of overlapping shapes (leaves.py).
--patterns N adds N drawn pictures: checkers, stripes, and lines of single pixels. Screenshots and
pixel art have such contrasts, but photos do not. A network that never saw them reacts to the last
bit of its input. The file contains h0, h1, … and l2_0, l3_0, l4_0, …, all uint8 [H, W, 3].
"""

import argparse
import glob
import os

import numpy as np
from PIL import Image

import bicubic
import leaves

SMALLEST = 204
# The smallest side of reduced pictures, and of pictures that are reduced to two sizes.
SMALLEST_REDUCED, LARGE = 168, 600
# For large pictures: the side of a tile, and the smallest mean difference between neighbouring
# pixels, in levels.
TILE, LEAST_DETAIL = 360, 2.5
# The share of training crops that come from drawn patterns. Their errors are many times larger than
# those of photos. At 6 % of the crops, they made up a quarter of the loss, and photos with sharp
# lines lost 0.2 to 0.4 dB.
PATTERNS = 0.015


def draw(rng: np.random.Generator, cell: int, side: int = 240) -> np.ndarray:
    """Draws nine fields of patterns. Their smallest parts are squares of `cell` pixels."""
    n = side // cell
    y, x = np.mgrid[:n, :n]
    field = (3 * y // n) * 3 + 3 * x // n
    picture = np.zeros((n, n, 3), np.uint8)
    for i in range(9):
        colours = rng.integers(0, 256, (2, 3)) if rng.random() < 0.5 else 255 * rng.integers(0, 2, (2, 3))
        period, on, slope = rng.integers(2, 12), rng.integers(1, 4), rng.integers(-2, 3)
        kinds = (x + y) % 2, (x + slope * y) % period < on, (slope * x + y) % period < on, rng.random((n, n)) < 0.5
        drawn = colours[np.asarray(kinds[rng.integers(4)], int)]
        picture[field == i] = drawn[field == i]
    return picture.repeat(cell, 0).repeat(cell, 1)


def reduced(image: Image.Image, rng: np.random.Generator) -> list[Image.Image]:
    """Returns one smaller version of a photo, or two versions of a large photo."""
    side = min(image.size)
    least = max(0.45, SMALLEST_REDUCED / side)
    factors = [rng.uniform(least, max(least, 0.75))]
    if side >= LARGE:
        factors = [rng.uniform(0.35, 0.55), rng.uniform(0.55, 0.8)]
    return [image.resize([round(v * f) for v in image.size], Image.BICUBIC) for f in factors]


def tiles(image: Image.Image, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns tiles of two much smaller versions, except tiles with too little detail."""
    kept = []
    for low, high in ((360, 700), (700, 1200)):
        factor = min(0.6, rng.uniform(low, high) / min(image.size))
        small = np.asarray(image.resize([round(v * factor) for v in image.size], Image.BICUBIC))
        for y in range(0, small.shape[0] - TILE + 1, TILE):
            for x in range(0, small.shape[1] - TILE + 1, TILE):
                tile = small[y : y + TILE, x : x + TILE]
                grey = tile.mean(2)
                if sum(np.abs(np.diff(grey, axis=a)).mean() for a in (0, 1)) / 2 >= LEAST_DETAIL:
                    kept.append(tile)
    return kept


def pictures(folder: str) -> list[str]:
    return sorted(p for e in ("jpg", "jpeg", "png", "webp") for p in glob.glob(os.path.join(folder, f"*.{e}")))


def prepare(
    folder: str, out: str, patterns: int, shapes: int, reduce: bool, large: str | None = None
) -> None:
    found = pictures(folder)
    arrays: dict[str, np.ndarray] = {}
    count = pixels = 0

    def put(hr: np.ndarray, lr=bicubic.reduce) -> None:
        nonlocal count
        arrays[f"h{count}"] = hr
        for scale in (2, 3, 4):
            arrays[f"l{scale}_{count}"] = lr(hr, scale)
        count += 1

    rng = np.random.default_rng(1)
    for path in found:
        photo = Image.open(path).convert("RGB")
        for version in reduced(photo, rng) if reduce else [photo]:
            image = bicubic.crop_to_multiple(np.asarray(version), 12)
            if reduce or min(image.shape[:2]) >= SMALLEST:
                put(image)
                pixels += image.shape[0] * image.shape[1]
    print(f"{count} images of {len(found)} photos, {pixels / 1e6:.1f} megapixels")
    before = count
    for i, path in enumerate(pictures(large) if large else []):
        for tile in tiles(Image.open(path).convert("RGB"), np.random.default_rng([3, i])):
            put(tile)
    print(f"{count - before} tiles of {TILE}x{TILE} of large pictures")
    for i in range(shapes):
        rng = np.random.default_rng([2, i])
        photo = Image.open(found[rng.integers(len(found))]).convert("RGB")
        put(leaves.draw(rng, np.asarray(photo.resize((16, 16))).reshape(-1, 3)))
    rng = np.random.default_rng(1)
    for _ in range(patterns):
        cell = int(rng.choice((2, 3, 4, 6, 12)))
        # Reducing a pattern would blur its squares. If the factor divides the size of the squares,
        # pixels are skipped instead.
        put(draw(rng, cell), lambda hr, s: hr[::s, ::s] if cell % s == 0 else bicubic.reduce(hr, s))
    np.savez(out, n=count, patterns=np.arange(count - patterns, count), **arrays)
    print(f"{shapes} pictures of shapes, {patterns} of patterns")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("folder")
    p.add_argument("out")
    p.add_argument("--reduce", action="store_true")
    p.add_argument("--large")
    p.add_argument("--leaves", type=int, default=0)
    p.add_argument("--patterns", type=int, default=0)
    a = p.parse_args()
    prepare(a.folder, a.out, a.patterns, a.leaves, a.reduce, a.large)
