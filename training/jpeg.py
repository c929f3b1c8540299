"""JPEG compression on the images' device: libjpeg's losses without the entropy coding.

The DCT, the quantisation and the tables follow ITU-T T.81 (annex K). The quality scaling, the
chroma subsampling and the smooth upsampling follow libjpeg. Tensors contain integers from 0 to 255,
stored as floats.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
)  # fmt: skip
# The side of a 4:2:0 unit: 16 luma pixels or 8 chroma pixels.
_UNIT = 16


@lru_cache
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the DCT matrix [8, 8], frequencies by pixels, and both quantisation tables [8, 8]."""
    rows = [
        [math.sqrt((2 if k else 1) / 8) * math.cos((2 * n + 1) * k * math.pi / 16) for n in range(8)]
        for k in range(8)
    ]
    tables = (torch.tensor(t, dtype=torch.float32, device=device).view(8, 8) for t in (_LUMA, _CHROMA))
    return torch.tensor(rows, device=device), *tables


def _tables(quality: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """Returns the quantisation tables [B, 8, 8] for qualities [B] from 1 to 100."""
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality).view(-1, 1, 1)
    return ((base * percent + 50) / 100).floor().clamp(1, 255)


def _quantised(plane: torch.Tensor, table: torch.Tensor, dct: torch.Tensor) -> torch.Tensor:
    """Applies the DCT and quantisation with tables [B, 8, 8] to a plane [B, H, W] whose sides are
    multiples of 8."""
    b, h, w = plane.shape
    blocks = plane.reshape(b, h // 8, 8, w // 8, 8).transpose(2, 3) - 128
    table = table.view(b, 1, 1, 8, 8)
    levels = torch.round(dct @ blocks @ dct.T / table) * table
    back = (dct.T @ levels @ dct + 128).round().clamp(0, 255)
    return back.transpose(2, 3).reshape(b, h, w)


def through_jpeg(images: torch.Tensor, quality: torch.Tensor, halved: torch.Tensor) -> torch.Tensor:
    """Compresses RGB images [B, 3, H, W] of any size at integer qualities [B]. Chroma is 4:2:0
    where `halved` [B] is true, and 4:4:4 otherwise."""
    height, width = images.shape[2:]
    dct, luma, chroma = _constants(images.device)
    padding = (0, -width % _UNIT, 0, -height % _UNIT)
    r, g, b = F.pad(images, padding, mode="replicate").unbind(1)
    y = (0.299 * r + 0.587 * g + 0.114 * b).round()
    cb = (128 - 0.168736 * r - 0.331264 * g + 0.5 * b).round().clamp(0, 255)
    cr = (128 + 0.5 * r - 0.418688 * g - 0.081312 * b).round().clamp(0, 255)
    y = _quantised(y, _tables(quality, luma), dct)
    table = _tables(quality, chroma)
    planes = []
    for plane in (cb, cr):
        small = _quantised(F.avg_pool2d(plane[:, None], 2)[:, 0].round(), table, dct)
        doubled = F.interpolate(small[:, None], scale_factor=2, mode="bilinear", align_corners=False)[:, 0].round()
        planes.append(torch.where(halved.view(-1, 1, 1), doubled, _quantised(plane, table, dct)) - 128)
    cb, cr = planes
    rgb = torch.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], 1)
    return rgb.round().clamp(0, 255)[..., :height, :width]
