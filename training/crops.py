"""All training pictures as one tensor on the device, and random crops of them."""

import glob
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

import bicubic
from photos import PATTERNS, pictures, reduced
from tasks import CHANCES, Task

# LR pixels around a crop that its task also sees, because degradations and bicubic reach across a
# crop's edge.
MARGIN = 4


class Draw(NamedTuple):
    """All random numbers of a step."""

    where: torch.Tensor  # int64 [4, B]: first pixel, pixels in a row, orientation (3 bits), 1 if drawn in whole squares
    u: torch.Tensor  # [B, CHANCES], uniform from 0 to 1
    noise: torch.Tensor  # [B, 3, n, n], normal

    def to(self, device: torch.device) -> "Draw":
        return Draw(*(v.to(device) for v in self))

    def pinned(self) -> "Draw":
        """In memory from which a GPU copies without making the CPU wait."""
        return Draw(*(v.pin_memory() for v in self))


def _from_file(path: str, scale: int) -> Iterator[tuple[np.ndarray, bool, bool]]:
    """The HR images of a file of photos.py; whether each is a drawn pattern, and whether its
    squares stay whole."""
    with np.load(path) as file:
        patterns = set(file["patterns"].tolist()) if "patterns" in file else set()
        for i in range(int(file["n"])):
            hr = file[f"h{i}"]
            whole = i in patterns and scale > 1
            yield hr, i in patterns, whole and np.array_equal(file[f"l{scale}_{i}"], hr[::scale, ::scale])


def open_folder(folder: str, reduce: bool) -> list[np.ndarray]:
    """The pictures of a folder. With `reduce`, each is followed by one or two smaller versions."""

    def versions(numbered: tuple[int, str]) -> list[np.ndarray]:
        index, path = numbered
        photo = Image.open(path).convert("RGB")
        smaller = reduced(photo, np.random.default_rng([4, index])) if reduce else []
        return [np.asarray(version) for version in (photo, *smaller)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [image for several in pool.map(versions, enumerate(pictures(folder))) for image in several]


class Photos:
    """Random crops, `side` LR pixels wide, from folders of pictures and files of photos.py.

    With `reduce`, smaller versions of the pictures in folders are used too. Several runs can share
    `opened`, which keeps the pictures of folders. Images too small for such crops are left out.
    ValueError if all of them are.
    """

    def __init__(
        self, sources: list[str], scale: int, side: int, device: torch.device | str = "cpu", *,
        reduce: bool = False, opened: dict[tuple[str, bool], list[np.ndarray]] | None = None,
    ):  # fmt: skip
        self.scale, self.side, self.device = scale, side, torch.device(device)
        self.wide = side + 2 * MARGIN
        opened = {} if opened is None else opened
        kept = []
        for source in sources:
            if os.path.isdir(source):
                if (source, reduce) not in opened:
                    opened[source, reduce] = open_folder(source, reduce)
                found = ((image, False, False) for image in opened[source, reduce])
            else:
                found = _from_file(source, scale)
            kept += [entry for entry in found if min(entry[0].shape[:2]) >= self.wide * scale]
        if not kept:
            raise ValueError(f"{', '.join(sources)}: at scale {scale} no image has room for crops of {side} pixels")
        images, patterns, whole = zip(*kept)
        self.count = len(images)
        self.sizes = np.array([image.shape[:2] for image in images])
        areas = self.sizes.prod(1)
        self.starts = np.cumsum(areas) - areas
        self.megapixels = round(areas.sum() / 1e6, 1)
        self.whole = np.array(whole)
        self.pixels = torch.from_numpy(np.concatenate([i.reshape(-1, 3) for i in images])).to(self.device)
        # Larger photos count more, but not so much more that small ones are never used.
        share = areas**0.75
        drawn = np.array(patterns)
        if drawn.any() and not drawn.all():
            share[drawn] *= PATTERNS / (1 - PATTERNS) * share[~drawn].sum() / share[drawn].sum()
        self.share = share / share.sum()

    def draw(self, seed: int, step: int, batch: int) -> Draw:
        """The random numbers of a step, from (seed, step) alone. Made on the CPU, so they are the
        same for every device."""
        rng = np.random.default_rng([seed, step])
        n = rng.choice(self.count, batch, p=self.share)
        # Crops begin at multiples of the scale, like LR pixels.
        y, x = (rng.integers(self.sizes[n, a] // self.scale - self.wide + 1) * self.scale for a in (0, 1))
        first = self.starts[n] + y * self.sizes[n, 1] + x
        where = np.stack([first, self.sizes[n, 1], rng.integers(0, 8, batch), self.whole[n]])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        u = torch.rand(batch, CHANCES, generator=generator)
        return Draw(torch.from_numpy(where), u, torch.randn(batch, 3, self.wide, self.wide, generator=generator))

    def make(self, draw: Draw, task: Task) -> tuple[torch.Tensor, torch.Tensor]:
        """LR crops [B, 3, side, side] after a task and their HR, levels in floats; rotated and
        mirrored."""
        s = self.scale
        wide = self.wide * s
        first, stride, turn, whole = (v.view(-1, 1, 1) for v in draw.where)
        k = torch.arange(wide, device=self.device)
        i, j = k.view(1, -1, 1), k.view(1, 1, -1)
        swapped = (turn & 4) > 0
        mirrored = lambda bit, v: torch.where((turn & bit) > 0, wide - 1 - v, v)  # noqa: E731
        row = mirrored(1, torch.where(swapped, j, i))
        column = mirrored(2, torch.where(swapped, i, j))
        hr = self.pixels[first + row * stride + column].permute(0, 3, 1, 2).float().contiguous()
        if s == 1:
            lr = hr
        else:
            # Whole squares stay sharp, because they are not made by reduction.
            lr = torch.where(whole.view(-1, 1, 1, 1) > 0, hr[..., ::s, ::s], bicubic.reduce_batch(hr, s))
        cut = slice(MARGIN, MARGIN + self.side)
        target = slice(MARGIN * s, (MARGIN + self.side) * s)
        return task(lr, draw.u, draw.noise)[..., cut, cut], hr[..., target, target]
