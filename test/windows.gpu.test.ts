/** Networks of attention within windows: tiles, and the memory of networks of real size. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { datCheckpoint } from '../src/cli/golden-dat.ts';
import { recipe2 } from '../src/cli/golden-hash.ts';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale } from '../src/cpu/upscale.ts';
import { Engine } from '../src/engine/engine.ts';
import { plannedBytes } from '../src/engine/tile/strips.ts';
import { dat } from '../src/networks/dat.ts';
import type { Network } from '../src/networks/network.ts';
import { foldDat } from '../src/networks/parts/foldDat.ts';
import { srformer, swinir } from '../src/networks/swinir.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import { testGpu } from './gpu.ts';
import { difference, picture } from './pictures.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

const small = {
  features: 12,
  depths: [2],
  heads: [3],
  upsampler: 'pixelshuffledirect',
} as const;

const LOCAL: readonly (readonly [string, Network])[] = [
  ['SwinIR x2', swinir({ ...small, scale: 2 })],
  ['SwinIR x1 of 7 pixels', swinir({ ...small, scale: 1, window: 7, upsampler: 'none' })],
  ['SRFormer x2', srformer({ ...small, scale: 2, window: 8 })],
];

const weightsOf = (network: Network) =>
  recipe2(network, 7, [
    ['upsample', 0.5],
    ['conv_last', 0.5],
  ]);

/** Two blocks of each kind, the second window shifted. */
const dual = dat({
  scale: 2,
  features: 32,
  depths: [4],
  heads: 4,
  split: [4, 8],
  upsampler: 'pixelshuffledirect',
});

/** Weights of a checkpoint by the same rule, folded. */
function datWeights({ graph, ...network }: Network, features: number, split: [number, number]) {
  const stored = {
    ...network,
    graph: { ...graph, weights: datCheckpoint(graph.weights, features) },
  };
  return foldDat(recipe2(stored, 7, [['upsample', 0.5]]), split);
}

describe('DAT in tiles', () => {
  const weights = datWeights(dual, 32, [4, 8]);

  it('as the whole image where everything but the end fits', async () => {
    const image = picture(75, 50);
    const model = await engine.loadModel(dual, weights);
    const whole = await engine.upscale(model, image);
    expect(whole.report.tiles).toBe(1);
    const tiled = await engine.upscale(model, image, { tileSize: 24 });
    expect(tiled.report.tiles).toBeGreaterThan(5);
    expect(difference(tiled.image, whole.image).worst).toBeLessThanOrEqual(1);
    await engine.unloadModel(model);
  });

  it('with the means of the whole image, or of parts of it', async () => {
    const image = picture(250, 220);
    const model = await engine.loadModel(dual, weights);
    const whole = await engine.upscale(model, image);
    const shares: Record<string, number> = {};
    for (const memoryBudget of [12e6, 6e6]) {
      const tiled = await engine.upscale(model, image, { memoryBudget });
      const { tiles, statistics, approximate } = tiled.report;
      const { worst, share } = difference(tiled.image, whole.image);
      console.log({ memoryBudget, tiles, statistics, approximate, worst, share });
      shares[statistics] = worst;
      expect(tiles).toBeGreaterThan(1);
      expect(approximate || statistics === 'exact').toBe(true);
    }
    await engine.unloadModel(model);
  });
});

function realSize(): [string, Network, TensorMap][] {
  const light = dat({
    ...{ scale: 2, features: 60, depths: [18], threeConvs: true },
    upsampler: 'pixelshuffledirect',
  });
  const medium = swinir({ scale: 4, upsampler: 'nearest+conv' });
  return [
    ['SwinIR-M', medium, weightsOf(medium)],
    ['DAT-light', light, datWeights(light, 60, [8, 32])],
  ];
}

describe('networks of real size', () => {
  it.each<[string, Network, TensorMap]>(realSize())(
    '%s at 64x64 keeps to its plan',
    async (_, network, weights) => {
      const own = await Engine.create({ gpu: testGpu() });
      const { gpu } = own.device;
      const createBuffer = gpu.createBuffer.bind(gpu);
      const live = new Map<GPUBuffer, number>();
      let peak = 0;
      gpu.createBuffer = (descriptor) => {
        const buffer = createBuffer(descriptor);
        live.set(buffer, descriptor.size);
        const destroy = buffer.destroy.bind(buffer);
        buffer.destroy = () => {
          live.delete(buffer);
          return destroy();
        };
        const held = [...live.values()].reduce((a, b) => a + b, 0);
        peak = Math.max(peak, held);
        return buffer;
      };
      const model = await own.loadModel(network, weights);
      const { maps, uniforms } = plannedBytes(own.device, model, { width: 64, height: 64 }, 1);
      const planned = maps + uniforms + model.weights.size;
      const { report, image } = await own.upscale(model, picture(64, 64));
      const seconds = Math.round(report.milliseconds / 1000);
      console.log(
        `${network.architecture}: planned ${planned} bytes, held at most ${peak}; ${seconds} s, ${report.dispatches} dispatches`,
      );
      expect(report.tiles).toBe(1);
      expect(image.width).toBe(64 * network.scale);
      expect(peak).toBeLessThan(1.1 * planned);
      expect(peak).toBeGreaterThan(0.9 * planned);
      own.destroy();
    },
    300_000,
  );
});

describe.each(LOCAL)('%s in tiles', (_, network) => {
  // Neither side is a multiple of a window, and tiles end within one.
  it.each([
    [59, 50, 20],
    [40, 64, 16],
  ])('%i x %i, cores of %i pixels: as the whole image', async (width, height, tileSize) => {
    const image = picture(width, height);
    const model = await engine.loadModel(network, weightsOf(network));
    const whole = await engine.upscale(model, image);
    expect(whole.report.tiles).toBe(1);
    const tiled = await engine.upscale(model, image, { tileSize });
    expect(tiled.report.tiles).toBeGreaterThan(5);
    expect(tiled.report.approximate).toBe(false);
    expect(difference(tiled.image, whole.image).worst).toBe(0);
    await engine.unloadModel(model);

    const cpu = await CpuModel.load(network, weightsOf(network));
    const slow = await upscale(cpu, image, { tileSize });
    expect(slow.report.tiles).toBeGreaterThan(5);
    expect(difference(slow.image, whole.image).worst).toBeLessThanOrEqual(1);
  });
});
