import { expect, it } from 'vitest';
import type { RgbaImage } from '../image/image.ts';
import { mapAt, mapBytes, pixelAt } from './layout.ts';
import { pack } from './pixels.ts';
import type { Pause } from './tasks.ts';

const none: Pause = () => undefined;

/**
 * Packs one column of pixels, given as [r, g, b] or [luma], at scale 1 and with the range 0 to 1.
 */
async function packed(pixels: readonly number[][], source: RgbaImage['data'], pause = none) {
  const size = { width: 1, height: pixels.length };
  const mapSize = { ...size, channels: pixels[0].length };
  const map = mapAt(0, mapSize);
  const floats = new Float32Array(mapBytes(mapSize) / 4);
  pixels.forEach((values, y) => {
    floats.set(values, pixelAt(map, y, 0) / 4);
  });
  const data = new (source.constructor as typeof Uint16Array)(pixels.length * 4) as never;
  const image = { ...size, data: source } as RgbaImage;
  const packing = {
    core: { x: 0, y: 0, ...size },
    scale: 1,
    source: image,
    to: { data, offset: 0, width: 1 },
  };
  const finite = await pack(floats, map, 1, packing, pause);
  return { finite, data: [...(data as Uint16Array)] };
}

it.each([
  ['8 bits', 255, Uint8ClampedArray],
  ['16 bits', 65535, Uint16Array],
] as const)('%s: values are clamped and rounded, ties to even', async (_, top, Samples) => {
  const source = Samples.from([0, 0, 0, top, 0, 0, 0, top]);
  // 0.5 is halfway between two integers, because `top` is odd.
  const half = (top - 1) / 2;
  const pixels = [
    [-0.1, 1.1, 0.5],
    [0.6 / top, 1.4 / top, 1],
  ];
  const even = half % 2 === 0 ? half : half + 1;
  expect(await packed(pixels, source)).toEqual({
    finite: true,
    data: [0, top, even, top, 1, 1, top, top],
  });
});

it('alpha comes from the source, and colours from the network', async () => {
  const source = Uint8ClampedArray.from([9, 9, 9, 0, 9, 9, 9, 77]);
  const pixels = [
    [1, 0, 0.2],
    [0, 1, 0.4],
  ];
  expect((await packed(pixels, source)).data).toEqual([255, 0, 51, 0, 0, 255, 102, 77]);
});

it('luma comes from the network, and chroma and alpha from the source', async () => {
  const source = Uint8ClampedArray.from([100, 50, 20, 255, 60, 60, 60, 8]);
  const luma = 0.299 * 100 + 0.587 * 50 + 0.114 * 20;
  const pixels = [[(luma + 10) / 255], [0.2]];
  expect((await packed(pixels, source)).data).toEqual([110, 60, 30, 255, 51, 51, 51, 8]);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'the value %d is reported, whichever channel has it',
  async (value) => {
    const source = Uint8ClampedArray.from([0, 0, 0, 255, 0, 0, 0, 255]);
    for (let c = 0; c < 3; c++) {
      const pixels = [
        [3e38, -3e38, 3e38],
        [0, 0, 0],
      ];
      expect((await packed(pixels, source)).finite).toBe(true);
      pixels[1][c] = value;
      expect((await packed(pixels, source)).finite).toBe(false);
    }
  },
);

it('lets other events in after each row, and can be stopped there', async () => {
  const source = new Uint8ClampedArray(12).fill(255);
  const pixels = [[1], [1], [1]];
  let calls = 0;
  const pause = async () => {
    if (++calls === 2) throw new Error('stopped');
  };
  await expect(packed(pixels, source, pause)).rejects.toThrow('stopped');
  expect(calls).toBe(2);
});
