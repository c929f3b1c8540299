import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { datCheckpoint } from '../cli/golden-dat.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { readWeights } from '../weights/read.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { type DatConfig, dat } from './dat.ts';
import { detect, recognise } from './detect.ts';

const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const folder = join(shared, 'weights/checkpoints2');
if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);

const LIGHT = {
  features: 60,
  depths: [18],
  threeConvs: true,
  upsampler: 'pixelshuffledirect',
} as const;
const SIX = [6, 6, 6, 6, 6, 6];

const count = (shapes: readonly { readonly shape: readonly number[] }[]): number =>
  shapes.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

const unsupported = (message: RegExp) =>
  expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringMatching(message) });

/**
 * Returns a checkpoint's tensors. They contain only zeros, except for `rpe_biases`, which contains
 * the offsets between pixels of a window.
 */
function checkpoint(config: DatConfig) {
  const { split = [8, 32], features = 180 } = config;
  const tensors = new Map(
    datCheckpoint(dat(config).graph.weights, features).map(({ name, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      return [name, fromFloat32(data, shape, 'f32')] as const;
    }),
  );
  const offsets: number[] = [];
  for (let y = 1 - split[0]; y < split[0]; y++) {
    for (let x = 1 - split[1]; x < split[1]; x++) offsets.push(y, x);
  }
  const shape = [offsets.length / 2, 2];
  tensors.set(
    'layers.0.blocks.0.attn.attns.0.rpe_biases',
    fromFloat32(Float32Array.from(offsets), shape, 'f32'),
  );
  return tensors;
}

describe('DAT', () => {
  // The numbers of parameters and multiply-adds come from the authors' code. There, the last layer
  // of a spatial gate has one output channel. This project repeats that channel for all features,
  // so the test subtracts the multiply-adds of the copies.
  it.each<[string, DatConfig, number, number]>([
    ['light x2', { scale: 2, ...LIGHT }, 553_290, 804_695],
    ['light x4', { scale: 4, ...LIGHT }, 572_766, 824_135],
    ['S x4', { scale: 4, split: [8, 16], depths: SIX }, 11_212_131, 12_293_129],
    ['2 x4', { scale: 4, depths: SIX }, 11_212_131, 13_123_834],
    ['x4', { scale: 4, depths: SIX, ratio: 4 }, 14_802_051, 16_681_354],
  ])('%s has the published size', (_, config, parameters, multiplyAdds) => {
    const { graph, windows } = dat(config);
    const { features = 180, depths = SIX } = config;
    const stored = datCheckpoint(graph.weights, features);
    const learned = stored.filter(({ name }) => !/running_(mean|var)$/.test(name));
    expect(count(learned)).toBe(parameters);
    const blocks = depths.reduce((a, b) => a + b, 0);
    const repeated = blocks * Math.floor(features / 16) * (features - 1);
    // `multiplyAddsPerPixel` omits layers that process vectors, because their cost does not grow
    // with the image.
    const share = (multiplyAddsPerPixel(graph) - repeated) / multiplyAdds;
    expect(Math.abs(share - 1)).toBeLessThan(2e-2);
    expect(windows).toBe(config.split?.[1] ?? 32);
  });

  it.skipIf(!existsSync(folder)).each<[string, DatConfig]>([
    [
      'dat_light_x2_params_zip.pth',
      { scale: 2, depths: [4], threeConvs: true, upsampler: 'pixelshuffledirect' },
    ],
    [
      'dat_x4_pixelshuffle_half_params_ema_legacy.pth',
      { scale: 4, depths: [1, 1], upsamplerFeatures: 16 },
    ],
  ])('is found in %s', async (file, config) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    const found = detect(tensors, { name: 'renamed-x7.pth' });
    const { scale } = config;
    expect(found).toMatchObject({ architecture: 'dat', scale, scaleSource: 'shapes' });
    const own = dat({ features: 32, heads: 4, split: [4, 8], ...config });
    // The networks are compared as JSON, which omits functions. Each network has its own `dims`
    // functions for table shapes, and these would not be equal.
    expect(JSON.stringify(found.network)).toBe(JSON.stringify(own));
    for (const { name, shape } of own.graph.weights) {
      expect(found.weights.get(name)?.shape, name).toEqual(shape);
    }
  });

  it.skipIf(!existsSync(folder)).each([
    ['dat_x2_split4x8_nobuffers_half_params_zip.pth', /DAT without the offsets of its windows/],
    ['decoy_rgt_x2_half_params_legacy.pth', /looks like RGT/],
  ])('%s is refused by name', async (file, message) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    expect(() => detect(tensors)).toThrow(unsupported(message));
  });

  it('with damaged offsets or without a norm is refused', () => {
    const config = { scale: 2, features: 32, depths: [2], heads: 4, split: [4, 8] } as const;
    const tensors = checkpoint(config);
    expect(detect(tensors).network.graph.weights).toEqual(dat(config).graph.weights);
    const name = 'layers.0.blocks.0.attn.attns.0.rpe_biases';
    for (const values of [[3.5, 7], [Number.NaN, 7], [7, 3, 1, 1], []]) {
      const offsets = fromFloat32(Float32Array.from(values), [values.length / 2, 2], 'f32');
      expect(() => detect(new Map(tensors).set(name, offsets))).toThrow(unsupported(/windows/));
    }
    const norm = 'layers.0.blocks.0.attn.dwconv.1.running_var';
    tensors.delete(norm);
    expect(() => detect(tensors)).toThrow(unsupported(/lack layers.0.blocks.0.attn.dwconv.1/));
  });

  it('of 140 MB is read without a second copy of its weights', async () => {
    const file = writeSafetensors(checkpoint({ scale: 4, depths: SIX, ratio: 16 }), {});
    expect(file.byteLength).toBeGreaterThan(140e6);
    const { tensors } = await readWeights(file, recognise);
    const found = detect(tensors);
    // `detect` computed those tensors that are not views of the file, for example by folding batch
    // norms into layers.
    const made = [...found.weights.values()].filter(({ bytes }) => bytes.buffer !== file.buffer);
    const bytes = made.reduce((sum, one) => sum + one.bytes.byteLength, 0);
    expect(made.length).toBeGreaterThan(100);
    expect(bytes).toBeLessThan(0.02 * file.byteLength);
  });
});
