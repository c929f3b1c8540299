/**
 * Tests that a job with values outside the f16 range runs again in f32, and that its report says
 * so.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { requestF16Adapter, testGpu } from '../../test/gpu.ts';
import { seededImage, seededWeights } from '../../test/seeded.ts';
import { Engine } from '../engine/engine.ts';
import { WholeImage } from '../engine/pipeline/wholeImage.ts';
import { compact } from '../networks/compact.ts';
import { edsr } from '../networks/edsr.ts';
import type { Network } from '../networks/network.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { EngineHost } from './host.ts';

const adapter = await requestF16Adapter();
const image = seededImage(16, 12, 1);

const scaled = (weights: TensorMap, factorOf: (name: string) => number): TensorMap =>
  new Map(
    [...weights].map(([name, tensor]) => {
      const values = toFloat32(tensor).map((v) => v * factorOf(name));
      return [name, fromFloat32(values, tensor.shape, 'f32')];
    }),
  );

/**
 * If this network's weights are scaled by `large`, its maps between two convolutions have values
 * above 65504, the largest f16 value.
 */
const compacted = compact({ scale: 2, features: 8, blocks: 2, activation: 'relu' });
const large: Record<string, number> = { 'body.0.weight': 1e5, 'body.2.weight': 1e-5 };

/**
 * If this network's weights are scaled by `small`, its maps between two convolutions have tiny
 * values. In f16, these values are zero.
 */
const faint = edsr({ scale: 2, features: 8, blocks: 1, inputRange: 1 });
const small = (name: string) =>
  name.endsWith('bias')
    ? 0
    : ({ 'head.0.weight': 1e-9, 'tail.0.0.weight': 1e5, 'tail.1.weight': 1e4 }[name] ?? 1);

describe.skipIf(!adapter)('values beyond f16 (skipped without shader-f16)', () => {
  const host = new EngineHost(() => Engine.create({ gpu: testGpu() }));
  afterAll(() => host.destroy());

  const run = async (
    id: string,
    weights: TensorMap,
    wanted: 'f16' | 'f32',
    network: Network = compacted,
    tileSize?: number,
  ) => {
    const whole = new WholeImage({ ...image, depth: 8 }, network.scale);
    const report = await host.upscale(
      `${id} ${wanted}`,
      (isF32) => {
        const precision = isF32 ? 'f32' : wanted;
        return host.model(`${id} ${precision}`, network, weights, { precision });
      },
      image,
      { tileSize },
      ({ data }) => whole.add(data),
    );
    return { report, data: whole.image.data };
  };

  it('are computed in f32', async () => {
    const weights = scaled(seededWeights(compacted), (name) => large[name] ?? 1);
    const half = await run('large', weights, 'f16');
    expect(half.report).toMatchObject({ recovered: ['f16-overflow'], precision: 'f32' });
    const again = await run('large', weights, 'f16');
    expect(again.report).toMatchObject({ recovered: [], precision: 'f32' });
    const full = await run('large', weights, 'f32');
    expect(full.report).toMatchObject({ recovered: [], precision: 'f32' });
    expect(half.data).toEqual(full.data);
    const sound = await run('sound', seededWeights(compacted), 'f16');
    expect(sound.report).toMatchObject({ recovered: [], precision: 'f16' });
  });

  it.each([undefined, 8])('or below it, are computed in f32 (tiles of %s)', async (tileSize) => {
    const weights = scaled(seededWeights(faint), small);
    const id = `faint ${tileSize}`;
    const half = await run(id, weights, 'f16', faint, tileSize);
    expect(half.report).toMatchObject({ recovered: ['f16-blank'], precision: 'f32' });
    const full = await run(id, weights, 'f32', faint, tileSize);
    expect(half.data).toEqual(full.data);
    expect(new Set(full.data).size).toBeGreaterThan(20);
    const again = await run(id, weights, 'f16', faint, tileSize);
    expect(again.report).toMatchObject({ recovered: [], precision: 'f32' });
  });
});
