import { describe, expect, it } from 'vitest';
import { picture } from '../../test/pictures.ts';
import { opaqueColours } from './fill.ts';
import type { Rgba16Image, RgbaImage } from './image.ts';

const pixel = ({ width, data }: RgbaImage, x: number, y: number): number[] => [
  ...data.slice((y * width + x) * 4, (y * width + x) * 4 + 4),
];

describe('opaqueColours', () => {
  it.each([
    [1, 1],
    [5, 3],
    [33, 18],
  ])('keeps what can be seen to the bit: %i x %i', (width, height) => {
    const image = picture(width, height, true);
    const { data } = opaqueColours(image);
    let hidden = 0;
    image.data.forEach((v, i) => {
      if (i % 4 === 3) expect(data[i]).toBe(255);
      else if (image.data[i | 3] > 0) expect(data[i]).toBe(v);
      else if (data[i] !== v) hidden++;
    });
    if (width > 1) expect(hidden).toBeGreaterThan(0);
  });

  it('spreads the colour of a small thing over all that is transparent', () => {
    const data = new Uint8ClampedArray(37 * 21 * 4);
    data.set([200, 100, 50, 3], (7 * 37 + 30) * 4);
    const filled = opaqueColours({ width: 37, height: 21, data });
    for (let i = 0; i < data.length; i += 4) {
      expect([...filled.data.slice(i, i + 4)]).toEqual([200, 100, 50, 255]);
    }
  });

  it('fills from near pixels first', () => {
    const data = new Uint8ClampedArray(32 * 8 * 4);
    for (let y = 0; y < 8; y++) {
      data.set([250, 0, 0, 255], y * 32 * 4);
      data.set([0, 0, 250, 255], (y * 32 + 31) * 4);
    }
    const filled = opaqueColours({ width: 32, height: 8, data });
    expect(pixel(filled, 2, 4)[0]).toBeGreaterThan(200);
    expect(pixel(filled, 29, 4)[2]).toBeGreaterThan(200);
    const red = Array.from({ length: 32 }, (_, x) => pixel(filled, x, 4)[0]);
    expect(red).toEqual([...red].sort((a, b) => b - a));
  });

  it('keeps grey grey, 16 bits, and what has nothing visible', () => {
    const data = Uint16Array.from({ length: 9 * 9 * 4 }, (_, i) => {
      const at = Math.floor(i / 4);
      if (i % 4 === 3) return at % 3 === 0 ? 65535 : 0;
      return at % 3 === 0 ? (at * 811) % 65536 : 77 * i;
    });
    const filled: Rgba16Image = opaqueColours({ width: 9, height: 9, data }) as Rgba16Image;
    expect(filled.data).toBeInstanceOf(Uint16Array);
    for (let i = 0; i < filled.data.length; i += 4) {
      expect(filled.data[i + 1]).toBe(filled.data[i]);
      expect(filled.data[i + 2]).toBe(filled.data[i]);
    }
    const unseen = { width: 2, height: 1, data: Uint8ClampedArray.of(9, 8, 7, 0, 6, 5, 4, 0) };
    expect([...opaqueColours(unseen).data]).toEqual([9, 8, 7, 255, 6, 5, 4, 255]);
    expect([...unseen.data]).toEqual([9, 8, 7, 0, 6, 5, 4, 0]);
  });
});
