import type { Rgba8Image } from '../image/image.ts';

/** One channel of an image in row-major order. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly data: Float64Array;
}

/**
 * Computes the luma Y of BT.601 YCbCr in studio range, 16..235, without rounding. Alpha is ignored.
 * `border` is the number of pixels that are shaved from every side. At least one pixel must remain.
 */
export function luma(image: Rgba8Image, border: number): Plane {
  const width = image.width - 2 * border;
  const height = image.height - 2 * border;
  const data = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    let from = ((y + border) * image.width + border) * 4;
    for (let x = 0; x < width; x++, from += 4) {
      const r = image.data[from];
      const g = image.data[from + 1];
      const b = image.data[from + 2];
      data[y * width + x] = (65.481 * r + 128.553 * g + 24.966 * b) / 255 + 16;
    }
  }
  return { width, height, data };
}
