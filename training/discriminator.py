"""A small U-Net that distinguishes real from generated pictures pixel by pixel, and the losses of
both sides.

After Real-ESRGAN's (arXiv 2107.10833, section 3.3): skip connections, spectral norms.
"""

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2


class Discriminator(nn.Module):
    """[B, 3, H, W] from 0 to 255, sides multiples of 8, to [B, 1, H, W]: above 0 for real."""

    def __init__(self, features: int):
        super().__init__()
        n = features

        def conv(c_in: int, c_out: int, side: int, stride: int = 1) -> nn.Module:
            return nn.utils.spectral_norm(nn.Conv2d(c_in, c_out, side, stride, 1, bias=False))

        self.first = nn.Conv2d(3, n, 3, padding=1)
        self.down = nn.ModuleList([conv(n, 2 * n, 4, 2), conv(2 * n, 4 * n, 4, 2), conv(4 * n, 8 * n, 4, 2)])
        self.up = nn.ModuleList([conv(8 * n, 4 * n, 3), conv(4 * n, 2 * n, 3), conv(2 * n, n, 3)])
        self.end, self.last = conv(n, n, 3), nn.Conv2d(n, 1, 3, padding=1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.first(rgb / 127.5 - 1), SLOPE)
        skips = []
        for layer in self.down:
            skips.append(x)
            x = F.leaky_relu(layer(x), SLOPE)
        for layer in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = F.leaky_relu(layer(x), SLOPE) + skips.pop()
        return self.last(F.leaky_relu(self.end(x), SLOPE))


def fooling(made: torch.Tensor) -> torch.Tensor:
    """The generator's loss. `made` is the discriminator's output for its pictures."""
    return F.softplus(-made.float()).mean()


def telling(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """The discriminator's own loss."""
    return F.softplus(-real.float()).mean() + F.softplus(made.float()).mean()
