import type { Rgba8Image } from '../src/image/image.ts';

/**
 * Returns an opaque crop of exactly `width` x `height` from the middle of a photo. Smaller photos
 * are mirrored at their edges. Networks are timed on photos and never on noise, because noise can
 * make a network's values grow without bound.
 */
export function cropPhoto(photo: Rgba8Image, width: number, height: number): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  const left = Math.max(0, Math.floor((photo.width - width) / 2));
  const top = Math.max(0, Math.floor((photo.height - height) / 2));
  for (let y = 0; y < height; y++) {
    const row = mirror(top + y, photo.height) * photo.width;
    for (let x = 0; x < width; x++) {
      const from = (row + mirror(left + x, photo.width)) * 4;
      const to = (y * width + x) * 4;
      for (let c = 0; c < 3; c++) data[to + c] = photo.data[from + c];
      data[to + 3] = 255;
    }
  }
  return { width, height, data };
}

function mirror(at: number, size: number): number {
  const folded = at % (2 * size);
  return folded < size ? folded : 2 * size - 1 - folded;
}

/** Returns the three colours as planar (chw) floats from 0 to `range`. */
export function toPlanar({ width, height, data }: Rgba8Image, range: number): Float32Array {
  const pixels = width * height;
  const planar = new Float32Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) planar[c * pixels + i] = (data[i * 4 + c] / 255) * range;
  }
  return planar;
}
