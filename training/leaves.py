"""Pictures of overlapping shapes ("dead leaves"). They have sharp, curved edges between smooth
areas, without noise.

Sizes follow a power law, as in photos (Lee, Mumford, Huang, "Occlusion models for natural images",
2001, section 3; for training: Achddou, Gousseau, Ladjal, "Synthetic images as a regularity prior
for image restoration neural networks", 2021).
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Pictures are drawn larger by this factor and then reduced, because edges in photos are not aligned
# with pixels.
FINER = 3


def _outline(rng: np.random.Generator, centre: np.ndarray, radius: float) -> list[tuple[float, float]]:
    """Returns a closed curve around a centre: an ellipse, a polygon, or a smooth blob."""
    kind = rng.random()
    count = 64 if kind < 0.7 else int(rng.integers(3, 8))
    t = np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 2 * np.pi)
    r = np.full(count, radius)
    if 0.35 < kind < 0.7:
        for k in range(2, 6):
            r = r * (1 + rng.uniform(-0.3, 0.3) * np.cos(k * t + rng.uniform(0, 6.3)) / k * 2)
    turn, flat = rng.uniform(0, np.pi), rng.uniform(0.15, 1) if rng.random() < 0.6 else 1
    x, y = r * np.cos(t), r * np.sin(t) * flat
    c, s = np.cos(turn), np.sin(turn)
    return [(float(a), float(b)) for a, b in zip(centre[0] + c * x - s * y, centre[1] + s * x + c * y)]


def _fill(rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns colours [H, W, 3], which are even, shaded, or striped."""
    a = rng.uniform(0, 2 * np.pi)
    along = np.cos(a) * x + np.sin(a) * y
    field = colour + rng.normal(0, 0.12, 3) * along[..., None]
    if rng.random() < 0.25:
        period = rng.uniform(3, 14) * FINER
        wave = np.sin(2 * np.pi * (along + rng.uniform(0, 0.02) * (x * x - y * y) / 10) / period)
        if rng.random() < 0.5:
            wave = np.clip(4 * wave, -1, 1)
        field = field + rng.uniform(5, 70) * wave[..., None] * rng.uniform(0.4, 1, 3)
    return field


def draw(rng: np.random.Generator, palette: np.ndarray, side: int = 216) -> np.ndarray:
    """Draws a picture, uint8 [side, side, 3]. `palette` [N, 3] contains the colours to choose from.
    """
    n = side * FINER
    picture = np.zeros((n, n, 3), np.float32)
    y, x = np.mgrid[:n, :n].astype(np.float32)
    picture[:] = _fill(rng, palette[rng.integers(len(palette))].astype(float), x - n / 2, y - n / 2)
    smallest, largest = rng.uniform(2, 6) * FINER, rng.uniform(40, 120) * FINER
    for _ in range(int(rng.integers(60, 400))):
        # The density of radii between the two limits is r^-3.
        u = rng.random()
        radius = 1 / np.sqrt(u / largest**2 + (1 - u) / smallest**2)
        if rng.random() < 0.3:
            radius = rng.uniform(smallest, largest)
        centre = rng.uniform(0, n, 2)
        colour = palette[rng.integers(len(palette))].astype(float)
        if rng.random() < 0.2:
            colour = colour * rng.uniform(0, 0.3) if rng.random() < 0.6 else 255 - colour * rng.uniform(0, 0.3)
        points = _outline(rng, centre, radius)
        # Blobs extend beyond their radius. Cropping some of them gives another kind of edge.
        reach = radius * (2.5 if rng.random() < 0.25 else 2)
        lo, hi = centre - reach, centre + reach
        x0, y0 = (int(v) for v in np.maximum(lo, 0))
        x1, y1 = (int(v) + 1 for v in np.minimum(hi, n - 1))
        if x1 <= x0 or y1 <= y0:
            continue
        mask = Image.new("L", (x1 - x0, y1 - y0))
        shifted = [(a - x0, b - y0) for a, b in points]
        if rng.random() < 0.25:
            ImageDraw.Draw(mask).line([*shifted, shifted[0]], 255, width=int(rng.uniform(1, 6) * FINER))
        else:
            ImageDraw.Draw(mask).polygon(shifted, 255)
        inside = np.asarray(mask) > 0
        part = picture[y0:y1, x0:x1]
        fill = _fill(rng, colour, x[y0:y1, x0:x1] - centre[0], y[y0:y1, x0:x1] - centre[1])
        part[inside] = fill[inside]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(FINER * rng.uniform(0.2, 0.9)))
    return np.asarray(image.resize((side, side), Image.BOX))
