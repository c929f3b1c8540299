/**
 * Tests the memory use of window attention networks at their released sizes, if CRISPEN_REAL_SIZE=1
 * is set.
 */
import { describe, expect, it } from 'vitest';
import { Engine } from '../src/engine/engine.ts';
import { plannedBytes } from '../src/engine/tile/strips.ts';
import { dat } from '../src/networks/dat.ts';
import type { Network } from '../src/networks/network.ts';
import { swinir } from '../src/networks/swinir.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import { testGpu } from './gpu.ts';
import { picture } from './pictures.ts';
import { datWeights, weightsOf } from './windowNetworks.ts';

const datLight = (scale: number) =>
  dat({
    ...{ scale, features: 60, depths: [18], threeConvs: true },
    upsampler: 'pixelshuffledirect',
  });

function realSize(): [string, Network, TensorMap][] {
  const light = datLight(2);
  const medium = swinir({ scale: 4, upsampler: 'nearest+conv' });
  return [
    ['SwinIR-M', medium, weightsOf(medium)],
    ['DAT-light', light, datWeights(light, 60, [8, 32])],
  ];
}

/**
 * Creates an engine whose buffers are counted. `peak` returns the largest number of bytes that were
 * held at any time.
 */
async function counted(): Promise<{ own: Engine; peak: () => number }> {
  const own = await Engine.create({ gpu: testGpu() });
  const { gpu } = own.device;
  const createBuffer = gpu.createBuffer.bind(gpu);
  let [held, peak] = [0, 0];
  gpu.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    held += descriptor.size;
    peak = Math.max(peak, held);
    const destroy = buffer.destroy.bind(buffer);
    let isHeld = true;
    buffer.destroy = () => {
      if (isHeld) held -= descriptor.size;
      isHeld = false;
      return destroy();
    };
    return buffer;
  };
  return { own, peak: () => peak };
}

/** Each test takes minutes on a software adapter. */
const wanted = process.env.CRISPEN_REAL_SIZE !== undefined;

describe.runIf(wanted)('networks of real size', () => {
  it.each<[string, Network, TensorMap]>(realSize())(
    '%s at 64x64 keeps to its plan',
    async (_, network, weights) => {
      const { own, peak } = await counted();
      const model = await own.loadModel(network, weights);
      const { maps, uniforms } = plannedBytes(own.device, model, { width: 64, height: 64 }, 1);
      const planned = maps + uniforms + model.weights.size;
      const { report, image } = await own.upscale(model, picture(64, 64));
      const seconds = Math.round(report.milliseconds / 1000);
      console.log(
        `${network.architecture}: planned ${planned} bytes, held at most ${peak()}; ${seconds} s, ${report.dispatches} dispatches`,
      );
      expect(report.tiles).toBe(1);
      expect(image.width).toBe(64 * network.scale);
      expect(peak()).toBeLessThan(1.1 * planned);
      expect(peak()).toBeGreaterThan(0.9 * planned);
      own.destroy();
    },
    900_000,
  );

  it.each([
    [512, 512, 2 ** 30, false],
    [320, 64, 2 ** 25, true],
  ])(
    'DAT-light x4 at %d x %d keeps to a budget of %d bytes; in tiles: %s',
    async (width, height, memoryBudget, inTiles) => {
      const light = datLight(4);
      const { own, peak } = await counted();
      const model = await own.loadModel(light, datWeights(light, 60, [8, 32]));
      const { report, image } = await own.upscale(model, picture(width, height), { memoryBudget });
      const seconds = Math.round(report.milliseconds / 1000);
      console.log(`held at most ${peak()} bytes in ${report.tiles} tiles; ${seconds} s`);
      expect([image.width, image.height]).toEqual([4 * width, 4 * height]);
      expect(report.tiles > 1).toBe(inTiles);
      expect(peak()).toBeLessThanOrEqual(memoryBudget);
      expect(peak()).toBeGreaterThan(memoryBudget / 4);
      own.destroy();
    },
    3_600_000,
  );

  it('SwinIR-M x4 at 512x512 has tiles that keep to a budget of 1 GiB', async () => {
    const [[, medium, weights]] = realSize();
    const { own, peak } = await counted();
    const model = await own.loadModel(medium, weights);
    const memoryBudget = 2 ** 30;
    const whole = plannedBytes(own.device, model, { width: 512, height: 512 }, 1);
    expect(whole.maps).toBeGreaterThan(memoryBudget);
    // All tiles use the same buffers, which exist before the first tile is computed. Computing all
    // tiles would take hours here, so the run is cancelled.
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 90_000);
    const { signal } = controller;
    await expect(
      own.upscale(model, picture(512, 512), { memoryBudget, signal }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    console.log(`held at most ${peak()} bytes`);
    expect(peak()).toBeLessThanOrEqual(memoryBudget);
    expect(peak()).toBeGreaterThan(memoryBudget / 2);
    own.destroy();
  }, 900_000);
});

it.skipIf(wanted)('networks of real size: skipped without CRISPEN_REAL_SIZE=1', ({ skip }) =>
  skip(),
);
