import { describe, expect, it } from 'vitest';
import { picture } from '../../test/pictures.ts';
import type { Rgba8Image } from './image.ts';
import { Reduction } from './reduce.ts';

function reduce({ width, height, data }: Rgba8Image, side: number, strip: number): Rgba8Image {
  const reduction = new Reduction(width, height, side);
  for (let at = 0; at < data.length; at += strip * width * 4) {
    reduction.take(data.subarray(at, at + strip * width * 4));
  }
  return reduction.image;
}

/** Computes the mean of each square in a straightforward way. */
function expected({ width, height, data }: Rgba8Image, k: number): number[] {
  const out: number[] = [];
  for (let top = 0; top < height; top += k) {
    for (let left = 0; left < width; left += k) {
      const [sum, area] = [[0, 0, 0, 0], { pixels: 0 }];
      for (let y = top; y < Math.min(height, top + k); y++) {
        for (let x = left; x < Math.min(width, left + k); x++) {
          const [r, g, b, a] = data.subarray((y * width + x) * 4);
          for (const [c, value] of [r * a, g * a, b * a, a].entries()) sum[c] += value;
          area.pixels++;
        }
      }
      out.push(...sum.slice(0, 3).map((v) => v / sum[3]), sum[3] / area.pixels);
    }
  }
  return [...Uint8ClampedArray.from(out)];
}

const invalid = expect.objectContaining({ code: 'INVALID_INPUT' });

describe('Reduction', () => {
  it.each([
    [40, 30, 10, 4],
    [41, 29, 10, 5],
    [7, 100, 9, 12],
    [13, 5, 50, 1],
  ])('%d x %d to a side of %d takes means over squares of %d', (width, height, side, k) => {
    const image = picture(width, height, true);
    for (const strip of [1, 3, height]) {
      const small = reduce(image, side, strip);
      expect([small.width, small.height]).toEqual([Math.ceil(width / k), Math.ceil(height / k)]);
      expect([...small.data]).toEqual(expected(image, k));
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -5, 0.5, 'abc', null, {}])(
    'refuses a side of %s, and ends',
    (side) => {
      expect(() => new Reduction(4, 3, side as number)).toThrow(invalid);
    },
  );

  it.each([
    [0, 3],
    [4, Number.NaN],
    [Number.POSITIVE_INFINITY, 3],
  ])('refuses %s x %s pixels', (width, height) => {
    expect(() => new Reduction(width, height, 2)).toThrow(invalid);
  });

  it('reduces 16 bits to 8, and the transparent to nothing', () => {
    const reduction = new Reduction(2, 2, 1);
    reduction.take(Uint16Array.of(257 * 200, 0, 0, 65_535, 257 * 9, 257 * 9, 257 * 9, 0));
    reduction.take(Uint16Array.of(257 * 100, 0, 0, 65_535, 257 * 9, 257 * 9, 257 * 9, 0));
    expect([...reduction.image.data]).toEqual([150, 0, 0, 128]);
    const clear = new Reduction(2, 1, 1);
    clear.take(new Uint8ClampedArray(8));
    expect([...clear.image.data]).toEqual([0, 0, 0, 0]);
  });
});
