import { describe, expect, it } from 'vitest';
import { picture } from '../../../test/pictures.ts';
import type { Rgba8Image, RgbaImage } from '../../image/image.ts';
import { RowResizer, resize } from './resize.ts';

const onCpu = { device: null };
type Pixel = readonly [number, number, number, number];

function image(width: number, height: number, at: (x: number, y: number) => Pixel): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) data.set(at(i % width, Math.floor(i / width)), i * 4);
  return { width, height, data };
}

const pixel = ({ width, data }: RgbaImage, x: number, y: number): number[] => [
  ...data.slice((y * width + x) * 4, (y * width + x) * 4 + 4),
];

describe('resize', () => {
  it.each([
    [1, 1, 7, 3],
    [3, 5, 1, 1],
    [12, 9, 30, 21],
    [50, 4, 13, 9],
  ])('a flat image stays flat: %i x %i to %i x %i', async (w, h, width, height) => {
    for (const colour of [
      [200, 100, 50, 255],
      [255, 0, 128, 3],
    ] as const) {
      const flat = await resize(
        image(w, h, () => colour),
        { width, height },
        onCpu,
      );
      expect([flat.width, flat.height, flat.data.length]).toEqual([
        width,
        height,
        width * height * 4,
      ]);
      for (let i = 0; i < flat.data.length; i += 4) {
        expect([...flat.data.slice(i, i + 4)]).toEqual(colour);
      }
    }
  });

  it('leaves an image of the same size as it is', async () => {
    const source = picture(19, 23, false);
    expect(await resize(source, source, onCpu)).toEqual(source);
  });

  it('averages light, not code values: black and white stripes become 188', async () => {
    const stripes = image(64, 16, (x) => (x % 2 ? [255, 255, 255, 255] : [0, 0, 0, 255]));
    const small = await resize(stripes, { width: 16, height: 4 }, onCpu);
    expect(Math.abs(pixel(small, 8, 2)[0] - 188)).toBeLessThanOrEqual(1);
  });

  it('hidden colours do not bleed, and a disc keeps its white edge', async () => {
    const disc = image(40, 40, (x, y) =>
      Math.hypot(x - 19.5, y - 19.5) < 15 ? [255, 255, 255, 255] : [0, 0, 0, 0],
    );
    for (const side of [90, 17]) {
      const { data } = await resize(disc, { width: side, height: side }, onCpu);
      let translucent = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] === 0) continue;
        if (data[i + 3] < 255) translucent++;
        expect([...data.slice(i, i + 3)]).toEqual([255, 255, 255]);
      }
      expect(translucent).toBeGreaterThan(20);
    }
  });

  it('an alpha mask is exact beyond three pixels from its edge', async () => {
    const mask = image(40, 12, (x) => [90, 90, 90, x < 20 ? 255 : 0]);
    const large = await resize(mask, { width: 100, height: 30 }, onCpu);
    for (let x = 0; x < 100; x++) {
      const from = (x + 0.5) / 2.5 - 0.5;
      if (from < 16.5) expect(pixel(large, x, 9)[3]).toBe(255);
      if (from > 22.5) expect(pixel(large, x, 9)[3]).toBe(0);
    }
    expect(
      new Set(Array.from({ length: 100 }, (_, x) => pixel(large, x, 9)[3])).size,
    ).toBeGreaterThan(3);
  });

  it('16 bits: a gradient keeps its levels, and can become 8 bits', async () => {
    const data = new Uint16Array(600 * 2 * 4);
    data.forEach((_, i) => {
      data[i] = i % 4 === 3 ? 65535 : 20000 + Math.floor(((i / 4) % 600) * 10);
    });
    const gradient = { width: 600, height: 2, data };
    const large = await resize(gradient, { width: 1500, height: 3 }, onCpu);
    expect(large.data).toBeInstanceOf(Uint16Array);
    expect(new Set(large.data.filter((_, i) => i % 4 === 0)).size).toBeGreaterThan(1000);
    const bytes = await resize(gradient, { width: 300, height: 1 }, { ...onCpu, depth: 8 });
    expect(bytes.data).toBeInstanceOf(Uint8ClampedArray);
    expect(pixel(bytes, 150, 0)[0]).toBe(Math.round((20000 + 3005) / 257));
  });

  it('makes the same of rows however they come', async () => {
    const source = picture(31, 40, true);
    for (const [width, height] of [
      [50, 108],
      [20, 13],
    ]) {
      const whole = await resize(source, { width, height }, onCpu);
      const to = { width, height };
      const resizer = await RowResizer.open({
        from: source,
        to,
        depthIn: 8,
        depthOut: 8,
        ...onCpu,
      });
      const parts: number[] = [];
      for (let row = 0, count = 1; row < 40; row += count, count += 2) {
        const rows = source.data.subarray(row * 31 * 4, Math.min(40, row + count) * 31 * 4);
        for await (const made of resizer.push(rows)) parts.push(...made);
      }
      expect(parts).toEqual([...whole.data]);
    }
  });

  it('refuses impossible sizes and stops when asked', async () => {
    for (const side of [0, -3, 1.5, Number.NaN]) {
      const wrong = resize(picture(4, 4), { width: side, height: 4 }, onCpu);
      await expect(wrong).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
    const gone = resize(
      picture(4, 4),
      { width: 9, height: 9 },
      { ...onCpu, signal: AbortSignal.abort() },
    );
    await expect(gone).rejects.toMatchObject({ code: 'ABORTED' });
    const abort = new AbortController();
    const running = resize(
      picture(64, 64),
      { width: 300, height: 300 },
      { ...onCpu, signal: abort.signal },
    );
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
