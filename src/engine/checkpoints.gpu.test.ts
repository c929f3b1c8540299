import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../test/gpu.ts';
import { difference, picture } from '../../test/pictures.ts';
import { type Detection, detect } from '../networks/detect.ts';
import { createNetwork } from '../networks/registry.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { Engine } from './engine.ts';
import { upscaleOnCpu } from './oracle/interpreter.ts';

/** Reads the weights in a golden file and detects the network that they belong to. */
function golden(name: string): Detection {
  const bytes = new Uint8Array(readFileSync(`test/golden/${name}.safetensors`));
  const weights: TensorMap = new Map(
    [...readSafetensors(bytes).tensors]
      .filter(([key]) => key.startsWith('weights.'))
      .map(([key, tensor]) => [key.slice('weights.'.length), tensor]),
  );
  return detect(weights);
}

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

describe('networks of checkpoints on 8-bit images', () => {
  it.each([
    ['compact_x2_11x7', 19, 13],
    ['compact_x1_13x9', 1, 1],
    ['span_x2_nonorm_8x6', 9, 8],
    ['rrdb_x1_unshuffle_14x11_pad', 14, 11],
    ['rrdb_x1_unshuffle_14x11_pad', 1, 2],
    ['edsr_x3_9x7', 10, 7],
  ])('%s at %i x %i agrees with the CPU, alpha included', async (name, width, height) => {
    const { network, weights } = golden(name);
    const image = picture(width, height, true);
    const model = await engine.loadModel(network, weights);
    const gpu = await engine.upscale(model, image);
    const cpu = await upscaleOnCpu(network, weights, image);
    const { worst, share } = difference(gpu.image, cpu.image);
    expect(worst).toBeLessThanOrEqual(1);
    // Bilinear enlargement by 2 produces alpha values halfway between two integers. The GPU and the
    // CPU can round these differently.
    expect(share).toBeLessThanOrEqual(0.02);
    expect(gpu.report).toMatchObject({ tiles: 1, statistics: 'exact', approximate: false });
    expect(new Set(gpu.image.data).size).toBeGreaterThan(width === 1 ? 1 : 8);
    await engine.unloadModel(model);
  });

  it.each([
    ['compact_x2_11x7', 40, 28],
    // This network processes cells of 2 x 2 pixels. Tiles start at cell boundaries, and the last
    // tiles extend past the image.
    ['rrdb_x2_unshuffle_13x9_pad', 131, 99],
  ])('%s in tiles equals the whole', async (name, width, height) => {
    const { network, weights } = golden(name);
    const image = picture(width, height, true);
    const model = await engine.loadModel(network, weights);
    const whole = await engine.upscale(model, image);
    const tiled = await engine.upscale(model, image, {
      tileSize: name.startsWith('rrdb') ? 45 : 16,
    });
    expect(whole.report.tiles).toBe(1);
    expect(tiled.report.tiles).toBeGreaterThan(3);
    expect(tiled.report.approximate).toBe(false);
    const { worst, share } = difference(tiled.image, whole.image);
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThanOrEqual(0.001);
    await engine.unloadModel(model);
  });

  it('says that tiles are approximate where the reach is impractical', async () => {
    const { network, weights } = golden('rrdb_x1_unshuffle_14x11_pad');
    const image = picture(150, 90, true);
    const model = await engine.loadModel(network, weights);
    const whole = await engine.upscale(model, image);
    const tiled = await engine.upscale(model, image, { tileSize: 70 });
    expect([whole.report.approximate, tiled.report.approximate]).toEqual([false, true]);
    expect(difference(tiled.image, whole.image).worst).toBeLessThanOrEqual(2);
    await engine.unloadModel(model);
  });

  it('runs a network of luma and keeps the colours', async () => {
    const network = createNetwork('compact', { scale: 2, features: 4, blocks: 1, channels: 1 });
    // If all weights are zero, only the skip connection remains. Each result pixel then has the
    // luma of the nearest input pixel. The differences between the colour channels and the luma
    // are interpolated bilinearly.
    const weights: TensorMap = new Map(
      network.graph.weights.map(({ name, shape }) => {
        const count = shape.reduce((a, b) => a * b, 1);
        return [name, fromFloat32(new Float32Array(count), shape, 'f32')] as const;
      }),
    );
    const image = picture(9, 7, true);
    const model = await engine.loadModel(network, weights);
    const gpu = await engine.upscale(model, image);
    const cpu = await upscaleOnCpu(network, weights, image);
    expect(difference(gpu.image, cpu.image).worst).toBeLessThanOrEqual(1);
    const luma = (data: Uint8ClampedArray, i: number) =>
      0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    let off = 0;
    for (let y = 0; y < 14; y++) {
      for (let x = 0; x < 18; x++) {
        const at = (y * 18 + x) * 4;
        const from = ((y >> 1) * 9 + (x >> 1)) * 4;
        // A colour with a channel outside 0..255 is clamped, which changes its luma. All other
        // colours must have the luma of the nearest input pixel.
        const inside = [0, 1, 2].every((c) => gpu.image.data[at + c] % 255 !== 0);
        if (inside && Math.abs(luma(gpu.image.data, at) - luma(image.data, from)) > 1.5) off++;
      }
    }
    expect(off).toBe(0);
    await engine.unloadModel(model);
  });
});
