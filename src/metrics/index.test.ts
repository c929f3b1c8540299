import { describe, expect, test } from 'vitest';
import type { Rgba8Image } from '../image/image.ts';
import { compareLuma } from './index.ts';
import { luma } from './luma.ts';
import { ssim } from './ssim.ts';

function image(
  width: number,
  height: number,
  pixel: (x: number, y: number) => readonly [number, number, number],
): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([...pixel(x, y), 255], (y * width + x) * 4);
  }
  return { width, height, data };
}

const texture = (width: number, height: number): Rgba8Image =>
  image(width, height, (x, y) => [
    120 + 60 * Math.sin(x / 2 + y / 5),
    (x * 37 + y * 91) % 256,
    40 + ((x * y) % 120),
  ]);

/** Returns a copy of the image with small changes to the red channel. */
const noisy = (source: Rgba8Image): Rgba8Image => ({
  ...source,
  data: source.data.map((v, i) => (i % 4 === 0 ? v + (((i * 7919) >> 3) % 31) - 15 : v)),
});

describe('luma', () => {
  test('black 16, white 235, the primaries of BT.601, not rounded', () => {
    const colours = [
      [0, 0, 0],
      [255, 255, 255],
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [1, 1, 1],
    ] as const;
    const { data } = luma(
      image(6, 1, (x) => colours[x]),
      0,
    );
    const expected = [16, 235, 81.481, 144.553, 40.966, 16 + 219 / 255];
    for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 10);
  });

  test('shaves every side', () => {
    const plane = luma(
      image(7, 5, (x, y) => [x * 10, y * 10, 0]),
      2,
    );
    expect([plane.width, plane.height]).toEqual([3, 1]);
    for (const x of [2, 3, 4]) {
      expect(plane.data[x - 2]).toBeCloseTo((654.81 * x + 1285.53 * 2) / 255 + 16, 10);
    }
  });
});

describe('PSNR', () => {
  test('by hand: two levels of white everywhere', () => {
    const a = image(11, 11, () => [100, 100, 100]);
    const b = image(11, 11, () => [102, 102, 102]);
    const difference = (2 * 219) / 255;
    const expected = 20 * Math.log10(255 / difference);
    expect(compareLuma(a, b, 0).psnr).toBeCloseTo(expected, 10);
  });

  test('ignores what is shaved and alpha', () => {
    const a = texture(20, 16);
    const b = { ...a, data: a.data.slice() };
    b.data.fill(0, 0, 20 * 2 * 4);
    for (let i = 3; i < b.data.length; i += 4) b.data[i] = 7;
    expect(compareLuma(a, b, 2)).toEqual({ psnr: Infinity, ssim: expect.closeTo(1, 12) });
    expect(compareLuma(a, b, 1).psnr).toBeLessThan(40);
  });
});

describe('SSIM', () => {
  /**
   * Computes equation 13 of the SSIM paper (see ssim.ts) directly for each window, with a
   * two-dimensional Gaussian. Returns the mean over all windows.
   */
  function slowSsim(a: Rgba8Image, b: Rgba8Image): number {
    const [pa, pb] = [luma(a, 0), luma(b, 0)];
    const weights: number[] = [];
    for (let v = -5; v <= 5; v++) {
      for (let u = -5; u <= 5; u++) weights.push(Math.exp(-(u * u + v * v) / 4.5));
    }
    const total = weights.reduce((x, y) => x + y);
    let sum = 0;
    let count = 0;
    for (let y = 5; y < pa.height - 5; y++) {
      for (let x = 5; x < pa.width - 5; x++) {
        const mean = (f: (i: number) => number): number => {
          let m = 0;
          for (const [t, weight] of weights.entries()) {
            const row = y + Math.floor(t / 11) - 5;
            m += (weight / total) * f(row * pa.width + x + (t % 11) - 5);
          }
          return m;
        };
        const ma = mean((i) => pa.data[i]);
        const mb = mean((i) => pb.data[i]);
        const va = mean((i) => (pa.data[i] - ma) ** 2);
        const vb = mean((i) => (pb.data[i] - mb) ** 2);
        const cov = mean((i) => (pa.data[i] - ma) * (pb.data[i] - mb));
        sum +=
          ((2 * ma * mb + 6.5025) * (2 * cov + 58.5225)) /
          ((ma * ma + mb * mb + 6.5025) * (va + vb + 58.5225));
        count++;
      }
    }
    return sum / count;
  }

  test('agrees with the definition', () => {
    const a = texture(23, 17);
    const b = noisy(a);
    const expected = slowSsim(a, b);
    expect(expected).toBeLessThan(0.999);
    expect(compareLuma(a, b, 0).ssim).toBeCloseTo(expected, 10);
    expect(compareLuma(b, a, 0).ssim).toBeCloseTo(expected, 10);
  });

  test('of one window', () => {
    const a = texture(11, 11);
    const b = noisy(a);
    expect(compareLuma(a, b, 0).ssim).toBeCloseTo(slowSsim(a, b), 10);
  });

  test('of flat planes is the luminance term alone', () => {
    const plane = (value: number) => ({
      width: 12,
      height: 11,
      data: new Float64Array(132).fill(value),
    });
    const expected = (2 * 100 * 120 + 6.5025) / (100 * 100 + 120 * 120 + 6.5025);
    expect(ssim(plane(100), plane(120))).toBeCloseTo(expected, 10);
  });
});

test('refuses what does not compare', () => {
  const invalid = expect.objectContaining({ code: 'INVALID_INPUT', message: expect.any(String) });
  const a = texture(15, 15);
  expect(() => compareLuma(a, texture(15, 16), 0)).toThrow(invalid);
  expect(() => compareLuma(a, texture(9, 25), 0)).toThrow(invalid);
  for (const border of [-1, 0.5, Number.NaN, 3, 8]) {
    expect(() => compareLuma(a, a, border)).toThrow(invalid);
  }
  expect(compareLuma(a, a, 2).psnr).toBe(Infinity);
});
