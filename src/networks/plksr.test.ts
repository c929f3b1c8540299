import { describe, expect, it } from 'vitest';
import { checkpointsOf, detectRenamed, outputDifference } from '../../test/checkpoints2.ts';
import { seededWeights } from '../../test/seeded.ts';
import { interpret } from '../engine/oracle/interpreter.ts';
import { multiplyAddsPerPixel, parameterCount } from '../graph/analysis.ts';
import { receptiveField } from '../graph/reach.ts';
import { detect } from './detect.ts';
import { foldDySample } from './parts/dySample.ts';
import { type PlksrConfig, plksr } from './plksr.ts';

describe('RealPLKSR and PLKSR', () => {
  // The parameter counts and the multiply-adds per pixel come from the published code.
  it.each<[PlksrConfig, number, number]>([
    [{ scale: 1 }, 7_363_715, 7_350_656],
    [{ scale: 2 }, 7_368_908, 7_355_840],
    [{ scale: 4 }, 7_389_680, 7_376_576],
    [{ scale: 2, sampling: 4, folded: false }, 7_369_747, 7_356_752],
    [{ scale: 4, sampling: 4, folded: false }, 7_402_243, 7_391_168],
    [{ scale: 4, blocks: 12, kernel: 13, attention: false }, 2_372_080, 2_367_168],
    [{ scale: 4, features: 96 }, 16_594_896, 16_575_264],
    [{ scale: 4, norm: 'none', mixer: [3, 1] }, 5_551_088, 5_541_568],
  ])('%j has the published size', (config, parameters, multiplyAdds) => {
    const { graph } = plksr(config);
    expect(parameterCount(graph)).toBe(parameters);
    expect(multiplyAddsPerPixel(graph)).toBe(multiplyAdds);
  });

  it.each<[PlksrConfig, number, boolean]>([
    [{ scale: 4, norm: 'layer', attention: false }, 282, false],
    [{ scale: 4, norm: 'layer' }, 310, false],
    [{ scale: 4, norm: 'layer', kernel: 13, blocks: 2 }, 20, false],
    [{ scale: 4, norm: 'none', mixer: [3, 1] }, 282, false],
    [{ scale: 4 }, 310, true],
  ])('%j reaches %i pixels', (config, radius, global) => {
    expect(receptiveField(plksr(config).graph)).toEqual({ radius, global });
  });

  it.each(checkpointsOf('realplksr', 'plksr'))('$file', async (checkpoint) => {
    const { arch, scale, config } = checkpoint;
    const found = await detectRenamed(checkpoint);
    expect(found).toMatchObject({ architecture: arch, scale, scaleSource: 'shapes' });
    const expected = plksr({
      scale,
      features: config.dim as number,
      blocks: config.blocks as number,
      kernel: config.kernel_size as number,
      partial: config.large_kernel_channels as number,
      attention: config.use_ea as boolean,
      norm: arch === 'plksr' ? 'none' : config.layer_norm ? 'layer' : 'group',
      mixer: config.ccm_type === 'CCM' ? [3, 1] : [3, 3],
      sampling: config.dysample ? (config.dysample_groups as number) : null,
    });
    expect(found.network.graph).toEqual(expected.graph);
    const difference = await outputDifference(checkpoint, found);
    expect(difference).toBeLessThan(checkpoint.expected_output_difference + 1e-5);
  });

  it.each([2, 3])(
    'x%i computes the same with the last convolution before the sampling',
    async (scale) => {
      const sizes = { scale, features: 8, blocks: 1, norm: 'layer', sampling: scale + 1 } as const;
      // DySample divides its `3 * scale^2` input channels into groups of equal size. `sampling` is
      // the number of groups.
      const config = { ...sizes, sampling: scale === 3 ? 3 : 4 };
      const [plain, folded] = [false, true].map((folded) => plksr({ ...config, folded }));
      const weights = seededWeights(plain);
      const input = { width: 7, height: 5, data: new Float32Array(105).map((_, i) => Math.sin(i)) };
      const run = async (network: typeof plain, tensors: typeof weights) =>
        (await interpret(network, tensors, input, ['output'])).get('output');
      const expected = await run(plain, weights);
      const actual = await run(folded, foldDySample(weights, 'to_img', config.sampling));
      expect(expected?.data.some((v) => Math.abs(v) > 0.1)).toBe(true);
      expected?.data.forEach((v, i) => {
        expect(actual?.data[i]).toBeCloseTo(v, 5);
      });
    },
  );

  it('is refused with several large kernels, and with one that is too large', () => {
    const weights = seededWeights(plksr({ scale: 2, features: 8, blocks: 2, norm: 'none' }));
    expect(detect(weights)).toMatchObject({ architecture: 'plksr', scale: 2 });
    const conv = weights.get('feats.1.lk.conv.weight');
    if (!conv) throw new Error('no large kernel');
    const sparse = new Map([...weights, ['feats.1.lk.convs.0.weight', conv] as const]);
    expect(() => detect(sparse)).toThrow(expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }));
    const large = seededWeights(plksr({ scale: 2, features: 8, blocks: 2, kernel: 23 }));
    expect(() => detect(large)).toThrow(expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }));
  });
});
