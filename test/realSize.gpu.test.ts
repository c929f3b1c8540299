/** The memory of networks of attention within windows at their released sizes: CRISPEN_REAL_SIZE=1. */
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

/** Each takes minutes on a software adapter. */
const wanted = process.env.CRISPEN_REAL_SIZE !== undefined;

describe.runIf(wanted)('networks of real size', () => {
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
    900_000,
  );
});

it.skipIf(wanted)('networks of real size: skipped without CRISPEN_REAL_SIZE=1', ({ skip }) =>
  skip(),
);
