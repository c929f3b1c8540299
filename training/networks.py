"""The networks that are trained here, in PyTorch.

Layer names are those of the authors' checkpoints, so that files made here are read by whatever reads
theirs. Inputs and outputs are [B, 3, H, W] from 0 to `input_range`; outputs are not clamped.
"""

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.2
TEMPERATURE = 30.0
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


def _conv(c_in: int, c_out: int, side: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, side, padding=side // 2, bias=bias)


def _lrelu(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, SLOPE)


class PixelAttention(nn.Module):
    """x * sigmoid(conv(x)) (arXiv 2010.01073, section 3.2)."""

    def __init__(self, features: int):
        super().__init__()
        self.conv = _conv(features, features, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x))


class Upsampler(nn.Module):
    """PAN's end, which A2N shares. Mixed into the networks, since its layers have no prefix."""

    def _make_upsampler(self, features: int, width: int, scale: int) -> None:
        self.upconv1, self.att1 = _conv(features, width, 3), PixelAttention(width)
        self.HRconv1 = _conv(width, width, 3)
        if scale == 4:
            self.upconv2, self.att2 = _conv(width, width, 3), PixelAttention(width)
            self.HRconv2 = _conv(width, width, 3)
        self.conv_last = _conv(width, 3, 3)

    def _upsample(self, f: torch.Tensor, x: torch.Tensor, scale: int) -> torch.Tensor:
        up = F.interpolate(f, scale_factor=2 if scale == 4 else scale)
        f = _lrelu(self.HRconv1(_lrelu(self.att1(self.upconv1(up)))))
        if scale == 4:
            f = _lrelu(self.HRconv2(_lrelu(self.att2(self.upconv2(F.interpolate(f, scale_factor=2))))))
        skip = F.interpolate(x.float(), scale_factor=scale, mode="bilinear", align_corners=False)
        return self.conv_last(f).float() + skip


class _AttentionBranch(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.k1 = _conv(features, features, 3, bias=False)
        self.k2 = _conv(features, features, 1)
        self.k3 = _conv(features, features, 3, bias=False)
        self.k4 = _conv(features, features, 3, bias=False)

    def forward(self, t):
        return self.k4(self.k3(t) * torch.sigmoid(self.k2(_lrelu(self.k1(t)))))


class AttentionInAttention(nn.Module):
    """A2N's block (arXiv 2104.09497, section 3.2)."""

    def __init__(self, features: int, medium: bool, reduction: int = 4):
        super().__init__()
        self.conv_first = _conv(features, features, 1, bias=False)
        self.ADM = nn.Sequential(
            nn.Linear(features, features // reduction, bias=False),
            nn.ReLU(),
            nn.Linear(features // reduction, 2, bias=False),
        )
        self.attention = _AttentionBranch(features)
        self.non_attention = _conv(features, features, 1 if medium else 3, bias=False)
        self.conv_last = _conv(features, features, 1, bias=False)

    def forward(self, x):
        t = _lrelu(self.conv_first(x))
        p = F.softmax(self.ADM(t.float().mean((2, 3))) / TEMPERATURE, 1).to(t.dtype)
        mixed = self.attention(t) * p[:, 0, None, None, None]
        mixed = mixed + self.non_attention(t) * p[:, 1, None, None, None]
        return x + self.conv_last(_lrelu(mixed))


class A2N(Upsampler):
    """A2N, or A2N-M if `medium`. At scale 1 (restoration) there is no upsampler: conv_last(F) + x."""

    input_range = 255

    def __init__(self, scale: int, features=40, width=24, blocks=16, medium=False):
        super().__init__()
        self.scale = scale
        self.config = {"nf": features, "unf": width, "nb": blocks, "reduction": 4}
        self.conv_first = _conv(3, features, 3)
        self.AAB_trunk = nn.Sequential(
            *[AttentionInAttention(features, medium) for _ in range(blocks)]
        )
        self.trunk_conv = _conv(features, features, 3)
        if scale > 1:
            self._make_upsampler(features, width, scale)
        else:
            self.conv_last = _conv(features, 3, 3)

    def forward(self, x):
        head = self.conv_first(x)
        f = head + self.trunk_conv(self.AAB_trunk(head))
        if self.scale == 1:
            return self.conv_last(f).float() + x.float()
        return self._upsample(f, x, self.scale)


class _PAConv(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.k2 = _conv(features, features, 1)
        self.k3 = _conv(features, features, 3, bias=False)
        self.k4 = _conv(features, features, 3, bias=False)

    def forward(self, x):
        return self.k4(self.k3(x) * torch.sigmoid(self.k2(x)))


class SelfCalibrated(nn.Module):
    """PAN's block (arXiv 2010.01073, section 3.3)."""

    def __init__(self, features: int):
        super().__init__()
        half = features // 2
        self.conv1_a = _conv(features, half, 1, bias=False)
        self.conv1_b = _conv(features, half, 1, bias=False)
        self.k1 = nn.Sequential(_conv(half, half, 3, bias=False))
        self.PAConv = _PAConv(half)
        self.conv3 = _conv(features, features, 1, bias=False)

    def forward(self, x):
        a = _lrelu(self.k1(_lrelu(self.conv1_a(x))))
        b = _lrelu(self.PAConv(_lrelu(self.conv1_b(x))))
        return x + self.conv3(torch.cat([a, b], 1))


class PAN(Upsampler):
    input_range = 1

    def __init__(self, scale: int, features=40, width=24, blocks=16):
        super().__init__()
        self.scale = scale
        self.config = {"nf": features, "unf": width, "nb": blocks}
        self.conv_first = _conv(3, features, 3)
        self.SCPA_trunk = nn.Sequential(*[SelfCalibrated(features) for _ in range(blocks)])
        self.trunk_conv = _conv(features, features, 3)
        self._make_upsampler(features, width, scale)

    def forward(self, x):
        head = self.conv_first(x)
        return self._upsample(head + self.trunk_conv(self.SCPA_trunk(head)), x, self.scale)


class MeanShift(nn.Conv2d):
    """The fixed 1x1 convolution by which EDSR-like networks subtract (-1) or add the mean."""

    def __init__(self, input_range: float, sign: int):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * input_range * torch.tensor(DIV2K_MEAN)
        self.requires_grad_(False)


class ResidualBlock(nn.Module):
    def __init__(self, features: int, factor: float):
        super().__init__()
        self.factor = factor
        self.body = nn.Sequential(_conv(features, features, 3), nn.ReLU(), _conv(features, features, 3))

    def forward(self, x):
        return x + self.factor * self.body(x)


def pixel_shuffle_upsampler(features: int, scale: int) -> nn.Sequential:
    """Layers 0 and 2 are convolutions, as in EDSR; scale 1 has none."""
    steps = {1: [], 2: [2], 3: [3], 4: [2, 2]}[scale]
    layers: list[nn.Module] = []
    for step in steps:
        layers += [_conv(features, features * step * step, 3), nn.PixelShuffle(step)]
    return nn.Sequential(*layers)


def sample(features: torch.Tensor, dy: torch.Tensor, dx: torch.Tensor) -> torch.Tensor:
    """Bilinear value of [B, C, H, W] at (y + dy, x + dx), offsets [B, H, W]; outside counts as 0."""
    height, width = features.shape[2:]
    y = torch.arange(height, device=dy.device)[:, None] + dy
    x = torch.arange(width, device=dx.device)[None] + dx
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    return F.grid_sample(features, grid.to(features.dtype), padding_mode="zeros", align_corners=True)


class CrossLayerAttention(nn.Module):
    """ACLA's multi-reference module with paired offsets (arXiv 2203.03619), without depthwise part."""

    def __init__(self, features: int, keys: int, references: int):
        super().__init__()
        self.count = keys * references
        self.keys = keys
        self.conv_offset = _conv(features, 2 * self.count, 1)
        self.conv_attn = nn.Sequential(_conv(features, self.count, 1))
        self.conv_refer = _conv(features, features, 1)
        # Offsets of zero sample the pixel itself: a start from which they can be learned.
        nn.init.zeros_(self.conv_offset.weight)
        nn.init.uniform_(self.conv_offset.bias, -1.5, 1.5)

    def forward(self, query, references):
        offsets = self.conv_offset(query).float()
        weights = F.softmax(self.conv_attn(query).float(), 1)
        out = 0
        for index, reference in enumerate(references):
            key = self.conv_refer(reference).float()
            for t in range(index * self.keys, (index + 1) * self.keys):
                sampled = sample(key, offsets[:, 2 * t], offsets[:, 2 * t + 1])
                out = out + weights[:, t, None] * sampled
        return out.to(query.dtype)


class ACLA(nn.Module):
    """EDSR with cross-layer attention after each of four stages, as repaired from the authors' file."""

    def __init__(self, scale: int, features=64, blocks=16, keys=9, factor=1.0, input_range=255):
        super().__init__()
        self.input_range = input_range
        self.scale = scale
        self.config = {
            "n_feats": features, "n_resblocks": blocks, "key_num": keys, "dp_conv": False,
            "rgb_range": input_range, "res_scale": factor,
        }
        self.sub_mean, self.add_mean = MeanShift(input_range, -1), MeanShift(input_range, 1)
        self.head = nn.Sequential(_conv(3, features, 3))
        self.body = nn.ModuleList(
            nn.Sequential(*[ResidualBlock(features, factor) for _ in range(blocks // 4)])
            for _ in range(4)
        )
        self.cla = nn.ModuleList(CrossLayerAttention(features, keys, t + 1) for t in range(4))
        self.tail = nn.Sequential(
            _conv(features, features, 3), pixel_shuffle_upsampler(features, scale), _conv(features, 3, 3)
        )

    def forward(self, x):
        head = z = self.head(self.sub_mean(x))
        references = [head]
        for stage, attention in zip(self.body, self.cla):
            z = stage(z)
            after = z + attention(z, references)
            references.append(z)
            z = after
        return self.add_mean(self.tail(z + head)).float()


class _Clusters(nn.Module):
    """Unit centroids; a buffer and not a parameter, as in the authors' code."""

    def __init__(self, rounds: int, clusters: int, width: int):
        super().__init__()
        self.register_buffer("means", F.normalize(torch.randn(rounds, clusters, width), dim=-1))
        self.register_buffer("initted", torch.tensor(False))
        # The same, known without asking the GPU, which a recorded step could not.
        self.ready = False

    @torch.no_grad()
    def start(self, rows: torch.Tensor) -> None:
        """Ten rounds of spherical k-means from evenly spaced rows; rows [L, D]."""
        clusters = self.means.shape[1]
        means = rows[torch.arange(clusters, device=rows.device) * rows.shape[0] // clusters]
        for _ in range(10):
            codes = (rows @ means.T).argmax(1)
            sums = torch.zeros_like(means).index_add_(0, codes, rows)
            empty = torch.bincount(codes, minlength=clusters) == 0
            means = torch.where(empty[:, None], means, F.normalize(sums, dim=-1))
        self.means.copy_(F.normalize(means, dim=-1)[None].expand_as(self.means))
        self.initted.fill_(True)
        self.ready = True


class CollaborativeAttention(nn.Module):
    """LCoAN's attention (arXiv 2404.04922), one round; the first group finds the pattern for all."""

    def __init__(self, features: int, reduction: int, clusters: int, window: int, first: bool):
        super().__init__()
        self.window, self.first = window, first
        self.kmeans = _Clusters(1, clusters, features // reduction)
        self.conv_match = nn.Sequential(_conv(features, features // reduction, 3))
        self.conv_assembly = nn.Sequential(_conv(features, features, 1))

    def pattern(self, rows: torch.Tensor):
        """From rows [B, L, D]: orders [B, n * w], probabilities [B, n, w, 3w] over windows and their neighbours."""
        if not self.kmeans.ready:
            if not bool(self.kmeans.initted):
                self.kmeans.start(rows.detach().reshape(-1, rows.shape[-1]))
            self.kmeans.ready = True
        unit = F.normalize(rows, dim=-1, eps=1e-12)
        codes = (unit.detach() @ self.kmeans.means[0].T).argmax(-1)
        order = torch.argsort(codes, dim=1, stable=True)
        pad = -order.shape[1] % self.window
        if pad:
            order = torch.cat([order, order[:, -pad:]], 1)
        query = self._windows(rows, order)
        key = self._neighbours(query / query.norm(dim=-1, keepdim=True).clamp_min(5e-5))
        return order, F.softmax(query @ key.transpose(2, 3), -1)

    def _windows(self, rows, order):
        picked = rows.gather(1, order[..., None].expand(-1, -1, rows.shape[-1]))
        return picked.unflatten(1, (-1, self.window))

    @staticmethod
    def _neighbours(chunks):
        return torch.cat([chunks, chunks.roll(1, 1), chunks.roll(-1, 1)], 2)

    def forward(self, u, shared):
        values = self.conv_assembly(u).flatten(2).transpose(1, 2).float()
        length = values.shape[1]
        matched = self.conv_match(u).flatten(2).transpose(1, 2).float() if self.first else None
        # Which pixels meet is decided by small differences: not in bf16.
        with torch.autocast(u.device.type, enabled=False):
            order, weights = shared = self.pattern(matched) if self.first else shared
            mixed = (weights @ self._neighbours(self._windows(values, order))).flatten(1, 2)[:, :length]
            out = torch.zeros_like(values).scatter(
                1, order[:, :length, None].expand(-1, -1, values.shape[-1]), mixed
            )
        return u + 0.1 * out.transpose(1, 2).reshape(u.shape).to(u.dtype), shared


class _Group(nn.Module):
    def __init__(self, features, blocks, attention):
        super().__init__()
        self.local_body = nn.Sequential(*[ResidualBlock(features, 1.0) for _ in range(blocks)])
        self.attention = nn.ModuleList([attention])
        self.m_conv = nn.Sequential(_conv(features, features, 3))

    def forward(self, h, shared):
        u, shared = self.attention[0](self.local_body(h), shared)
        return h + 0.1 * self.m_conv(u), shared


class LCoAN(nn.Module):
    """Learnable collaborative attention network; the defaults are a small one (64 channels, 6 groups)."""

    input_range = 1

    def __init__(self, scale, features=64, groups=6, blocks=4, reduction=1, clusters=128, window=384):
        super().__init__()
        self.scale = scale
        self.config = {
            "n_feats": features, "n_resgroups": groups, "n_resblocks": blocks, "reduction": reduction,
            "n_clusters": clusters, "window_size": window, "n_rounds": 1, "res_scale": 0.1,
            "rgb_range": 1,
        }
        self.sub_mean, self.add_mean = MeanShift(1, -1), MeanShift(1, 1)
        self.head = nn.Sequential(_conv(3, features, 3))
        self.body = nn.ModuleList(
            _Group(features, blocks, CollaborativeAttention(features, reduction, clusters, window, g == 0))
            for g in range(groups)
        )
        self.m_conv = nn.Sequential(_conv(features, features, 3))
        self.tail = nn.Sequential(pixel_shuffle_upsampler(features, scale), _conv(features, 3, 3))

    @torch.no_grad()
    def recluster(self, x: torch.Tensor) -> None:
        """Starts the clusters again from what a batch looks like now: they follow what was learned."""
        first = self.body[0]
        matched = first.attention[0].conv_match(first.local_body(self.head(self.sub_mean(x))))
        rows = matched.flatten(2).transpose(1, 2).float()
        first.attention[0].kmeans.start(rows.reshape(-1, rows.shape[-1]))

    def forward(self, x):
        head = h = self.head(self.sub_mean(x))
        shared = None
        for group in self.body:
            h, shared = group(h, shared)
        return self.add_mean(self.tail(self.m_conv(h) + head)).float()


NETWORKS = {
    "a2n": A2N,
    "a2nm": lambda scale, **sizes: A2N(scale, medium=True, **sizes),
    "pan": PAN,
    "acla": ACLA,
    "lcoan": LCoAN,
}


def create(name: str, scale: int, **sizes) -> nn.Module:
    """A network with random weights. Sizes are its constructor's keywords."""
    if name not in NETWORKS:
        raise SystemExit(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](scale, **sizes)
