/** Tests networks with window attention in tiles. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale } from '../src/cpu/upscale.ts';
import { Engine } from '../src/engine/engine.ts';
import { dat } from '../src/networks/dat.ts';
import type { Network } from '../src/networks/network.ts';
import { srformer, swinir } from '../src/networks/swinir.ts';
import { testGpu } from './gpu.ts';
import { difference, picture } from './pictures.ts';
import { datWeights, weightsOf } from './windowNetworks.ts';

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

describe.each(LOCAL)('%s in tiles', (_, network) => {
  // Neither side is a multiple of the window size, and tiles end within a window.
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

/** Two blocks of each kind. The second block of each kind has shifted windows. */
const dual = dat({
  scale: 2,
  features: 32,
  depths: [4],
  heads: 4,
  split: [4, 8],
  upsampler: 'pixelshuffledirect',
});

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
});
