import { describe, expect, it } from 'vitest';
import { expectClose, randomMap, randomValues, runKernel, written } from '../../test/kernels.ts';
import type { Activation } from '../graph/graph.ts';
import { bilinearReference, nearestReference } from './enlarge.reference.ts';
import { enlargeKernel } from './enlarge.ts';
import { blocksOf, mapGrid } from './kernel.ts';
import { fromBlocked, type PlanarMap, toBlocked } from './planar.ts';
import {
  activationReference,
  addReference,
  mixReference,
  mulReference,
} from './pointwise.reference.ts';
import { type PointwiseOp, pointwiseKernel } from './pointwise.ts';
import { globalAveragePoolReference } from './pool.reference.ts';
import { poolChunks, poolFinishKernel, poolPartialGrid, poolPartialKernel } from './pool.ts';
import { packRgba8Reference, unpackRgba8Reference } from './rgba8.reference.ts';
import { packRgba8Kernel, unpackRgba8Kernel } from './rgba8.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from './vector.reference.ts';
import {
  dynamicWeightsKernel,
  linearKernel,
  softmaxKernel,
  vectorActivationKernel,
} from './vector.ts';

/** One pixel, thin, odd, a workgroup exactly, one beyond. */
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
  const references: Record<PointwiseOp, (a: PlanarMap, b: PlanarMap) => PlanarMap> = {
    copy: (a) => a,
    mul: mulReference,
    add: addReference,
    mix: (a, b) => mixReference(a, b, p),
  };
  const activations: (Activation | null)[] = [
    null,
    { fn: 'leakyRelu', slope: 0.1 },
    { fn: 'sigmoid' },
  ];
  for (const op of ['copy', 'mul', 'add', 'mix'] as const) {
    it.each(SIZES)(`${op} at %i x %i`, async (width, height) => {
      const a = randomMap(6, height, width, 1);
      const b = randomMap(6, height, width, 2);
      for (const activation of activations) {
        const sum = references[op](a, b);
        const expected = activation ? activationReference(sum, activation) : sum;
        const [y] = await runKernel(pointwiseKernel(op, activation), {
          grid: mapGrid(width, height, 2),
          params: [width, height],
          reads: [toBlocked(a), toBlocked(b), padded(p)],
          writes: [8 * width * height],
        });
        expectClose(fromBlocked(written(y), 6, height, width).data, expected.data);
      }
    });
  }
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
    [64, 64], // one chunk exactly
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

  it('stays accurate over a megapixel of nearly equal values', async () => {
    // A running f32 sum of a million values near 1000 would lose the third decimal of the mean.
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
    [1, 1],
    [40, 10],
    [10, 2],
    [130, 70],
  ])('linear %i -> %i', async (lengthIn, lengthOut) => {
    const x = randomValues(lengthIn, 1);
    const w = randomValues(lengthIn * lengthOut, 2);
    const [y] = await runKernel(linearKernel(lengthIn, lengthOut), {
      grid: [1, 1, 1],
      reads: [padded(x), w],
      writes: [blocksOf(lengthOut) * 4],
    });
    expectClose(written(y), padded(linearReference(x, w, lengthOut)));
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
    expect(Math.abs(expected[0] - 0.5)).toBeGreaterThan(1e-3); // a constant would not pass
  });
});

describe('8-bit RGBA', () => {
  const image = (width: number, height: number) =>
    new Uint8ClampedArray(randomValues(width * height * 4, 3).map((v) => 128 + 140 * v));

  it.each(SIZES.flatMap(([w, h]) => [1, 255].map((range) => [w, h, range] as const)))(
    'unpacks %i x %i to 0..%i',
    async (width, height, range) => {
      const data = image(width, height);
      const [y] = await runKernel(unpackRgba8Kernel(range), {
        grid: mapGrid(width, height, 1),
        params: [width, height, 0, width, 0, 0],
        reads: [new Uint32Array(data.buffer)],
        writes: [4 * width * height],
      });
      const expected = unpackRgba8Reference(data, width, height, range);
      expectClose(fromBlocked(written(y), 4, height, width).data, expected.data, {
        abs: 0,
        rel: 2e-7,
      });
    },
  );

  it('unpacks a rectangle of a larger image', async () => {
    const data = image(13, 9);
    const [y] = await runKernel(unpackRgba8Kernel(255), {
      grid: mapGrid(4, 3, 1),
      params: [4, 3, 0, 13, 5, 2],
      reads: [new Uint32Array(data.buffer)],
      writes: [4 * 4 * 3],
    });
    const values = written(y);
    for (let row = 0; row < 3; row++) {
      const from = ((row + 2) * 13 + 5) * 4;
      expect([...values.slice(row * 16, row * 16 + 16)]).toEqual([...data.slice(from, from + 16)]);
    }
  });

  it.each(SIZES)('packs %i x %i: clamps and rounds half to even', async (width, height) => {
    // Halves at 0.5 steps from -20 to 280, in an order that mixes channels.
    const map: PlanarMap = {
      channels: 4,
      width,
      height,
      data: Float32Array.from({ length: 4 * width * height }, (_, i) => ((i * 37) % 601) / 2 - 20),
    };
    const [pixels, status] = await runKernel(packRgba8Kernel(255), {
      grid: mapGrid(width, height, 1),
      params: [width, height, 0, width, 0, 0],
      reads: [toBlocked(map)],
      writes: [width * height, new Uint32Array(1)],
    });
    const expected = packRgba8Reference(map, 255);
    expect(new Uint8ClampedArray(pixels.buffer)).toEqual(expected.data);
    expect([status[0], expected.finite]).toEqual([0, true]);
  });

  it('packs a rectangle of a larger map', async () => {
    const map = randomMap(4, 6, 9);
    const [pixels] = await runKernel(packRgba8Kernel(1), {
      grid: mapGrid(3, 2, 1),
      params: [3, 2, 0, 9, 5, 4],
      reads: [toBlocked(map)],
      writes: [6, new Uint32Array(1)],
    });
    const whole = packRgba8Reference(map, 1).data;
    for (let row = 0; row < 2; row++) {
      const from = ((row + 4) * 9 + 5) * 4;
      const bytes = new Uint8Array(pixels.buffer, row * 12, 12);
      expect([...bytes]).toEqual([...whole.slice(from, from + 12)]);
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'reports %f in the status word',
    async (value) => {
      const map = randomMap(4, 3, 3);
      map.data[17] = value;
      const [, status] = await runKernel(packRgba8Kernel(1), {
        grid: mapGrid(3, 3, 1),
        params: [3, 3, 0, 3, 0, 0],
        reads: [toBlocked(map)],
        writes: [9, new Uint32Array(1)],
      });
      expect(status[0]).toBe(1);
    },
  );
});
