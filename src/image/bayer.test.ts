import { describe, expect, it } from 'vitest';
import { toMosaic } from '../../test/pictures.ts';
import { compareLuma } from '../metrics/index.ts';
import { readImage } from '../node/images.ts';
import { type BayerMosaic, type BayerPattern, demosaicBilinear } from './bayer.ts';
import { toRgba8 } from './pixels.ts';

const PATTERNS: readonly BayerPattern[] = ['RGGB', 'BGGR', 'GRBG', 'GBRG'];

describe('bilinear demosaicking', () => {
  it('takes neighbours of the missing colours, fewer at the border', () => {
    //  R 10  G 20  R 30
    //  G 40  B 50  G 60
    //  R 70  G 80  R 90
    const data = Float32Array.of(10, 20, 30, 40, 50, 60, 70, 80, 90);
    const given = { width: 3, height: 3, data, pattern: 'RGGB', white: 255 } as const;
    const { data: made } = demosaicBilinear(given);
    const pixel = (x: number, y: number) =>
      Array.from(made.subarray((y * 3 + x) * 4, (y * 3 + x) * 4 + 4), (v) => v / 257);
    // The comments on the next lines show how R, G and B are computed.
    expect(pixel(1, 1)).toEqual([50, 50, 50, 255]); // (10+30+70+90)/4, (20+40+60+80)/4, own sample
    expect(pixel(1, 0)).toEqual([20, 20, 50, 255]); // (10+30)/2, own sample, sample below
    expect(pixel(0, 0)).toEqual([10, 30, 50, 255]); // own sample, (20+40)/2, diagonal sample
    expect(pixel(0, 1)).toEqual([40, 40, 50, 255]);
    expect(pixel(2, 2)).toEqual([90, 70, 50, 255]);
  });

  it.each(PATTERNS)('gives back what is flat, in %s', (pattern) => {
    const colour = [4000, 30_000, 61_000, 65_535];
    const data = Uint16Array.from({ length: 7 * 5 * 4 }, (_, i) => colour[i % 4]);
    const image = { width: 7, height: 5, data };
    expect(demosaicBilinear(toMosaic(image, pattern))).toEqual(image);
  });

  it('puts black and white where they belong, and cuts off what is beyond', () => {
    const data = Uint16Array.of(0, 512, 8704, 16_383);
    const mosaic = {
      width: 2,
      height: 2,
      data,
      pattern: 'GRBG',
      black: 512,
      white: 16_383,
    } as const;
    const { data: made } = demosaicBilinear(mosaic);
    const green = Math.round((65_535 / 2) * (0 + 1));
    expect(Array.from(made.subarray(0, 4))).toEqual([
      0,
      0,
      Math.round((65_535 * 8192) / 15_871),
      65_535,
    ]);
    expect(made[5]).toBe(green);
  });

  it('takes 8 bits, 16 bits and floats by their own full scale', () => {
    const values = [0, 85, 170, 255];
    const kinds = [Uint8Array.from(values), Uint16Array.from(values, (v) => v * 257)];
    const [a, b, c] = [...kinds, Float32Array.from(values, (v) => v / 255)].map(
      (data) => demosaicBilinear({ width: 2, height: 2, data, pattern: 'BGGR' }).data,
    );
    expect(b).toEqual(a);
    expect(c).toEqual(a);
  });

  it.each(PATTERNS)('comes near a photo through a mosaic of %s', async (pattern) => {
    const photo = await readImage('public/samples/coffee.jpg');
    const { width, height } = photo;
    const wide = { width, height, data: Uint16Array.from(photo.data, (v) => v * 257) };
    const { psnr } = compareLuma(toRgba8(demosaicBilinear(toMosaic(wide, pattern))), photo, 1);
    console.log(`${pattern}: bilinear demosaicking gives ${psnr.toFixed(2)} dB on Y`);
    expect(psnr).toBeGreaterThan(30);
    expect(psnr).toBeLessThan(60);
    // If the mosaic is read with the wrong Bayer pattern, the result must be clearly worse.
    const other = PATTERNS[(PATTERNS.indexOf(pattern) + 1) % 4];
    const wrong = demosaicBilinear({ ...toMosaic(wide, pattern), pattern: other });
    expect(compareLuma(toRgba8(wrong), photo, 1).psnr).toBeLessThan(psnr - 3);
  });

  const sound: BayerMosaic = { width: 2, height: 3, data: new Uint8Array(6), pattern: 'RGGB' };
  it.each<Partial<BayerMosaic>>([
    { width: 1, height: 6 },
    { data: new Uint8Array(5) },
    { width: 2.5 },
    { pattern: 'RGBG' as BayerPattern },
    { black: 255 },
    { white: Number.NaN },
  ])('refuses %o', (wrong) => {
    expect(() => demosaicBilinear(sound)).not.toThrow();
    const attempt = () => demosaicBilinear({ ...sound, ...wrong });
    expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});
