"""What a network is trained to undo, crop by crop: arrays are uint8 [H, W, 3]."""

import io

import numpy as np
from PIL import Image, ImageFilter


def as_jpeg(image: np.ndarray, quality: int, subsampling: int = 2) -> np.ndarray:
    """Through JPEG and back; subsampling 2 is 4:2:0, Pillow's default, 0 is 4:4:4."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer).convert("RGB"))


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    noisy = image.astype(np.float32) + rng.normal(0, sigma, image.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def clean(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bicubic reduction alone, which has happened before."""
    return image


def photo(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What happens to photos on their way to a web page: soft focus, noise, resizing, JPEG 30 to 95.

    Half of the pictures carry JPEG alone, as most of the web's do; the rest of the wear is rarer, since
    a network that must expect it everywhere undoes less of each. A tenth stays clean, so that clean
    input is not softened."""
    if rng.random() < 0.1:
        return image
    picture = Image.fromarray(np.ascontiguousarray(image))
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.1, 0.8)))
    if rng.random() < 0.1:
        size, factor = picture.size, rng.uniform(0.7, 1.4)
        way = (Image.BILINEAR, Image.BICUBIC, Image.LANCZOS)[rng.integers(3)]
        picture = picture.resize([max(8, round(side * factor)) for side in size], way)
        picture = picture.resize(size, Image.BICUBIC)
    worn = np.asarray(picture)
    if rng.random() < 0.15:
        worn = add_noise(worn, rng.uniform(0.5, 7), rng)
    if rng.random() < 0.92:
        worn = as_jpeg(worn, int(rng.integers(30, 96)), 2 if rng.random() < 0.85 else 0)
    return worn


def jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """JPEG of quality 10 to 95, high ones more often: their traces are faint, the loss hardly sees them."""
    quality = int(96 - 86 * rng.random() ** 1.5)
    return as_jpeg(image, quality, 2 if rng.random() < 0.8 else 0)


def denoise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White Gaussian noise of a standard deviation up to 30 levels."""
    return add_noise(image, rng.uniform(0, 30), rng)


TASKS = {"clean": clean, "photo": photo, "jpeg": jpeg, "denoise": denoise}
