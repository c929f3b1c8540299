import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Rgba8Image } from '../image/image.ts';
import { png } from './png.ts';

type Paint = (x: number, y: number) => readonly [number, number, number, number];

function paint(width: number, height: number, at: Paint): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) data.set(at(i % width, Math.floor(i / width)), i * 4);
  return { width, height, data };
}

/** Numerical Recipes' generator: noise that is the same in every run. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
}

async function decode(image: Rgba8Image) {
  const blob = await png.encode(image, 1);
  expect(blob.type).toBe('image/png');
  const file = Buffer.from(await blob.arrayBuffer());
  const { channels } = await sharp(file).metadata();
  const data = await sharp(file).ensureAlpha().raw().toBuffer();
  return { file, channels, data };
}

describe('png', () => {
  const random = noise(7);
  it.each<[string, number, number, 3 | 4, Paint]>([
    ['one pixel', 1, 1, 3, () => [1, 2, 3, 255]],
    ['one row of noise', 200, 1, 3, () => [random(), random(), random(), 255]],
    ['one column of noise', 1, 200, 4, () => [random(), random(), random(), random()]],
    ['noise', 33, 17, 4, () => [random(), random(), random(), random()]],
    ['a gradient', 64, 48, 3, (x, y) => [x * 4, y * 5, (x + y) * 2, 255]],
    ['colours under low alpha', 256, 3, 4, (x, y) => [200, 100, 50 + y, x]],
    ['strips of more than one megabyte', 700, 600, 3, (x, y) => [x & y, x ^ y, x | y, 255]],
  ])('%s comes back bit by bit from another decoder', async (_, width, height, channels, at) => {
    const image = paint(width, height, at);
    const decoded = await decode(image);
    expect(decoded.channels).toBe(channels);
    expect(decoded.data.equals(Buffer.from(image.data))).toBe(true);
  });

  it('filters: a smooth image is far smaller than its pixels', async () => {
    const image = paint(256, 256, (x, y) => [(x + y) & 255, x, y, 255]);
    expect((await decode(image)).file.length).toBeLessThan(256 * 256 * 3 * 0.03);
  });

  it('is marked as sRGB', async () => {
    const { file } = await decode(paint(2, 2, () => [9, 9, 9, 255]));
    expect(file.indexOf('sRGB')).toBeGreaterThan(0);
  });
});
