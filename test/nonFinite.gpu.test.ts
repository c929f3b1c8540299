/**
 * A single NaN weight must end every run with the error `NON_FINITE`. Clamp, max, min and
 * comparisons drop NaN, so the run could otherwise return a picture. The test tries each weight
 * tensor in each family: on the GPU at every fusion level, on the CPU and with the oracle.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale } from '../src/cpu/upscale.ts';
import type { Fusion } from '../src/engine/compile/fuse.ts';
import { Engine } from '../src/engine/engine.ts';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import { CrispenError } from '../src/errors.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import type { Network } from '../src/networks/network.ts';
import { createNetwork } from '../src/networks/registry.ts';
import { fromFloat32, toFloat32 } from '../src/weights/convert.ts';
import type { Tensor, TensorMap } from '../src/weights/tensor.ts';
import { testGpu } from './gpu.ts';
import { randomStream } from './random.ts';
import { seededImage, seededWeights } from './seeded.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

const tiny = { scale: 2, features: 8, blocks: 1 } as const;
/** Two blocks with three heads each. The second block's windows are shifted. */
const windows = { scale: 2, features: 12, depths: [2], heads: [3], window: 8 } as const;
const NETWORKS: Readonly<Record<string, Network>> = {
  'compact with PReLU': createNetwork('compact', { ...tiny, activation: 'prelu' }),
  'compact with ReLU': createNetwork('compact', { ...tiny, activation: 'relu' }),
  'compact with leaky ReLU': createNetwork('compact', { ...tiny, activation: 'leakyrelu' }),
  a2n: createNetwork('a2n', { ...tiny, blocks: 2, reduction: 2, upsamplerFeatures: 4 }),
  a2nm: createNetwork('a2nm', { ...tiny, blocks: 2, reduction: 2, upsamplerFeatures: 4 }),
  pan: createNetwork('pan', { ...tiny, blocks: 2, upsamplerFeatures: 4 }),
  span: createNetwork('span', { scale: 2, features: 8 }),
  esrgan: createNetwork('esrgan', { ...tiny, growth: 4 }),
  edsr: createNetwork('edsr', tiny),
  lcoan: createNetwork('lcoan', { ...tiny, groups: 2, clusters: 4, window: 32 }),
  'lcoan without centroids': createNetwork('lcoan', {
    ...tiny,
    groups: 1,
    clusters: 4,
    window: 32,
    initialised: false,
  }),
  // With the default input range of 255, all keys would be outside the image.
  'edsr-acla': createNetwork('edsr-acla', {
    ...tiny,
    blocks: 2,
    positions: [1, 2],
    keys: 4,
    inputRange: 1,
  }),
  dlsn: createNetwork('dlsn', {
    ...tiny,
    groups: 1,
    reduction: 2,
    chunk: 16,
    rounds: 2,
    buckets: 4,
  }),
  asid: createNetwork('asid', tiny),
  omnisr: createNetwork('omnisr', { scale: 2, features: 8, groups: 1, heads: 2 }),
  swinir: createNetwork('swinir', windows),
  srformer: createNetwork('srformer', windows),
  mosr: createNetwork('mosr', { ...tiny, upsampler: 'dys', folded: false }),
  rcan: createNetwork('rcan', { ...tiny, groups: 1, reduction: 4 }),
  realcugan: createNetwork('realcugan', { scale: 2, features: 4 }),
  realplksr: createNetwork('realplksr', { ...tiny, kernel: 5, sampling: 4 }),
  'realplksr with layer norm': createNetwork('realplksr', { ...tiny, kernel: 5, norm: 'layer' }),
  plksr: createNetwork('plksr', { ...tiny, kernel: 5 }),
};

/** Returns the weights with one NaN at a random position of one tensor. */
function poisoned(weights: TensorMap, name: string, random: () => number): TensorMap {
  const tensor = weights.get(name) as Tensor;
  const values = toFloat32(tensor);
  // The NaN is placed in the centre of a kernel. At a kernel's border, it might only meet padding,
  // which the oracle skips.
  const [rows, , height = 1, width = 1] = tensor.shape;
  const taps = height * width;
  // DySample's last convolution has padding rows, which no pixel reads. The NaN is therefore placed
  // in the first row.
  const kernels = values.length / taps / (name.endsWith('end_conv.weight') ? rows : 1);
  const kernel = Math.floor(random() * kernels);
  values[kernel * taps + (taps >> 1)] = Number.NaN;
  return new Map([...weights, [name, fromFloat32(values, tensor.shape, 'f32')]]);
}

/** Returns the error code, or 'a picture' if there was no error. */
const outcome = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'a picture',
    (error: unknown) => (error instanceof CrispenError ? error.code : String(error)),
  );

type Run = (network: Network, weights: TensorMap, image: Rgba8Image) => Promise<unknown>;
const onGpu =
  (fuse: Fusion): Run =>
  async (network, weights, image) => {
    const model = await engine.loadModel(network, weights, { fuse });
    try {
      return await engine.upscale(model, image);
    } finally {
      await engine.unloadModel(model);
    }
  };
const RUNS: Readonly<Record<string, Run>> = {
  'on the GPU, fused blocks': onGpu('blocks'),
  'on the GPU, fused ops': onGpu('ops'),
  'on the GPU, op by op': onGpu('none'),
  'on the CPU': async (network, weights, image) =>
    upscale(await CpuModel.load(network, weights), image, {}),
  'by the oracle': upscaleOnCpu,
};

describe.each(Object.keys(NETWORKS))('%s with one NaN', (family) => {
  const network = NETWORKS[family];
  const weights = seededWeights(network);
  const image = seededImage(9, 8, 1);

  // Each run of a transformer takes a second, so only every eighth tensor is tried.
  const long = ['asid', 'omnisr', 'dat', 'swinir', 'srformer'].includes(family);
  const names = [...weights.keys()].filter((_, i) => !long || i % 8 === 0);
  // Only in these families can one kernel compute a whole block.
  const hasBlocks = ['a2n', 'a2nm', 'pan'].includes(family);
  const ways = Object.keys(RUNS).filter(
    (way) => (hasBlocks || !way.includes('blocks')) && (!long || !way.includes('op by')),
  );

  it.each(ways)('%s', async (way) => {
    const run = RUNS[way];
    expect(await outcome(run(network, weights, image))).toBe('a picture');
    const random = randomStream(5);
    const laundered: string[] = [];
    for (const name of names) {
      const told = await outcome(run(network, poisoned(weights, name, random), image));
      if (told !== 'NON_FINITE') laundered.push(`${name}: ${told}`);
    }
    expect(laundered).toEqual([]);
  });
});
