"""MATLAB's bicubic reduction, which produced the published LR images of Set5 and Set14.

The kernel is cubic with a = -0.5 and is widened by the factor (antialiasing). Edges are mirrored
and weights are normalised. Rows are reduced first, then rounded and clamped to 8 bits. Columns
follow in the same way. The rounding between the two passes matters: without it, a tenth of the
values differ.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0))


def _taps(size: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the source indices and weights of a reduction by `factor`, each [size // factor,
    taps]."""
    out = size // factor
    width = 4 * factor
    centre = (np.arange(out) + 1) * factor + 0.5 * (1 - factor)
    first = np.floor(centre - width / 2).astype(int)
    index = first[:, None] + np.arange(width + 2)[None]
    weight = _cubic((centre[:, None] - index) / factor) / factor
    weight /= weight.sum(1, keepdims=True)
    mirror = np.concatenate([np.arange(size), np.arange(size)[::-1]])
    return mirror[np.mod(index - 1, 2 * size)], weight


def _reduce_rows(image: np.ndarray, factor: int) -> np.ndarray:
    """Reduces the first axis of a float array and rounds as uint8 does."""
    index, weight = _taps(image.shape[0], factor)
    out = np.zeros((index.shape[0],) + image.shape[1:])
    for tap in range(index.shape[1]):
        out += weight[:, tap].reshape(-1, 1, 1) * image[index[:, tap]]
    # MATLAB rounds half away from zero. Clamped values are never negative.
    return np.floor(np.clip(out, 0, 255) + 0.5)


def reduce(image: np.ndarray, factor: int) -> np.ndarray:
    """Reduces uint8 [H, W, C] to uint8 [H / factor, W / factor, C]. Both sides must be multiples of
    `factor`."""
    if image.shape[0] % factor or image.shape[1] % factor:
        raise ValueError(f"{image.shape[1]}x{image.shape[0]} is no multiple of {factor}")
    rows = _reduce_rows(image.astype(np.float64), factor)
    return _reduce_rows(rows.transpose(1, 0, 2), factor).transpose(1, 0, 2).astype(np.uint8)


@lru_cache
def _on_device(size: int, factor: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the mirrored source indices of a padded side, and the weights [taps], which are the
    same for every output pixel."""
    index, weight = _taps(size, factor)
    inside = np.flatnonzero(weight[0])
    begin, end = inside[0], inside[-1] + 1
    mirror = np.concatenate([index[:, begin : begin + factor].ravel(), index[-1, begin + factor : end]])
    taps = torch.tensor(weight[0, begin:end], dtype=torch.float32, device=device)
    return torch.from_numpy(mirror).to(device), taps


def reduce_batch(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Does the same as `reduce` on the images' device. Images contain integers, stored as floats
    [B, C, H, W]. H and W must be multiples of `factor`.

    The result equals that of `reduce` bit for bit at factors of 2 and 4. The weights for 3 are not
    binary fractions, so a value between two levels may round to the other level.
    """
    channels, height, width = images.shape[1:]
    for axis, side in ((2, height), (3, width)):
        mirror, weight = _on_device(side, factor, images.device)
        shape, stride = ((1, 1, -1, 1), (factor, 1)) if axis == 2 else ((1, 1, 1, -1), (1, factor))
        kernel = weight.view(shape).expand(channels, *[-1] * 3)
        sums = F.conv2d(images.index_select(axis, mirror), kernel, stride=stride, groups=channels)
        images = (sums.clamp(0, 255) + 0.5).floor()
    return images


def crop_to_multiple(image: np.ndarray, factor: int) -> np.ndarray:
    height, width = image.shape[:2]
    return image[: height // factor * factor, : width // factor * factor]
