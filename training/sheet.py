"""sheet.py OUT.png WEIGHTS... --picture FILE --cut X,Y,WIDTH,HEIGHT: shows crops side by side at
100 %.

The first column is the bicubic enlargement. Each further column belongs to one weight file (from
train.py or a start file; `run.json` next to it names its network). --picture and --cut may be
repeated together, and each pair adds a row. X, Y, WIDTH and HEIGHT are in pixels of the picture,
which is enlarged unchanged. --shrink first reduces the picture by the scale. --jpeg Q compresses
the input.
"""

import argparse

import numpy as np
from PIL import Image

import bicubic
import evaluate

GAP = 6


def row(picture: str, cut: tuple[int, ...], made: list, shrink: bool, quality: int) -> np.ndarray:
    scale = made[0].scale
    image = np.asarray(Image.open(picture).convert("RGB"))
    if shrink:
        image = bicubic.reduce(bicubic.crop_to_multiple(image, scale), scale)
    x, y, width, height = cut
    image = np.ascontiguousarray(image[y : y + height, x : x + width])
    if quality:
        image = evaluate.as_jpeg(image, quality)
    size = (image.shape[1] * scale, image.shape[0] * scale)
    columns = [np.asarray(Image.fromarray(image).resize(size, Image.BICUBIC))]
    columns += [evaluate.run(network, image, "cpu").astype(np.uint8) for network in made]
    between = np.full((size[1], GAP, 3), 255, np.uint8)
    return np.hstack([part for column in columns for part in (column, between)][:-1])


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("out")
    p.add_argument("weights", nargs="+")
    p.add_argument("--picture", action="append", required=True)
    p.add_argument("--cut", action="append", required=True, type=lambda v: tuple(map(int, v.split(","))))
    p.add_argument("--shrink", action="store_true")
    p.add_argument("--jpeg", type=int, default=0)
    a = p.parse_args()
    made = [evaluate.opened(path)[0] for path in a.weights]
    if len(a.picture) != len(a.cut):
        raise SystemExit("as many --cut as --picture, please")
    if len({network.scale for network in made}) > 1:
        raise SystemExit("networks of one scale, please")
    rows = [row(picture, cut, made, a.shrink, a.jpeg) for picture, cut in zip(a.picture, a.cut)]
    sheet = np.full((sum(r.shape[0] + GAP for r in rows), max(r.shape[1] for r in rows), 3), 255, np.uint8)
    top = 0
    for r in rows:
        sheet[top : top + r.shape[0], : r.shape[1]] = r
        top += r.shape[0] + GAP
    Image.fromarray(sheet).save(a.out)


if __name__ == "__main__":
    main()
