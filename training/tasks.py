"""The degradations that a network is trained to undo, on the device of the images.

A task takes LR images [B, 3, H, W] (whole numbers in floats) and the random numbers of a step:
`u` [B, CHANCES] uniform from 0 to 1, `noise` [B, 3, H, W] normal. It draws no numbers itself, so
a step can be repeated and replayed as a CUDA graph. For the same reason, it computes every
degradation for every image and selects afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from jpeg import through_jpeg

# The trainer uses the last two: where the perceptual distance begins.
CHANCES = 11


def _pick(chance: torch.Tensor, share: float, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    return torch.where((chance < share).view(-1, 1, 1, 1), yes, no)


def _whole(x: torch.Tensor) -> torch.Tensor:
    return x.round().clamp(0, 255)


def soften(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Gaussian blur with a sigma [B] below one pixel for each image."""
    b, c, h, w = x.shape
    offsets = torch.arange(-3, 4, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.view(-1, 1) ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)
    padded = F.pad(x, [3] * 4, mode="reflect").view(1, b * c, h + 6, w + 6)
    rows = F.conv2d(padded, kernel.view(b * c, 1, 1, 7), groups=b * c)
    return F.conv2d(rows, kernel.view(b * c, 1, 7, 1), groups=b * c).view(b, c, h, w)


def resized(x: torch.Tensor) -> torch.Tensor:
    """Three quarters of the size, and back."""
    small = F.interpolate(x, scale_factor=0.75, mode="bicubic", antialias=True).clamp(0, 255)
    return F.interpolate(small, size=x.shape[2:], mode="bicubic", align_corners=False)


def add_noise(x: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    return _whole(x + sigma.view(-1, 1, 1, 1) * noise)


@dataclass(frozen=True)
class Wear:
    """Degradations of photos on the web, in this order, each for a share of the photos."""

    soft: float
    sigma: float  # soft focus: maximum, from 0.1
    resized: float
    noisy: float
    noise: float  # levels: maximum, from 0.5
    jpeg: float
    quality: int  # lowest, up to 95; 85 % as 4:2:0
    clean: float  # share without degradation, which keeps clean input sharp

    def __call__(self, lr: torch.Tensor, u: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        u = u.T
        quality = self._quality(u)
        x = _pick(u[0], self.soft, _whole(soften(lr, 0.1 + (self.sigma - 0.1) * u[1])), lr)
        x = _pick(u[2], self.resized, _whole(resized(x)), x)
        x = _pick(u[3], self.noisy, add_noise(x, 0.5 + (self.noise - 0.5) * u[4], noise), x)
        x = _pick(u[6], self.jpeg, through_jpeg(x, quality, u[7] < 0.85), x)
        return _pick(u[8], self.clean, lr, x)

    def _quality(self, u: torch.Tensor) -> torch.Tensor:
        return (self.quality + (96 - self.quality) * u[5]).floor()

    def light(self, u: torch.Tensor, quality: int) -> torch.Tensor:
        """Which images [B] stay clean, or get at most soft focus and JPEG of at least `quality`."""
        u = u.T
        compressed = (u[6] < self.jpeg) & (self._quality(u) < quality)
        return (u[8] < self.clean) | ~(compressed | (u[2] < self.resized) | (u[3] < self.noisy))


def clean(lr: torch.Tensor, u: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Bicubic reduction alone, which has already happened."""
    return lr


def jpeg(lr: torch.Tensor, u: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """JPEG of quality 10 to 95, high ones more often: their artifacts are faint and count little in
    the loss."""
    return through_jpeg(lr, (96 - 86 * u[:, 0] ** 1.5).floor(), u[:, 1] < 0.8)


def denoise(lr: torch.Tensor, u: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """White Gaussian noise of a standard deviation up to 30 levels."""
    return add_noise(lr, 30 * u[:, 0], noise)


Task = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

TASKS: dict[str, Task] = {
    "clean": clean,
    "photo": Wear(soft=0.25, sigma=0.9, resized=0.1, noisy=0.2, noise=7.5, jpeg=0.9, quality=30, clean=0.1),
    # Like most photos on the web.
    "web": Wear(soft=0.2, sigma=0.6, resized=0.06, noisy=0.15, noise=4.5, jpeg=0.7, quality=50, clean=0.2),
    # The same with lower qualities, for models that must not take artifacts for detail.
    "web-low": Wear(soft=0.2, sigma=0.6, resized=0.06, noisy=0.15, noise=4.5, jpeg=0.75, quality=30, clean=0.2),
    "jpeg": jpeg,
    "denoise": denoise,
}
