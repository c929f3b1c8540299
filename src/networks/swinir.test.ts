import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { multiplyAddsPerPixel, parameterCount, sizeMultiple } from '../graph/analysis.ts';
import { receptiveField, tileOverlap } from '../graph/reach.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { readWeights } from '../weights/read.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { detect, recognise } from './detect.ts';
import { type SwinConfig, srformer, swinir } from './swinir.ts';

const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const folder = join(shared, 'weights/checkpoints2');
if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);

const LIGHT = {
  features: 60,
  depths: [6, 6, 6, 6],
  upsampler: 'pixelshuffledirect',
} as const;
const LARGE = { features: 240, depths: Array(9).fill(6), heads: Array(9).fill(8) };
const REAL = { scale: 4, upsampler: 'nearest+conv' } as const;

describe('SwinIR and SRFormer', () => {
  // The numbers of parameters and of multiply-adds per LR pixel come from the original code of
  // SwinIR and SRFormer.
  it.each<[typeof swinir, string, SwinConfig, number, number]>([
    [swinir, 'light x2', { scale: 2, ...LIGHT }, 910_152, 1_045_620],
    [swinir, 'light x3', { scale: 3, ...LIGHT }, 918_267, 1_053_720],
    [swinir, 'light x4', { scale: 4, ...LIGHT }, 929_628, 1_065_060],
    [swinir, 'M x2', { scale: 2 }, 11_752_487, 12_464_748],
    [swinir, 'M x4', { scale: 4 }, 11_900_199, 13_075_308],
    [swinir, 'M real x4', REAL, 11_715_559, 13_665_132],
    [swinir, 'L real x4', { ...REAL, ...LARGE, threeConvs: true }, 28_013_059, 30_669_552],
    [swinir, 'denoise', { scale: 1 }, 11_504_163, 12_211_560],
    [srformer, 'light x2', { scale: 2, ...LIGHT, window: 16 }, 853_272, 988_020],
    [srformer, 'real x4', REAL, 10_358_863, 13_276_332],
  ])('%o %s has the published size', (build, _, config, parameters, multiplyAdds) => {
    const { graph } = build(config);
    expect(parameterCount(graph)).toBe(parameters);
    expect(multiplyAddsPerPixel(graph)).toBe(multiplyAdds);
  });

  it('pads to whole windows, and reads as far as windows and convolutions do', () => {
    const { graph } = swinir({ scale: 2, ...LIGHT, depths: [2] });
    expect(sizeMultiple(graph)).toBe(8);
    expect(receptiveField(graph)).toEqual({ radius: 2 * 7 + 4, global: false });
    expect(tileOverlap(graph)).toEqual({ overlap: 18, approximate: false });
    expect(tileOverlap(swinir({ scale: 2 }).graph)).toEqual({ overlap: 32, approximate: true });
  });

  it.skipIf(!existsSync(folder)).each<[string, 'swinir' | 'srformer', SwinConfig]>([
    ['swinir_x2_direct_params_zip.pth', 'swinir', { scale: 2, upsampler: 'pixelshuffledirect' }],
    [
      'swinir_x2_direct_nobuffers_params_ema_zip.pth',
      'swinir',
      { scale: 2, upsampler: 'pixelshuffledirect', depths: [2, 2], heads: [3, 3] },
    ],
    [
      'swinir_x4_pixelshuffle_half_params_ema_legacy.pth',
      'swinir',
      { scale: 4, depths: [2, 2], heads: [3, 3] },
    ],
    ['swinir_x3_pixelshuffle_plain_zip.pth', 'swinir', { scale: 3 }],
    [
      'swinir_x4_nearestconv_3conv_half_params_ema_zip.pth',
      'swinir',
      { ...REAL, threeConvs: true, depths: [2, 2], heads: [3, 3] },
    ],
    [
      'swinir_x1_denoise_half_params_legacy.pth',
      'swinir',
      { scale: 1, depths: [2, 2], heads: [3, 3] },
    ],
    [
      'swinir_x1_jpeg_gray_w7_params_zip.pth',
      'swinir',
      { scale: 1, channels: 1, window: 7, depths: [2, 2], heads: [3, 3] },
    ],
    [
      'srformer_x2_direct_half_params_zip.pth',
      'srformer',
      { scale: 2, window: 8, upsampler: 'pixelshuffledirect', depths: [2, 2], heads: [3, 3] },
    ],
    [
      'srformer_x4_nearestconv_half_params_ema_legacy.pth',
      'srformer',
      { ...REAL, window: 8, depths: [2, 2], heads: [3, 3] },
    ],
  ])('is found in %s', async (file, architecture, config) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    const found = detect(tensors, { name: 'renamed-x7.pth' });
    expect(found).toMatchObject({ architecture, scale: config.scale, scaleSource: 'shapes' });
    const sizes = { features: 24, depths: [2], heads: [3], upsamplerFeatures: 16, ...config };
    const own = (architecture === 'swinir' ? swinir : srformer)(sizes);
    // The networks are compared as JSON, because JSON omits functions. Some shapes contain a
    // function `dims`, which is a different object in each network.
    expect(JSON.stringify(found.network)).toBe(JSON.stringify(own));
    for (const { name, shape } of own.graph.weights) {
      expect(found.weights.get(name)?.shape, name).toEqual(shape);
    }
  });

  it.skipIf(!existsSync(folder)).each([
    ['decoy_hat_x2_half_params_zip.pth', /looks like HAT/],
    ['decoy_swin2sr_x2_half_params_zip.pth', /looks like Swin2SR/],
  ])('%s is refused by name', async (file, message) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    expect(() => detect(tensors)).toThrow(message);
  });

  it('files of changed networks are refused', () => {
    const { graph } = swinir({ scale: 2, features: 12, depths: [1], heads: [3] });
    const tensors: TensorMap = new Map(
      graph.weights.map(({ name, shape }) => {
        const length = shape.reduce((a, b) => a * b, 1);
        return [name, fromFloat32(new Float32Array(length), shape, 'f32')] as const;
      }),
    );
    expect(detect(tensors).architecture).toBe('swinir');
    for (const name of [
      'absolute_pos_embed',
      'conv_first.1.weight',
      'patch_embed.proj.weight',
      'layers.0.residual_group.blocks.0.attn.logit_scale',
      'layers.0.residual_group.blocks.0.conv_block.cab.0.weight',
    ]) {
      const changed = new Map(tensors).set(name, fromFloat32(new Float32Array(1), [1], 'f32'));
      expect(() => detect(changed), name).toThrow(
        expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }),
      );
    }
    const table = 'layers.0.residual_group.blocks.0.attn.relative_position_bias_table';
    const odd = new Map(tensors).set(table, fromFloat32(new Float32Array(6), [2, 3], 'f32'));
    expect(() => detect(odd)).toThrow(expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }));
  });
});
