"""A small U-Net that distinguishes real from generated pictures at each pixel, and the losses of
the generator and the discriminator.

It follows Real-ESRGAN's discriminator (arXiv 2107.10833, section 3.3), with skip connections and
spectral norms.
"""

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2


class Discriminator(nn.Module):
    """Maps [B, 3, H, W] from 0 to 255, with sides that are multiples of 8, to [B, 1, H, W]. Values
    above 0 mean that a pixel is real."""

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
    """Returns the generator's loss. `made` is the discriminator's output for generated pictures."""
    return F.softplus(-made.float()).mean()


def telling(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Returns the discriminator's own loss."""
    return F.softplus(-real.float()).mean() + F.softplus(made.float()).mean()
