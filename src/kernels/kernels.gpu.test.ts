import { describe, expect, it } from 'vitest';
import { expectClose, randomMap, randomValues, runKernel, written } from '../../test/kernels.ts';
import { ACTIVATIONS, type Activation, type ActivationName } from '../graph/activations.ts';
import { packBias } from './conv/conv.ts';
import { blocksOf, type Kernel, mapGrid } from './kernel.ts';
import { bilinearReference, nearestReference } from './maps/enlarge.reference.ts';
import { enlargeKernel } from './maps/enlarge.ts';
import {
  activationReference,
  addReference,
  affineReference,
  mixReference,
  mulReference,
  preluReference,
} from './maps/pointwise.reference.ts';
import { type PointwiseOp, packAffine, pointwiseKernel } from './maps/pointwise.ts';
import {
  packRgba8Reference,
  padReference,
  unpackRgba8Reference,
} from './pixels/rgba8.reference.ts';
import { packRgba8Kernel, unpackRgba8Kernel } from './pixels/rgba8.ts';
import { fromBlocked, type PlanarMap, planarMap, toBlocked } from './planar.ts';
import { scaleChannelsReference } from './transformer/transformer.reference.ts';
import { globalAveragePoolReference } from './vector/pool.reference.ts';
import { poolChunks, poolPartialGrid, poolPartialKernel } from './vector/pool.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from './vector/vector.reference.ts';
import { dynamicWeightsKernel } from './vector/vector.ts';
import {
  linearKernel,
  poolFinishKernel,
  poolInnerKernel,
  softmaxKernel,
  vectorActivationKernel,
} from './vector/vectorAlone.ts';

/**
 * The sizes cover a single pixel, thin and odd shapes, exactly one workgroup, and more than one
 * workgroup.
 */
const SIZES = [
  [1, 1],
  [1, 5],
  [7, 3],
  [8, 8],
  [9, 17],
] as const;

const padded = (v: Float32Array): Float32Array<ArrayBuffer> => {
  const out = new Float32Array(blocksOf(v.length) * 4);
  out.set(v);
  return out;
};

describe('pointwise', () => {
  const p = new Float32Array([0.3, 0.7]);
  const factors = randomValues(6, 8);
  const references: Record<
    Exclude<PointwiseOp, 'prelu' | 'affine'>,
    (a: PlanarMap, b: PlanarMap) => PlanarMap
  > = {
    copy: (a) => a,
    mul: mulReference,
    add: addReference,
    mix: (a, b) => mixReference(a, b, p),
    scale: (a) => scaleChannelsReference(a, factors),
  };
  const activations: (Activation | null)[] = [
    null,
    // The list contains all activations, so a new activation is tested here automatically.
    ...(Object.keys(ACTIVATIONS) as ActivationName[]).map(
      (fn): Activation => (fn === 'leakyRelu' ? { fn, slope: 0.1 } : { fn }),
    ),
  ];
  for (const op of ['copy', 'mul', 'add', 'mix', 'scale'] as const) {
    it.each(SIZES)(`${op} at %i x %i`, async (width, height) => {
      const a = randomMap(6, height, width, 1);
      const b = randomMap(6, height, width, 2);
      for (const activation of activations) {
        const sum = references[op](a, b);
        const expected = activation ? activationReference(sum, activation) : sum;
        const [y] = await runKernel(pointwiseKernel(op, activation), {
          grid: mapGrid(width, height, 2),
          params: [width, height],
          reads: [toBlocked(a), toBlocked(b), padded(op === 'scale' ? factors : p)],
          writes: [8 * width * height],
        });
        expectClose(fromBlocked(written(y), 6, height, width).data, expected.data);
      }
    });
  }
});

describe('pointwise by channel', () => {
  it.each(SIZES)('PReLU, affine and a scaled sum at %i x %i', async (width, height) => {
    const x = randomMap(6, height, width, 1);
    const other = randomMap(6, height, width, 2);
    const slopes = randomValues(6, 3);
    const [scale, shift] = [[...randomValues(6, 4)], [...randomValues(6, 5)]];
    const run = async (kernel: Kernel, p: Float32Array<ArrayBuffer>) => {
      const [y] = await runKernel(kernel, {
        grid: mapGrid(width, height, 2),
        params: [width, height],
        reads: [toBlocked(x), toBlocked(other), p],
        writes: [8 * width * height],
      });
      const blocked = written(y);
      const absent = blocked.subarray(4 * width * height).filter((_, i) => i % 4 > 1);
      expect(absent.every((v) => v === 0)).toBe(true);
      return fromBlocked(blocked, 6, height, width).data;
    };
    expectClose(
      await run(pointwiseKernel('prelu', null), packBias(slopes, 6)),
      preluReference(x, slopes).data,
    );
    expectClose(
      await run(pointwiseKernel('affine', null), packAffine(scale, shift)),
      affineReference(x, scale, shift).data,
    );
    expectClose(
      await run(pointwiseKernel('add', null, 'f32', 0.2), new Float32Array(4)),
      addReference(x, other, 0.2).data,
    );
  });
});

describe.each(['nearest', 'bilinear'] as const)('%s enlargement', (method) => {
  it.each(SIZES.flatMap(([w, h]) => [2, 3, 4].map((s) => [w, h, s] as const)))(
    'of %i x %i by %i',
    async (width, height, scale) => {
      const x = randomMap(5, height, width);
      const expected = (method === 'nearest' ? nearestReference : bilinearReference)(x, scale);
      const [W, H] = [width * scale, height * scale];
      const [y] = await runKernel(enlargeKernel(method, scale), {
        grid: mapGrid(W, H, 2),
        params: [W, H],
        reads: [toBlocked(x)],
        writes: [8 * W * H],
      });
      expectClose(fromBlocked(written(y), 5, H, W).data, expected.data);
    },
  );
});

describe('global average pooling', () => {
  it.each([
    [1, 1],
    [3, 5],
    [64, 64], // Exactly one chunk.
    [65, 64],
    [129, 97],
  ])('of %i x %i', async (width, height) => {
    const x = randomMap(6, height, width);
    const pixels = width * height;
    const params = [pixels, poolChunks(pixels)];
    const [partials] = await runKernel(poolPartialKernel(6), {
      grid: poolPartialGrid(6, pixels),
      params,
      reads: [toBlocked(x)],
      writes: [poolChunks(pixels) * 8],
    });
    const [mean] = await runKernel(poolFinishKernel(6), {
      grid: [2, 1, 1],
      params,
      reads: [written(partials) as Float32Array<ArrayBuffer>],
      writes: [8],
    });
    const expected = padded(globalAveragePoolReference(x));
    expectClose(written(mean), expected, { abs: 1e-7, rel: 1e-6 });
  });

  it.each([
    [1, 1, 0, 0],
    [9, 8, 3, 4],
    [80, 67, 5, 1], // More than one chunk.
  ])('of %i x %i without the first %i and the last %i', async (width, height, first, last) => {
    const x = randomMap(6, height, width);
    const [innerWidth, pixels] = [
      width - first - last,
      (width - first - last) * (height - first - last),
    ];
    const chunks = poolChunks(pixels);
    const [partials] = await runKernel(poolInnerKernel(6, first), {
      grid: poolPartialGrid(6, pixels),
      params: [pixels, chunks, 0, innerWidth, width, width * height],
      reads: [toBlocked(x)],
      writes: [chunks * 8],
    });
    const [mean] = await runKernel(poolFinishKernel(6), {
      grid: [2, 1, 1],
      params: [pixels, chunks],
      reads: [written(partials) as Float32Array<ArrayBuffer>],
      writes: [8],
    });
    const expected = padded(globalAveragePoolReference(x, [first, last]));
    expectClose(written(mean), expected, { abs: 1e-7, rel: 1e-6 });
  });

  it('stays accurate over a megapixel of nearly equal values', async () => {
    // With a running f32 sum, the mean of a million values near 1000 would not be accurate to three
    // decimal places.
    const [width, height] = [1024, 1025];
    const data = Float32Array.from({ length: width * height }, (_, i) => 1000 + (i % 7) / 7);
    const x = { channels: 1, height, width, data };
    const pixels = width * height;
    const params = [pixels, poolChunks(pixels)];
    const [partials] = await runKernel(poolPartialKernel(1), {
      grid: poolPartialGrid(1, pixels),
      params,
      reads: [toBlocked(x)],
      writes: [poolChunks(pixels) * 4],
    });
    const [mean] = await runKernel(poolFinishKernel(1), {
      grid: [1, 1, 1],
      params,
      reads: [written(partials) as Float32Array<ArrayBuffer>],
      writes: [4],
    });
    expectClose(written(mean).subarray(0, 1), globalAveragePoolReference(x), { abs: 0, rel: 2e-7 });
  });
});

describe('vectors', () => {
  it.each([
    [1, 1, true],
    [40, 10, false],
    [10, 2, false],
    [9, 5, true],
    [130, 70, true],
  ])('linear %i -> %i, with bias: %o', async (lengthIn, lengthOut, bias) => {
    const x = randomValues(lengthIn, 1);
    const w = randomValues(lengthIn * lengthOut, 2);
    const b = randomValues(lengthOut, 3);
    const [y] = await runKernel(linearKernel(lengthIn, lengthOut, bias), {
      grid: [1, 1, 1],
      reads: [padded(x), w, b],
      writes: [blocksOf(lengthOut) * 4],
    });
    expectClose(written(y), padded(linearReference(x, w, lengthOut, bias ? b : null)));
  });

  it('activation', async () => {
    const x = randomValues(270, 1);
    const activation: Activation = { fn: 'relu' };
    const [y] = await runKernel(vectorActivationKernel(270, activation), {
      grid: [1, 1, 1],
      reads: [padded(x)],
      writes: [272],
    });
    expectClose(written(y).subarray(0, 270), vectorActivationReference(x, activation));
  });

  it.each([
    [2, 30, 1],
    [2, 30, 5000],
    [5, 1, 3],
    [1, 2, 1],
  ])('softmax of %i at temperature %f, values up to %f', async (length, temperature, size) => {
    const x = randomValues(length, 7).map((v) => v * size) as Float32Array<ArrayBuffer>;
    const [y] = await runKernel(softmaxKernel(length, temperature), {
      grid: [1, 1, 1],
      reads: [padded(x)],
      writes: [blocksOf(length) * 4],
    });
    const p = written(y);
    expectClose(p, padded(softmaxReference(x, temperature)));
    expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  });

  it.each([
    [1, 1, 40, 10],
    [33, 200, 40, 10],
    [17, 13, 6, 2],
  ])('dynamic weights of a %i x %i map', async (width, height, lengthIn, hidden) => {
    const x = randomMap(lengthIn, height, width);
    const pixels = width * height;
    const params = [pixels, poolChunks(pixels)];
    const w1 = randomValues(hidden * lengthIn, 2).map((v) => 300 * v) as Float32Array<ArrayBuffer>;
    const w2 = randomValues(2 * hidden, 3);
    const [partials] = await runKernel(poolPartialKernel(lengthIn), {
      grid: poolPartialGrid(lengthIn, pixels),
      params,
      reads: [toBlocked(x)],
      writes: [poolChunks(pixels) * blocksOf(lengthIn) * 4],
    });
    const spec = { lengthIn, hidden, lengthOut: 2, temperature: 30 };
    const [p] = await runKernel(dynamicWeightsKernel(spec), {
      grid: [1, 1, 1],
      params,
      reads: [written(partials) as Float32Array<ArrayBuffer>, w1, w2],
      writes: [4],
    });
    const v = globalAveragePoolReference(x);
    const z = vectorActivationReference(linearReference(v, w1, hidden), { fn: 'relu' });
    const expected = softmaxReference(linearReference(z, w2, 2), 30);
    expectClose(written(p), padded(expected), { abs: 1e-5 });
    // If both expected weights were 0.5, a kernel that always returns 0.5 would pass this test.
    expect(Math.abs(expected[0] - 0.5)).toBeGreaterThan(1e-3);
  });
});

describe('pixels', () => {
  const image = (width: number, height: number) => ({
    width,
    height,
    data: new Uint8ClampedArray(randomValues(width * height * 4, 3).map((v) => 128 + 140 * v)),
  });
  type Image = ReturnType<typeof image>;
  const words = ({ data }: Image) => new Uint32Array(data.buffer as ArrayBuffer);

  it.each(
    SIZES.flatMap(([w, h]) =>
      [1, 255].flatMap((range) => [3, 1].map((channels) => [w, h, range, channels] as const)),
    ),
  )('unpacks %i x %i to 0..%i, %i channels', async (width, height, range, channels) => {
    const pixels = image(width, height);
    const [y] = await runKernel(unpackRgba8Kernel({ range, channels }), {
      grid: mapGrid(width, height, 1),
      params: [width, height, 0, width, 0, 0, height],
      reads: [words(pixels)],
      writes: [4 * width * height],
    });
    const blocked = written(y);
    expectClose(
      fromBlocked(blocked, channels, height, width).data,
      unpackRgba8Reference(pixels, { range, channels }).data,
      { abs: 0, rel: 4e-7 },
    );
    // For RGB, the fourth element of each pixel's vector is alpha. For luma, the last three
    // elements are zero.
    const rest = blocked.filter((_, i) => i % 4 >= channels);
    if (channels === 1) expect(rest.every((v) => v === 0)).toBe(true);
    else {
      const alpha = pixels.data.filter((_, i) => i % 4 === 3);
      expectClose(
        rest,
        [...alpha].map((v) => (v * range) / 255),
        { abs: 0, rel: 4e-7 },
      );
    }
  });

  it.each([
    [1, 1, 4, 4],
    [3, 2, 8, 8],
    [13, 9, 16, 12],
  ])('reflects %i x %i to %i x %i', async (width, height, W, H) => {
    const pixels = image(width, height);
    const [y] = await runKernel(unpackRgba8Kernel({ range: 255, channels: 3 }), {
      grid: mapGrid(W, H, 1),
      params: [W, H, 0, width, 0, 0, height],
      reads: [words(pixels)],
      writes: [4 * W * H],
    });
    const plain = unpackRgba8Reference(pixels, { range: 255, channels: 3 });
    const multiple = W === 16 ? 4 : W;
    const expected = padReference(plain, { multiple, least: multiple }, 1);
    expect([expected.width, expected.height]).toEqual([W, H]);
    expectClose(fromBlocked(written(y), 3, H, W).data, expected.data, { abs: 0 });
  });

  it('unpacks a rectangle of a larger image', async () => {
    const pixels = image(13, 9);
    const [y] = await runKernel(unpackRgba8Kernel({ range: 255, channels: 3 }), {
      grid: mapGrid(4, 3, 1),
      params: [4, 3, 0, 13, 5, 2, 9],
      reads: [words(pixels)],
      writes: [4 * 4 * 3],
    });
    const values = written(y);
    for (let row = 0; row < 3; row++) {
      const from = ((row + 2) * 13 + 5) * 4;
      const expected = [...pixels.data.slice(from, from + 16)];
      expect([...values.slice(row * 16, row * 16 + 16)]).toEqual(expected);
    }
  });

  it.each(SIZES)('packs %i x %i: clamps and rounds half to even', async (width, height) => {
    // The values are multiples of 0.5 from -20 to 280. The channels of each pixel have different
    // values.
    const map: PlanarMap = {
      channels: 3,
      width,
      height,
      data: Float32Array.from({ length: 3 * width * height }, (_, i) => ((i * 37) % 601) / 2 - 20),
    };
    const format = { range: 255, channels: 3, scale: 1 };
    const lr = image(width, height);
    const [pixels, status] = await runKernel(packRgba8Kernel(format), {
      grid: mapGrid(width, height, 1),
      params: [width, height, 0, width, 0, 0, width, height, 0, 0],
      reads: [toBlocked(map), words(lr)],
      writes: [width * height, new Uint32Array(2)],
    });
    const expected = packRgba8Reference(map, lr, format);
    expect(new Uint8ClampedArray(pixels.buffer)).toEqual(expected.data);
    expect([status[0], expected.finite]).toEqual([0, true]);
  });

  it.each([
    [3, 2],
    [3, 4],
    [1, 3],
  ])('packs a rectangle of a larger map of %i channels at x%i', async (channels, scale) => {
    const lr = image(5, 4);
    const [W, H] = [5 * scale, 4 * scale];
    const map = randomMap(channels, H, W);
    const format = { range: 1, channels, scale };
    // The kernel gets a map that lacks the first row and the first two columns of the output. Like
    // a tile's map, it covers only a part of the output.
    const part = planarMap(channels, H - 1, W - 2);
    part.data.forEach((_, i) => {
      const [row, col] = [Math.floor(i / (W - 2)) % (H - 1), i % (W - 2)];
      const c = Math.floor(i / (W - 2) / (H - 1));
      part.data[i] = map.data[(c * H + row + 1) * W + col + 2];
    });
    const [pixels] = await runKernel(packRgba8Kernel(format), {
      grid: mapGrid(3, 2, 1),
      params: [3, 2, 0, W - 2, 4, 3, 5, 4, 6, 4],
      reads: [toBlocked(part), words(lr)],
      writes: [6, new Uint32Array(2)],
    });
    const whole = packRgba8Reference(map, lr, format).data;
    const actual = new Uint8Array(pixels.buffer);
    for (let i = 0; i < actual.length; i++) {
      const [row, col] = [Math.floor(i / 12), Math.floor(i / 4) % 3];
      const expected = whole[((row + 4) * W + col + 6) * 4 + (i % 4)];
      // The reference interpolates in a different order, so a tie can round either way.
      expect(Math.abs(actual[i] - expected)).toBeLessThanOrEqual(1);
    }
  });

  const wide = (width: number, height: number) => ({
    width,
    height,
    data: Uint16Array.from(randomValues(width * height * 4, 4), (v) => 32768 + 32767 * v),
  });

  it.each(SIZES)('unpacks %i x %i of 16 bits', async (width, height) => {
    const pixels = wide(width, height);
    for (const channels of [3, 1]) {
      const format = { range: 255, channels };
      const [y] = await runKernel(unpackRgba8Kernel({ ...format, wide: true }), {
        grid: mapGrid(width, height, 1),
        params: [width, height, 0, width, 0, 0, height],
        reads: [new Uint32Array(pixels.data.buffer)],
        writes: [4 * width * height],
      });
      const map = fromBlocked(written(y), channels, height, width);
      expectClose(map.data, unpackRgba8Reference(pixels, format).data, { abs: 0, rel: 4e-7 });
    }
  });

  it.each([3, 1])('packs %i channels as 16 bits', async (channels) => {
    const scale = 2;
    const [width, height] = [9, 11];
    const lr = wide(width, height);
    const map = randomMap(channels, height * scale, width * scale);
    const format = { range: 1, channels, scale };
    const [W, H] = [width * scale, height * scale];
    const [words] = await runKernel(packRgba8Kernel({ ...format, wide: true }), {
      grid: mapGrid(W, H, 1),
      params: [W, H, 0, W, 0, 0, width, height, 0, 0],
      reads: [toBlocked(map), new Uint32Array(lr.data.buffer)],
      writes: [W * H * 2, new Uint32Array(2)],
    });
    written(words);
    const expected = packRgba8Reference(map, lr, format).data;
    expectClose(new Uint16Array(words.buffer), expected, { abs: 1, rel: 0 });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'reports %f in the status word',
    async (value) => {
      const map = randomMap(3, 3, 3);
      map.data[17] = value;
      const [, status] = await runKernel(packRgba8Kernel({ range: 1, channels: 3, scale: 1 }), {
        grid: mapGrid(3, 3, 1),
        params: [3, 3, 0, 3, 0, 0, 3, 3, 0, 0],
        reads: [toBlocked(map), words(image(3, 3))],
        writes: [9, new Uint32Array(2)],
      });
      expect(status[0]).toBe(1);
    },
  );
});
