"""PyTorch implementations of the networks that are trained here.

Layers have the same names as in the authors' checkpoints, so other programs can read the files.
Inputs and outputs are [B, 3, H, W] from 0 to `input_range`. Outputs are not clamped.
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
    """Computes x * sigmoid(conv(x)) (arXiv 2010.01073, section 3.2)."""

    def __init__(self, features: int):
        super().__init__()
        self.conv = _conv(features, features, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x))


class Upsampler(nn.Module):
    """The upsampler of PAN and A2N. It is a mixin, because its layers have no prefix in the
    checkpoints."""

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
    """A2N, or A2N-M if `medium`. At scale 1 (restoration), there is no upsampler, and the output is
    conv_last(F) + x."""

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
    """The fixed 1x1 convolution in EDSR-like networks that subtracts (sign -1) or adds (sign 1) the
    mean."""

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
    """Creates an upsampler. As in EDSR, layers 0 and 2 are convolutions. Scale 1 has no layers."""
    steps = {1: [], 2: [2], 3: [3], 4: [2, 2]}[scale]
    layers: list[nn.Module] = []
    for step in steps:
        layers += [_conv(features, features * step * step, 3), nn.PixelShuffle(step)]
    return nn.Sequential(*layers)


def sample(features: torch.Tensor, dy: torch.Tensor, dx: torch.Tensor) -> torch.Tensor:
    """Returns bilinear samples of [B, C, H, W] at (y + dy, x + dx), with offsets [B, H, W].
    Samples outside the map are 0."""
    height, width = features.shape[2:]
    y = torch.arange(height, device=dy.device)[:, None] + dy
    x = torch.arange(width, device=dx.device)[None] + dx
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    return F.grid_sample(features, grid.to(features.dtype), padding_mode="zeros", align_corners=True)


class CrossLayerAttention(nn.Module):
    """ACLA's multi-reference module with paired offsets (arXiv 2203.03619), without the depthwise
    part."""

    def __init__(self, features: int, keys: int, references: int):
        super().__init__()
        self.count = keys * references
        self.keys = keys
        self.conv_offset = _conv(features, 2 * self.count, 1)
        self.conv_attn = nn.Sequential(_conv(features, self.count, 1))
        self.conv_refer = _conv(features, features, 1)
        # At the start of training, offsets are at most 1.5 pixels and do not depend on the picture.
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
    """EDSR with cross-layer attention after each of four stages. It is a corrected version of the
    authors' file."""

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
    """Centroids of unit length. As in the authors' code, they are a buffer and not a parameter."""

    def __init__(self, rounds: int, clusters: int, width: int):
        super().__init__()
        self.register_buffer("means", F.normalize(torch.randn(rounds, clusters, width), dim=-1))
        self.register_buffer("initted", torch.tensor(False))
        # The same value on the CPU, because a recorded step cannot read a value from the GPU.
        self.ready = False

    @torch.no_grad()
    def start(self, rows: torch.Tensor) -> None:
        """Runs ten rounds of spherical k-means on rows [L, D], starting from evenly spaced rows."""
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
    """LCoAN's attention (arXiv 2404.04922) with one round. The first group finds the pattern for
    all groups."""

    def __init__(self, features: int, reduction: int, clusters: int, window: int, first: bool):
        super().__init__()
        self.window, self.first = window, first
        self.kmeans = _Clusters(1, clusters, features // reduction)
        self.conv_match = nn.Sequential(_conv(features, features // reduction, 3))
        self.conv_assembly = nn.Sequential(_conv(features, features, 1))

    def pattern(self, rows: torch.Tensor):
        """Returns, for rows [B, L, D], the orders [B, n * w] and the probabilities [B, n, w, 3w]
        over windows and their neighbours."""
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
        # Small differences decide which pixels are grouped, so bf16 is not precise enough.
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
    """The learnable collaborative attention network. The default sizes give a small network (64
    channels, 6 groups)."""

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
        """Recomputes the clusters from a current batch, because the features change during
        training."""
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


def _groups(x: torch.Tensor, spread: bool) -> torch.Tensor:
    """Splits [B, C, H, W] into groups of 64 positions, [B, groups, 64, C]. Groups are windows, or
    pixels spread over the map."""
    b, c, h, w = x.shape
    if spread:
        return x.view(b, c, 8, h // 8, 8, w // 8).permute(0, 3, 5, 2, 4, 1).reshape(b, -1, 64, c)
    return x.view(b, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 3, 5, 1).reshape(b, -1, 64, c)


def _map(groups: torch.Tensor, like: torch.Tensor, spread: bool) -> torch.Tensor:
    """The inverse of `_groups`, for a map with the size of `like`."""
    b, _, h, w = like.shape
    if spread:
        return groups.view(b, h // 8, w // 8, 8, 8, -1).permute(0, 5, 3, 1, 4, 2).reshape(b, -1, h, w)
    return groups.view(b, h // 8, w // 8, 8, 8, -1).permute(0, 5, 1, 3, 2, 4).reshape(b, -1, h, w)


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1).float()).to(x.dtype).permute(0, 3, 1, 2)


def _depthwise(features: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(features, features, 3, padding=1, groups=features, bias=bias)


class _ChannelGate(nn.Module):
    """Computes x * sigmoid(W2 silu(W1 mean(x))), known as squeeze and excitation."""

    def __init__(self, features: int):
        super().__init__()
        hidden = features // 4
        self.gate = nn.Sequential(
            nn.Identity(), nn.Linear(features, hidden, bias=False), nn.SiLU(),
            nn.Linear(hidden, features, bias=False), nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.gate(x.float().mean((2, 3))).to(x.dtype)[..., None, None]


class _Residual(nn.Module):
    def __init__(self, fn: nn.Module):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return x + self.fn(x)


class _LocalBlock(nn.Module):
    """An inverted residual with a depthwise convolution and a channel gate."""

    def __init__(self, features: int):
        super().__init__()
        self.net = _Residual(nn.Sequential(
            _conv(features, features, 1), nn.GELU(), _depthwise(features, bias=True), nn.GELU(),
            _ChannelGate(features), _conv(features, features, 1),
        ))

    def forward(self, x):
        return self.net(x)


class _GatedFeedForward(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.project_in = _conv(features, 2 * features, 1, bias=False)
        self.dwconv = _depthwise(2 * features)
        self.project_out = _conv(features, features, 1, bias=False)

    def forward(self, x):
        gate, value = self.dwconv(self.project_in(x)).chunk(2, 1)
        return self.project_out(F.gelu(gate) * value)


class _PositionTable(nn.Embedding):
    """A table with a number for each displacement of query minus key within a group of 8 x 8."""

    def __init__(self):
        super().__init__(15 * 15, 1)
        at = torch.arange(64)
        y, x = at // 8, at % 8
        rows = (y[:, None] - y + 7) * 15 + x[:, None] - x + 7
        self.register_buffer("rows", rows, persistent=False)

    def forward(self):
        return super().forward(self.rows)[..., 0]


class _SharedAttention(nn.Module):
    """Attention within groups. Later blocks only compute values and reuse the attention map of the
    first block."""

    def __init__(self, features: int, spread: bool, first: bool):
        super().__init__()
        self.spread = spread
        if first:
            self.to_qkv = nn.Linear(features, 3 * features, bias=False)
            self.rel_pos_bias = _PositionTable()
        else:
            self.to_v = nn.Linear(features, features, bias=False)
        self.to_out = nn.Sequential(nn.Linear(features, features, bias=False))

    def forward(self, x, shared):
        groups = _groups(x, self.spread)
        if shared is None:
            q, k, v = self.to_qkv(groups).chunk(3, -1)
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
            shared = F.softmax(scores.float() + self.rel_pos_bias(), -1).to(v.dtype)
        else:
            v = self.to_v(groups)
        return _map(self.to_out(shared @ v), x, self.spread), shared


class _AttentionLayer(nn.Module):
    def __init__(self, features: int, spread: bool, first: bool):
        super().__init__()
        self.norm, self.attn = _ChannelNorm(features), _SharedAttention(features, spread, first)
        self.cnorm, self.gfn = _ChannelNorm(features, eps=1e-6), _GatedFeedForward(features)

    def forward(self, x, shared):
        attended, shared = self.attn(self.norm(x), shared)
        x = x + attended
        return x + self.gfn(self.cnorm(x)), shared


class _ChannelAttention(nn.Module):
    """Attention between channels within windows of 8 x 8, or within the 64 grids of stride 8."""

    def __init__(self, features: int, grid: bool):
        super().__init__()
        self.grid = grid
        self.temperature = nn.Parameter(torch.ones(1, 1, 1))
        self.qkv = _conv(features, 3 * features, 1, bias=False)
        self.qkv_dwconv = _depthwise(3 * features)
        self.project_out = _conv(features, features, 1, bias=False)

    def forward(self, x):
        b, c, h, w = x.shape
        # The rows and columns of groups come first, then those of positions within a group.
        order = (0, 3, 5, 1, 2, 4) if self.grid else (0, 2, 4, 1, 3, 5)
        split = (h // 8, 8, w // 8, 8)
        cut = self.qkv_dwconv(self.qkv(x)).view(b, 3 * c, *split).permute(order)
        grouped = cut.reshape(-1, 3 * c, cut.shape[-2] * cut.shape[-1])
        q, k, v = grouped.chunk(3, 1)
        q, k = (F.normalize(part.float(), dim=-1).to(v.dtype) for part in (q, k))
        weights = F.softmax((q @ k.transpose(1, 2)).float() * self.temperature, -1).to(v.dtype)
        out = (weights @ v).view(*cut.shape[:3], c, *cut.shape[-2:])
        back = (0, 3, 4, 1, 5, 2) if self.grid else (0, 3, 1, 4, 2, 5)
        return self.project_out(out.permute(back).reshape(b, c, h, w))


class _ChannelBlock(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        for i in (1, 2):
            self.add_module(f"canorm{i}", _ChannelNorm(features, eps=1e-6))
            self.add_module(f"cttn{i}", _ChannelAttention(features, grid=i == 2))
            self.add_module(f"cnorm{i}", _ChannelNorm(features, eps=1e-6))
            self.add_module(f"gfn{i}", _GatedFeedForward(features))

    def forward(self, x):
        x = x + self.cttn1(self.canorm1(x))
        x = x + self.gfn1(self.cnorm1(x))
        x = x + self.cttn2(self.canorm2(x))
        return x + self.gfn2(self.cnorm2(x))


class _DistillationLayer(nn.Module):
    """Three local blocks. The attention after each of them skips a quarter of the channels."""

    def __init__(self, features: int, first: bool):
        super().__init__()
        self.kept = features // 4
        for i in (1, 2, 3):
            width = features - (i - 1) * self.kept
            self.add_module(f"LB{i}", _LocalBlock(width))
            self.add_module(f"SLA{i}", _AttentionLayer(width - self.kept, False, first))
            self.add_module(f"SGA{i}", _AttentionLayer(width - self.kept, True, first))
            self.add_module(f"pw{i}", _conv(features if i == 3 else width, features if i == 3 else width, 1))
        self.BlockC = _ChannelBlock(features)

    def forward(self, x, shared):
        c = self.kept
        maps, distilled = [], []
        for i in (1, 2, 3):
            x = self.get_submodule(f"LB{i}")(x)
            left, y = x[:, :c], x[:, c:]
            for j, kind in enumerate(("SLA", "SGA")):
                known = None if shared is None else shared[2 * (i - 1) + j]
                y, found = self.get_submodule(f"{kind}{i}")(y, known)
                maps.append(found)
            x = self.get_submodule(f"pw{i}")(torch.cat([*distilled, y, left] if i == 3 else [y, left], 1))
            if i < 3:
                distilled.append(x[:, :c])
                x = x[:, c:]
        return self.BlockC(x), maps


class _SpatialAttention(nn.Module):
    """ESA: multiplies x by a gate that is computed at about a sixth of the size."""

    def __init__(self, features: int):
        super().__init__()
        width = max(features // 4, 16)
        self.conv1, self.conv_f = _conv(features, width, 1), _conv(width, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, stride=2)
        self.conv3, self.conv4 = _conv(width, width, 3), _conv(width, features, 1)

    def forward(self, x):
        a = self.conv1(x)
        small = self.conv3(F.max_pool2d(self.conv2(a), 7, stride=3))
        back = F.interpolate(small, x.shape[2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.conv4(back + self.conv_f(a)))


class _AsidBlock(nn.Module):
    def __init__(self, features: int, first: bool):
        super().__init__()
        layer = _DistillationLayer(features, first)
        # In the authors' code, only the first block stores its layer in a list.
        self.residual_layer = nn.ModuleList([layer]) if first else layer
        self.res_end, self.esa = _conv(features, features, 1), _SpatialAttention(features)

    def forward(self, x, shared):
        layer = self.residual_layer[0] if shared is None else self.residual_layer
        out, maps = layer(x, shared)
        return self.esa(self.res_end(out) + x), shared or maps


class ASID(nn.Module):
    """Attention-sharing information distillation (arXiv 2501.15774). With 8 blocks, it is ASIDd8.

    The authors' network works on -1..1, and this class converts its input and output.
    """

    input_range = 1

    def __init__(self, scale: int, features=48, blocks=3):
        super().__init__()
        self.scale = scale
        self.config = {"num_feat": features, "blocks": blocks, "window_size": 8, "pe": "true"}
        self.input, self.output = _conv(3, features, 3), _conv(features, features, 3)
        for b in range(blocks):
            self.add_module(f"block{b}", _AsidBlock(features, b == 0))
        self.up = nn.Sequential(_conv(features, 3 * scale * scale, 3), nn.PixelShuffle(scale))

    def forward(self, x):
        height, width = x.shape[2:]
        # Windows need multiples of 8, and the strided gate needs at least 16.
        bottom, right = (max(side + -side % 8, 16) - side for side in (height, width))
        h = head = self.input(F.pad(2 * x - 1, (0, right, 0, bottom)))
        shared = None
        for b in range(self.config["blocks"]):
            h, shared = self.get_submodule(f"block{b}")(h, shared)
        y = self.up(self.output(h) + head).float()
        return 0.5 * y[..., : height * self.scale, : width * self.scale] + 0.5

    def picture(self, x: torch.Tensor) -> torch.Tensor:
        """Enlarges a whole picture as in the authors' tests: as the mean of tiles of 64 pixels that
        overlap by 24."""
        height, width = x.shape[2:]
        starts = [sorted({*range(0, max(side - 64, 0), 40), max(side - 64, 0)}) for side in (height, width)]
        total = x.new_zeros(*x.shape[:2], height * self.scale, width * self.scale)
        count = torch.zeros_like(total)
        for top in starts[0]:
            for left in starts[1]:
                y = self(x[..., top : top + 64, left : left + 64])
                rows = slice(top * self.scale, top * self.scale + y.shape[2])
                columns = slice(left * self.scale, left * self.scale + y.shape[3])
                total[..., rows, columns] += y
                count[..., rows, columns] += 1
        return total / count


NETWORKS = {
    "a2n": A2N,
    "a2nm": lambda scale, **sizes: A2N(scale, medium=True, **sizes),
    "pan": PAN,
    "acla": ACLA,
    "lcoan": LCoAN,
    "asid": ASID,
}


def sizes(recipe: dict) -> dict[str, int]:
    """Returns the arguments for `create` that are in a recipe (run.json) or on a command line."""
    return {k: recipe[k] for k in ("features", "width", "blocks") if recipe.get(k)}


def create(name: str, scale: int, **sizes) -> nn.Module:
    """Creates a network with random weights. `sizes` are keyword arguments of its constructor."""
    if name not in NETWORKS:
        raise SystemExit(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    if name == "pan" and scale == 1:
        raise SystemExit("Crispen runs PAN at x2, x3 and x4 only")
    return NETWORKS[name](scale, **sizes)
