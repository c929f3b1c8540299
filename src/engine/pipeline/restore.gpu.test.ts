import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference, picture, toMosaic } from '../../../test/pictures.ts';
import { randomStream } from '../../../test/random.ts';
import { demosaicBilinear } from '../../image/bayer.ts';
import type { Rgba8Image } from '../../image/image.ts';
import { createNetwork } from '../../networks/registry.ts';
import { fromFloat32 } from '../../weights/convert.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import { Engine, type Model } from '../engine.ts';
import { upscaleOnCpu } from '../oracle/interpreter.ts';
import { enlargeWhole, type Pass } from './enlarge.ts';

/** An A2N with two blocks at scale 1. It has no upsampler, and the input is added to the output. */
const network = createNetwork('a2n', { scale: 1, features: 8, blocks: 2, inputRange: 1 });
const random = randomStream(11);
const weights: TensorMap = new Map(
  network.graph.weights.map(({ name, shape }) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: count }, () => (random() - 0.5) / 2);
    return [name, fromFloat32(values, shape, 'f32')];
  }),
);

let engine: Engine;
let model: Model;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
  model = await engine.loadModel(network, weights);
});
afterAll(() => engine.destroy());

describe('a network of scale 1', () => {
  it.each([
    [1, 1, undefined],
    [17, 13, undefined],
    [40, 31, 16],
  ])(
    'keeps %i x %i pixels, and does to them what the interpreter does, tiles of %s',
    async (width, height, tileSize) => {
      const image = picture(width, height);
      const { image: made, report } = await engine.upscale(model, image, { tileSize });
      const cpu = await upscaleOnCpu(network, weights, image);
      expect([made.width, made.height]).toEqual([width, height]);
      const { worst, share } = difference(made, cpu.image);
      expect(worst).toBeLessThanOrEqual(1);
      expect(share).toBeLessThanOrEqual(0.001);
      expect(report.tiles).toBe(tileSize ? 6 : 1);
      expect(made.data).not.toEqual(image.data);
    },
  );

  it('leaves alpha alone, to the bit', async () => {
    const image = picture(19, 11, true);
    const pass: Pass = {
      model: 'tiny',
      scale: 1,
      run: (lr, options, sink) => engine.upscaleStrips(model, lr, options, sink),
    };
    const plan = { size: { width: 19, height: 11 }, depth: 8, device: engine.device } as const;
    const { image: made } = await enlargeWhole(image, { ...plan, passes: [pass] });
    const alpha = ({ data }: Rgba8Image) => data.filter((_, i) => i % 4 === 3);
    expect(alpha(made as Rgba8Image)).toEqual(alpha(image));
    expect(new Set(alpha(image)).size).toBeGreaterThan(8);
  });
});

it.each(['RGGB', 'GBRG'] as const)(
  'demosaics a mosaic of %s as the interpreter does',
  async (pattern) => {
    const { width, height, data } = picture(21, 14);
    const wide = {
      width,
      height,
      data: Uint16Array.from(data, (v, i) => v * 256 + ((i * 37) % 256)),
    };
    const input = demosaicBilinear(toMosaic(wide, pattern));
    const deep = await engine.loadModel(network, weights, { wide: true });
    const made = new Uint16Array(input.data.length);
    await engine.upscaleStrips(deep, input, { tileSize: 16 }, ({ y, data: rows }) => {
      made.set(rows, y * width * 4);
    });
    const cpu = (await upscaleOnCpu(network, weights, input)).image.data;
    // The limit is 4 of 65,535 levels, because the results differ only by rounding errors. The GPU
    // computes in f32, and the interpreter computes in f64.
    expect(Math.max(...made.map((v, i) => Math.abs(v - cpu[i])))).toBeLessThanOrEqual(4);
    expect(made).not.toEqual(input.data);
    await engine.unloadModel(deep);
  },
);
