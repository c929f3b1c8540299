"""A perceptual distance between pictures: the distance between their maps in SqueezeNet 1.1.

It follows "The unreasonable effectiveness of deep features as a perceptual metric" (arXiv
1801.03924), without the learned weights. Maps are scaled to unit length at each pixel, and their
squared differences are summed.
"""

import torch
import torch.nn.functional as F
from torch import nn

# Maps used in training, and maps used only for evaluation.
TRAINED = ("conv1", "fire3", "fire5", "fire7", "fire9")
HELD = ("fire2", "fire4", "fire6", "fire8")
# The means that the Caffe network subtracts from B, G and R.
_MEANS = (104.0, 117.0, 123.0)


class Features(nn.Module):
    """Computes the maps of SqueezeNet 1.1 from a file of its tensors ("fire2/squeeze1x1.weight" and
    so on)."""

    def __init__(self, path: str):
        super().__init__()
        for name, value in torch.load(path, map_location="cpu").items():
            self.register_buffer(name.replace("/", "_").replace(".", "__"), value.float())
        self.register_buffer("means", torch.tensor(_MEANS).view(1, 3, 1, 1))

    def _conv(self, x: torch.Tensor, name: str, **how) -> torch.Tensor:
        weight, bias = getattr(self, f"{name}__weight"), getattr(self, f"{name}__bias")
        return F.relu(F.conv2d(x, weight, bias, **how))

    def forward(self, rgb: torch.Tensor, names: tuple[str, ...]) -> list[torch.Tensor]:
        """Returns the maps of pictures [B, 3, H, W] (0 to 255) by name. Maps after the last
        requested one are not computed."""
        x = self._conv(rgb.flip(1) - self.means, "conv1", stride=2)
        maps = {"conv1": x}
        for i in range(2, 10):
            if len(maps.keys() & set(names)) == len(names):
                break
            if i in (2, 4, 6):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = self._conv(x, f"fire{i}_squeeze1x1")
            wide = self._conv(x, f"fire{i}_expand3x3", padding=1)
            x = maps[f"fire{i}"] = torch.cat([self._conv(x, f"fire{i}_expand1x1"), wide], 1)
        return [maps[name] for name in names]

    def distance(self, a: torch.Tensor, b: torch.Tensor, names: tuple[str, ...] = TRAINED) -> torch.Tensor:
        """Returns the distance: the mean over the pixels of each map, summed over the maps."""
        unit = lambda v: v.float() / (v.float().norm(dim=1, keepdim=True) + 1e-6)  # noqa: E731
        with torch.no_grad():
            aims = [unit(v) for v in self(b, names)]
        return sum((unit(v) - aim).pow(2).sum(1).mean() for v, aim in zip(self(a, names), aims))
