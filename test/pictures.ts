import { expect } from 'vitest';
import type { BayerMosaic, BayerPattern } from '../src/image/bayer.ts';
import type { Rgba8Image, Rgba16Image } from '../src/image/image.ts';

/**
 * Creates a smooth image with texture and, on request, varying alpha. It is neither noise nor
 * constant.
 */
export function picture(width: number, height: number, alpha = false): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y * width + x) * 4;
      data[i] = 128 + 100 * Math.sin(x / 3);
      data[i + 1] = 128 + 100 * Math.cos(y / 5 + x / 9);
      data[i + 2] = (x * 7 + y * 13) % 256;
      data[i + 3] = alpha ? (x * 11) % 256 : 255;
    }
  }
  return { width, height, data };
}

/** Returns the largest difference between two images, and the share of samples that differ. */
export function difference(a: Rgba8Image, b: Rgba8Image): { worst: number; share: number } {
  expect([a.width, a.height]).toEqual([b.width, b.height]);
  let [worst, count] = [0, 0];
  a.data.forEach((v, i) => {
    const d = Math.abs(v - b.data[i]);
    worst = Math.max(worst, d);
    if (d > 0) count++;
  });
  return { worst, share: count / a.data.length };
}

/** Returns raw Bayer data for a 16-bit image, without alpha. */
export function toMosaic(
  { width, height, data }: Rgba16Image,
  pattern: BayerPattern,
): BayerMosaic & { readonly data: Uint16Array } {
  const channels = [...pattern].map((colour) => 'RGB'.indexOf(colour));
  const samples = Uint16Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return data[i * 4 + channels[(y & 1) * 2 + (x & 1)]];
  });
  return { width, height, data: samples, pattern };
}
