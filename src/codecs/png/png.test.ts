import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Rgba8Image, RgbaImage } from '../../image/image.ts';
import { NO_TAGS } from '../../image/tags.ts';
import { png } from './png.ts';

type Paint = (x: number, y: number) => readonly [number, number, number, number];

function paint(width: number, height: number, at: Paint): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) data.set(at(i % width, Math.floor(i / width)), i * 4);
  return { width, height, data };
}

/** Generates the same noise in every run, using the generator from Numerical Recipes. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
}

async function decode(image: RgbaImage, tags = NO_TAGS) {
  const blob = await png(image, 1, tags);
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

  const random16 = (length: number, alpha: boolean) =>
    Uint16Array.from({ length }, (_, i) =>
      i % 4 === 3 && !alpha ? 65535 : random() * 256 + random(),
    );

  it.each([
    [false, 3],
    [true, 4],
  ])('keeps 16 bits, alpha: %s', async (alpha, channels) => {
    const image = { width: 23, height: 9, data: random16(23 * 9 * 4, alpha) };
    const { file } = await decode(image);
    const { depth, channels: stored } = await sharp(file).metadata();
    expect([depth, stored]).toEqual(['ushort', channels]);
    const raw = await sharp(file)
      .toColourspace('rgb16')
      .ensureAlpha()
      .raw({ depth: 'ushort' })
      .toBuffer();
    expect(new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2)).toEqual(image.data);
  });

  it.each([
    [255, 'b-w', 1],
    [128, 'b-w', 2],
  ])('writes grey as grey, alpha %d', async (alpha, space, channels) => {
    const image = paint(19, 7, (x, y) => [x * y, x * y, x * y, alpha]);
    const { file, data } = await decode(image, { ...NO_TAGS, grey: true });
    expect(await sharp(file).metadata()).toMatchObject({ space, channels });
    expect(data.equals(Buffer.from(image.data))).toBe(true);
  });

  it('carries profile, EXIF and XMP', async () => {
    const { icc, exif } = await sharp({
      create: { width: 1, height: 1, channels: 3, background: 'red' },
    })
      .withIccProfile('p3')
      .withExif({ IFD0: { Artist: 'somebody' } })
      .jpeg()
      .toBuffer()
      .then((file) => sharp(file).metadata());
    const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>';
    const { file } = await decode(
      paint(2, 2, () => [9, 8, 7, 255]),
      {
        ...NO_TAGS,
        icc: Uint8Array.from(icc!),
        // The EXIF data from sharp has six bytes before the TIFF structure, as in a JPEG file.
        exif: Uint8Array.from(exif!.subarray(6)),
        xmp: new TextEncoder().encode(xmp),
      },
    );
    const found = await sharp(file).metadata();
    expect(found.icc!.equals(icc!)).toBe(true);
    expect(found.exif!.includes('somebody')).toBe(true);
    expect(found.xmp!.toString()).toBe(xmp);
  });

  it('is marked as sRGB', async () => {
    const { file } = await decode(paint(2, 2, () => [9, 9, 9, 255]));
    expect(file.indexOf('sRGB')).toBeGreaterThan(0);
  });
});
