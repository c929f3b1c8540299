import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { interpret } from '../engine/oracle/interpreter.ts';
import { multiplyAddsPerPixel, parameterCount, sizeMultiple } from '../graph/analysis.ts';
import { receptiveField, tileOverlap } from '../graph/reach.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import { readWeights } from '../weights/read.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';
import { type DetectOptions, detect, recognise, scaleInName } from './detect.ts';
import { type Architecture, createNetwork, type NetworkConfigs } from './registry.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const shared = process.env.CRISPEN_SHARED ?? join(root, '../shared');
const CHECKPOINTS = [join(root, 'test/checkpoints'), join(shared, 'weights/checkpoints')];
const GOLDENS = [join(root, 'test/golden'), join(shared, 'golden')];
const official = join(shared, 'weights/official');
for (const folder of [CHECKPOINTS[1], official]) {
  if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);
}
const find = (folders: readonly string[], file: string): string | undefined =>
  folders.map((folder) => join(folder, file)).find((path) => existsSync(path));

const unsupported = (message: RegExp) =>
  expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringMatching(message) });

/**
 * Columns: checkpoint, golden file (with an input and the expected output), architecture, scale,
 * the largest allowed error of the output, and any options for `detect`.
 */
const TABLE: readonly [string, string, string, number, number, DetectOptions?][] = [
  ['compact_x4_params_zip.pth', 'compact_x4_9x8', 'compact', 4, 1e-6],
  ['compact_x2_params_and_ema_legacy.pth', 'compact_x2_11x7', 'compact', 2, 1e-6],
  ['compact_x1_plain_half_zip.pth', 'compact_x1_13x9', 'compact', 1, 1e-4],
  ['compact_x3_params_bf16_zip.pth', 'compact_x3_10x6', 'compact', 3, 1e-3],
  ['compact_x2_noprelu_plain_legacy.pth', 'compact_x2_leakyrelu_9x7', 'compact', 2, 1e-6],
  ['compact_x2_params_views_zip.pth', 'compact_x2_11x7', 'compact', 2, 1e-6],
  ['compact_x2_params_views_legacy.pth', 'compact_x2_11x7', 'compact', 2, 1e-6],
  ['compact_x2_orig_mod_legacy.pth', 'compact_x2_11x7', 'compact', 2, 1e-6],
  ['span_x2_train_params_ema_zip.pth', 'span_x2_11x7', 'span', 2, 5e-5],
  ['span_x2_evalonly_params_zip.pth', 'span_x2_11x7', 'span', 2, 5e-5],
  ['span_x2_nonorm_state_dict_module_legacy.pth', 'span_x2_nonorm_8x6', 'span', 2, 2e-5],
  ['rrdb_x4_oldkeys_half_plain_legacy.pth', 'rrdb_x4_9x7', 'esrgan', 4, 2e-3],
  ['rrdb_x2_trunkkeys_oneup_half_plain_legacy.pth', 'rrdb_x2_oldkeys_9x7', 'esrgan', 2, 2e-3],
  ['rrdb_x4_trunkkeys_half_plain_legacy.pth', 'rrdb_x4_9x7_trunkkeys', 'esrgan', 4, 2e-3],
  ['rrdb_x4_bodykeys_half_params_ema_zip.pth', 'rrdb_x4_9x7', 'esrgan', 4, 2e-3],
  ['rrdb_x2_unshuffle_params_ema_zip.pth', 'rrdb_x2_unshuffle_13x9_pad', 'esrgan', 2, 1e-5],
  ['rrdb_x1_unshuffle_half_params_legacy.pth', 'rrdb_x1_unshuffle_14x11_pad', 'esrgan', 1, 2e-3],
  ['rrdb_x1_oldkeys_module_netG_legacy.pth', 'rrdb_x1_oldkeys_9x7', 'esrgan', 1, 1e-5],
  ['rrdb_x8_oldkeys_half_model_zip.pth', 'rrdb_x8_oldkeys_5x4', 'esrgan', 8, 2e-3],
  ['rrdb_plus_x4_half_plain_legacy.pth', 'rrdb_plus_x4_8x6', 'esrgan', 4, 2e-3],
  ['edsr_x2_plain_legacy.pt', 'edsr_x2_11x7', 'edsr', 2, 1e-3],
  [
    'edsr_x3_model_state_dict_parameters_zip.pt',
    'edsr_x3_9x7',
    'edsr',
    3,
    1e-3,
    { residualScale: 0.5 },
  ],
  [
    'edsr_basicsr_x4_params_zip.pth',
    'edsr_basicsr_x4_8x6',
    'edsr',
    4,
    1e-5,
    { residualScale: 0.1 },
  ],
  ['edsr_x2_range1_double_plain_zip.pt', 'edsr_x2_range1_9x6', 'edsr', 2, 1e-5],
];

describe('small checkpoints: detected, and they compute what they did in PyTorch', () => {
  for (const [file, goldenName, architecture, scale, tolerance, options] of TABLE) {
    const path = find(CHECKPOINTS, file);
    const golden = find(GOLDENS, `${goldenName}.safetensors`);
    it.skipIf(!path || !golden)(file, async () => {
      // `detect` must find the correct scale, although the file name below says x7.
      const { tensors } = await readWeights(readFileSync(path!), recognise);
      const found = detect(tensors, { ...options, name: 'renamed-x7.pth' });
      expect(found).toMatchObject({ architecture, scale });
      const ambiguous = architecture === 'esrgan' && tensors.has('model.0.weight') && scale === 2;
      expect(found.scaleSource).toBe(ambiguous ? 'default' : 'shapes');
      expect(found.network.scale).toBe(scale);

      const { tensors: expected } = readSafetensors(readFileSync(golden!));
      const input = expected.get('input')!;
      const [, , height, width] = input.shape;
      const data = toFloat32(input);
      const traced = await interpret(found.network, found.weights, { width, height, data }, [
        'output',
      ]);
      const want = toFloat32(expected.get('output')!);
      const got = traced.get('output')!;
      expect(got.shape).toEqual(expected.get('output')!.shape.slice(1));
      const worst = want.reduce((most, v, i) => Math.max(most, Math.abs(v - got.data[i])), 0);
      expect(worst).toBeLessThan(tolerance);
    });
  }
});

describe.skipIf(!existsSync(official))('the authors\u2019 checkpoints', () => {
  it.each([
    ['aan_x2.pt', 'a2n', 2],
    ['aan_x3.pt', 'a2n', 3],
    ['a2n_x2_zip.pt', 'a2n', 2],
    ['a2n_x2_f16.safetensors', 'a2n', 2],
    ['PANx2_DF2K.pth', 'pan', 2],
    ['PANx3_DF2K.pth', 'pan', 3],
    ['PANx4_DF2K.pth', 'pan', 4],
    ['pan_x4_zip.pt', 'pan', 4],
    ['pan_x4_legacy_resave.pt', 'pan', 4],
    ['pan_x4_f16.safetensors', 'pan', 4],
    ['a2n_x4_seeded_f32.safetensors', 'a2n', 4],
    ['a2nm_x4_seeded_f32.safetensors', 'a2nm', 4],
  ])('%s', async (file, architecture, scale) => {
    const { tensors } = await readWeights(readFileSync(join(official, file)), recognise);
    const inputRange = architecture === 'pan' ? 1 : 255;
    expect(detect(tensors, { name: file })).toMatchObject({
      architecture,
      scale,
      inputRange,
      inputRangeSource: 'network',
      scaleSource: scale === 4 ? 'shapes' : 'name',
    });
    if (scale === 4) {
      expect(detect(tensors, { name: 'renamed-x2.pth' })).toMatchObject({ scale: 4 });
      expect(() => detect(tensors, { scale: 2 })).toThrow(/enlarges by 4, not by 2/);
      return;
    }
    for (const name of [undefined, 'renamed.pth', 'between-x2-and-x3.pth']) {
      expect(() => detect(tensors, { name })).toThrow(unsupported(/look the same at x2 and x3/));
    }
    const other = scale === 2 ? 3 : 2;
    expect(detect(tensors, { name: file, scale: other, inputRange: 1 })).toMatchObject({
      scale: other,
      scaleSource: 'option',
      inputRange: 1,
      inputRangeSource: 'option',
    });
  });
});

/** Returns tensors for all of a network's weights, filled with zeros. */
function blank(network: {
  graph: { weights: readonly { name: string; shape: readonly number[] }[] };
}): TensorMap {
  return new Map(
    network.graph.weights.map(({ name, shape }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, fromFloat32(new Float32Array(count), shape, 'f16')] as const;
    }),
  );
}

describe('sizes', () => {
  it.each<[Architecture, NetworkConfigs[Architecture]]>([
    ['a2n', { scale: 4, features: 12, upsamplerFeatures: 10, blocks: 3, reduction: 4 }],
    ['a2nm', { scale: 4, features: 7, upsamplerFeatures: 5, blocks: 1, reduction: 2.4 }],
    ['a2n', { scale: 4, features: 8, upsamplerFeatures: 6, blocks: 2, channels: 1 }],
    ['pan', { scale: 4, features: 12, upsamplerFeatures: 6, blocks: 2, channels: 1 }],
    ['compact', { scale: 3, features: 9, blocks: 5, channels: 1 }],
    ['esrgan', { scale: 4, features: 6, growth: 5, blocks: 3, channels: 1 }],
    ['edsr', { scale: 3, features: 5, blocks: 12, channels: 1 }],
  ])('%s %j', (architecture, config) => {
    const network = createNetwork(architecture, config);
    const { network: found } = detect(blank(network));
    expect(found.scale).toBe(config.scale);
    expect(found.graph.weights).toEqual(network.graph.weights);
    expect(multiplyAddsPerPixel(found.graph)).toBe(multiplyAddsPerPixel(network.graph));
  });

  // The last three columns are the number of parameters, the multiply-adds per LR pixel and the
  // reach in LR pixels. Where the authors did not publish one of the first two, we computed it.
  it.each<
    [Architecture, NetworkConfigs[Architecture] & { unshuffle?: number }, number, number, number]
  >([
    ['pan', { scale: 2 }, 261_403, 306_072, 36],
    ['pan', { scale: 3 }, 261_403, 381_312, 35],
    ['pan', { scale: 4 }, 272_419, 488_952, 36],
    ['compact', { scale: 4 }, 621_424, 619_200, 18],
    ['compact', { scale: 4, blocks: 32 }, 1_213_296, 1_209_024, 34],
    ['compact', { scale: 1 }, 595_459, 593_280, 18],
    ['span', { scale: 2 }, 410_700, 409_680, 21],
    ['span', { scale: 4, features: 52 }, 498_208, 497_068, 21],
    ['esrgan', { scale: 4 }, 16_697_987, 17_926_848, 349],
    ['esrgan', { scale: 4, blocks: 6 }, 4_467_779, 5_706_432, 94],
    ['esrgan', { scale: 2, unshuffle: 2 }, 16_703_171, 4_483_008, 698],
    ['esrgan', { scale: 1, unshuffle: 4 }, 16_723_907, 1_122_048, 1396],
    ['edsr', { scale: 2 }, 1_369_859, 1_372_608, 36],
    ['edsr', { scale: 3 }, 1_554_499, 1_565_568, 36],
    ['edsr', { scale: 4 }, 1_517_571, 1_983_168, 36],
    ['edsr', { scale: 4, features: 256, blocks: 32 }, 43_089_923, 50_252_544, 68],
  ])('%s %j', (architecture, config, parameters, multiplyAdds, radius) => {
    const { graph } = createNetwork(architecture, config);
    expect(parameterCount(graph)).toBe(parameters);
    expect(multiplyAddsPerPixel(graph)).toBe(multiplyAdds);
    expect(receptiveField(graph)).toEqual({ radius, global: false });
    expect(sizeMultiple(graph)).toBe(config.unshuffle ?? 1);
    expect(tileOverlap(graph).approximate).toBe(radius > 72);
  });
});

describe('what cannot be told', () => {
  const named = (...names: string[]): TensorMap =>
    new Map(
      names.map((name): [string, Tensor] => [name, fromFloat32(new Float32Array(1), [1], 'f32')]),
    );

  it.each<[string, string[], RegExp]>([
    [
      'another network',
      ['encoder.weight', 'decoder.weight'],
      /not know the network .*2 tensors: encoder/,
    ],
    ['SPANPlus', ['feats.0.weight', 'upsampler.0.weight'], /looks like SPANPlus/],
    ['names full of control characters', ['a\u001b[2J\n'], /a\\u001b\[2J\\n/],
  ])('%s', (_, names, message) => {
    expect(() => detect(named(...names))).toThrow(unsupported(message));
    expect(recognise(named(...names))).toBe(false);
  });

  it('an old ESRGAN of one stage is x2, unless its name or the option says x3', () => {
    const file = find(GOLDENS, 'rrdb_x2_oldkeys_9x7.safetensors');
    if (!file) return;
    const all = readSafetensors(readFileSync(file)).tensors;
    const weights: TensorMap = new Map(
      [...all].filter(([n]) => n.startsWith('weights.')).map(([n, t]) => [n.slice(8), t]),
    );
    expect(detect(weights)).toMatchObject({ scale: 2, scaleSource: 'default' });
    expect(detect(weights, { name: '3x_Old.pth' })).toMatchObject({
      scale: 3,
      scaleSource: 'name',
    });
    expect(detect(weights, { scale: 3 })).toMatchObject({ scale: 3, scaleSource: 'option' });
  });

  it('refuses networks of RGBA and SPAN forks by what they are', () => {
    const rgba = createNetwork('compact', { scale: 2, features: 4, blocks: 1, channels: 4 });
    expect(() => detect(blank(rgba))).toThrow(unsupported(/takes 4 channels/));
    const seven = new Map(blank(createNetwork('span', { scale: 2, features: 4 })));
    seven.set('block_7.c1_r.eval_conv.weight', [...seven.values()][0]);
    expect(() => detect(seven)).toThrow(unsupported(/SPAN of 7 blocks/));
  });
});

it.each([1, 255])('SPAN subtracts the mean from inputs of 0 to %i', (inputRange) => {
  const { graph } = createNetwork('span', { scale: 2, features: 4, inputRange });
  const node = graph.nodes.find(({ name }) => name === 'normalised');
  if (node?.op !== 'affine') throw new Error('The network does not subtract the mean.');
  // White becomes 255 * (1 - mean).
  const white = node.scale.map((gain, c) => gain * inputRange + node.shift[c]);
  [0.5512, 0.5629, 0.596].forEach((value, c) => {
    expect(white[c]).toBeCloseTo(255 * value, 6);
  });
});

it.each([
  ['PANx3_DF2K.pth', [3]],
  ['4x-UltraSharp.pth', [4]],
  ['RealESRGAN_x4plus_anime_6B.pth', [4]],
  ['2xLexicaSwinIR_x2.pth', [2]],
  ['realesr-general-x4v3', [4]],
  ['patch-32x24.pth', []],
  ['12x.pth', []],
  ['x16.pth', []],
  ['model_x2_3x', [2, 3]],
])('the scale in %s', (name, scales) => {
  expect(scaleInName(name)).toEqual(scales);
});
