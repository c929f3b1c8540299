import type { Rgba8Image, RgbaImage, Samples } from './image.ts';

/** Returns whether every pixel is opaque. */
export function isOpaque(rgba: Samples): boolean {
  const most = rgba instanceof Uint16Array ? 65535 : 255;
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== most) return false;
  return true;
}

/** Returns whether every pixel has `R = G = B`. Stops at the first coloured pixel. */
export function isGrey(rgba: Samples): boolean {
  for (let i = 0; i < rgba.length; i += 4) {
    if (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]) return false;
  }
  return true;
}

/**
 * Copies R of every pixel to G and B. The image can then be saved as a grey file, which stores one
 * value per pixel.
 */
export function makeGrey(rgba: Samples): void {
  for (let i = 0; i < rgba.length; i += 4) rgba[i + 1] = rgba[i + 2] = rgba[i];
}

/**
 * Rounds an image to 8 bits per sample. If the image already has 8 bits, its data is returned
 * unchanged.
 */
export function toRgba8(image: RgbaImage): Rgba8Image {
  const { width, height, data } = image;
  if (data instanceof Uint8ClampedArray) return { width, height, data };
  const rounded = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) rounded[i] = data[i] / 257;
  return { width, height, data: rounded };
}

/**
 * Makes an image upright: rotates or mirrors it according to its EXIF orientation. For orientation
 * 1, the same object is returned. Orientation 2 flips the image horizontally, and 4 flips it
 * vertically. Orientation 3 rotates it by 180 degrees. Orientation 6 rotates it clockwise by 90
 * degrees, and orientation 8 rotates it counterclockwise by 90 degrees. Orientation 5 mirrors it
 * about the diagonal that starts at the top left, and orientation 7 about the other diagonal.
 */
export function turn<Image extends RgbaImage>(image: Image, orientation: number): Image {
  if (orientation === 1) return image;
  const { width, height } = image;
  const swaps = orientation >= 5;
  const [outWidth, outHeight] = swaps ? [height, width] : [width, height];
  // A pixel consists of one or two 32-bit words.
  const words = image.data instanceof Uint16Array ? 2 : 1;
  const isAligned = image.data.byteOffset % 4 === 0;
  const { buffer, byteOffset } = isAligned ? image.data : image.data.slice();
  const from = new Uint32Array(buffer, byteOffset, width * height * words);
  const to = new Uint32Array(from.length);
  const flipX = [2, 3, 7, 8].includes(orientation);
  const flipY = [3, 4, 6, 7].includes(orientation);
  for (let y = 0, o = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const [u, v] = swaps ? [y, x] : [x, y];
      const i = (flipY ? height - 1 - v : v) * width + (flipX ? width - 1 - u : u);
      for (let word = 0; word < words; word++) to[o++] = from[i * words + word];
    }
  }
  const data = words === 2 ? new Uint16Array(to.buffer) : new Uint8ClampedArray(to.buffer);
  return { ...image, width: outWidth, height: outHeight, data };
}
