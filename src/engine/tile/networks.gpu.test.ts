/**
 * Tests tiling for networks whose group norms or channel attention use means over the whole image.
 * Similar networks that compute no such means are tested too.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference, picture } from '../../../test/pictures.ts';
import { seededWeights } from '../../../test/seeded.ts';
import { CpuModel } from '../../cpu/model.ts';
import { upscale } from '../../cpu/upscale.ts';
import type { Rgba8Image } from '../../image/image.ts';
import type { Network } from '../../networks/network.ts';
import { createNetwork } from '../../networks/registry.ts';
import { fromFloat32, toFloat32 } from '../../weights/convert.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import { Engine } from '../engine.ts';
import { regionOf } from './tiler.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

const plksr = { features: 8, blocks: 2, kernel: 5 } as const;
/**
 * These networks have small receptive fields, so tiles need only a small overlap, and even a small
 * image is divided into several tiles.
 */
const NETWORKS: readonly (readonly [string, Network])[] = [
  ['RealPLKSR', createNetwork('realplksr', { ...plksr, scale: 2, attention: false })],
  ['RealPLKSR with DySample', createNetwork('realplksr', { ...plksr, scale: 2, sampling: 4 })],
  ['RealPLKSR with layer norm', createNetwork('realplksr', { ...plksr, scale: 3, norm: 'layer' })],
  ['MoSR', createNetwork('mosr', { scale: 2, features: 8, blocks: 1 })],
  ['RCAN', createNetwork('rcan', { scale: 2, features: 8, groups: 1, blocks: 2, reduction: 4 })],
  ['Real-CUGAN x3', createNetwork('realcugan', { scale: 3, features: 8 })],
  ['Real-CUGAN x4 pro', createNetwork('realcugan', { scale: 4, features: 8, pro: true })],
  ['PLKSR', createNetwork('plksr', { ...plksr, scale: 4 })],
];

/**
 * Scales seeded weights so that channel attention depends on the means, as in trained networks.
 * With unscaled seeded weights, the means hardly affect the attention.
 */
const strong = (weights: TensorMap): TensorMap =>
  new Map(
    [...weights].map(([name, tensor]) => {
      const gates = /(conv_du\.\d|seblock\.conv\d)\.weight$/.test(name);
      // Some convolutions of Real-CUGAN are scaled too. Otherwise, the input of its channel
      // attention would be so small that the means would hardly affect the attention.
      const inner = /^unet\d\.conv\d(\.conv\.\d)?\.weight$/.test(name);
      const factor = gates ? 8 : inner ? 2 : 1;
      return [
        name,
        fromFloat32(
          toFloat32(tensor).map((v) => v * factor),
          tensor.shape,
          'f32',
        ),
      ];
    }),
  );

/**
 * Creates an image whose parts differ, so that one part's statistics would be wrong for the whole.
 */
function uneven(width: number, height: number): Rgba8Image {
  const image = picture(width, height);
  for (let i = 0; i < image.data.length; i++) {
    const x = (i >> 2) % width;
    if (i % 4 !== 3) image.data[i] *= 0.1 + (0.9 * x) / width;
  }
  return image;
}

describe.each(NETWORKS)('%s in tiles', (_, network) => {
  const pools = network.graph.nodes.some(({ op }) => op === 'globalAveragePool');
  const weights = strong(seededWeights(network));
  const image = uneven(71, 29);

  it('equals the whole on the GPU', async () => {
    const model = await engine.loadModel(network, weights);
    const whole = await engine.upscale(model, image);
    const tiled = await engine.upscale(model, image, { tileSize: 24 });
    expect(whole.report).toMatchObject({ tiles: 1, approximate: false });
    expect(tiled.report).toMatchObject({ approximate: false, statistics: 'exact' });
    expect(tiled.report.tiles).toBeGreaterThan(2);
    expect(tiled.report.tileSize[0]).toBeLessThan(image.width);
    expect(difference(tiled.image, whole.image).worst).toBeLessThanOrEqual(1);
    if (!pools) return;

    const estimated = await engine.upscale(model, image, {
      tileSize: 24,
      statistics: 'estimated',
    });
    expect(estimated.report.statistics).toBe('estimated');
    // The rest of this test shows that the comparison of `tiled` with `whole` above would fail if
    // each tile used its own statistics. The left half of the image has different statistics from
    // the whole image, so upscaling it as a separate image must give a different result.
    const rect = { x: 0, y: 0, width: 36, height: 29 };
    const part = await engine.upscale(model, regionOf(image, rect, 'zero') as Rgba8Image);
    const { scale } = network;
    const inner = { x: 0, y: 0, width: 20 * scale, height: 29 * scale };
    const [own, same] = [part.image, whole.image].map((from) => regionOf(from, inner, 'zero'));
    expect(difference(own as Rgba8Image, same as Rgba8Image).worst).toBeGreaterThan(1);
  });

  it('equals the whole on the CPU, and what the GPU computes', async () => {
    const model = await CpuModel.load(network, weights);
    const whole = await upscale(model, image);
    const tiled = await upscale(model, image, { tileSize: 24 });
    expect(tiled.report).toMatchObject({ approximate: false, statistics: 'exact' });
    expect(tiled.report.tiles).toBeGreaterThan(2);
    expect(difference(tiled.image, whole.image).worst).toBeLessThanOrEqual(1);
    const gpu = await engine.upscale(await engine.loadModel(network, weights), image);
    expect(difference(whole.image, gpu.image).worst).toBeLessThanOrEqual(1);
  });
});
