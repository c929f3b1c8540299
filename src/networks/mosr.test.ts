import { describe, expect, it } from 'vitest';
import { checkpointsOf, detectRenamed, outputDifference } from '../../test/checkpoints2.ts';
import { seededWeights } from '../../test/seeded.ts';
import { multiplyAddsPerPixel, parameterCount } from '../graph/analysis.ts';
import { receptiveField } from '../graph/reach.ts';
import { detect } from './detect.ts';
import { type MosrConfig, mosr } from './mosr.ts';

describe('MoSR', () => {
  // The expected numbers of parameters and of multiply-adds per pixel come from the published code.
  // The upsampler `gps` of that code averages the results of eight convolutions. `mosr` uses a
  // single convolution with the mean of their weights, so the numbers for the other seven are
  // subtracted.
  it.each<[MosrConfig, number, number]>([
    [{ scale: 4, upsampler: 'ps' }, 4_287_600, 4_276_288],
    [
      { scale: 4, upsampler: 'gps' },
      4_481_472 - 7 * 48 * (64 * 9 + 1),
      4_469_824 - 7 * 48 * 64 * 9,
    ],
    [{ scale: 4, upsampler: 'dys', folded: false }, 4_276_611, 4_268_096],
  ])('%j has the published size', (config, parameters, multiplyAdds) => {
    const { graph } = mosr(config);
    expect(parameterCount(graph)).toBe(parameters);
    expect(multiplyAddsPerPixel(graph)).toBe(multiplyAdds);
  });

  it('reaches 5 pixels per block and 4 more', () => {
    const { graph } = mosr({ scale: 2 });
    expect(receptiveField(graph)).toEqual({ radius: 124, global: false });
  });

  it.each(checkpointsOf('mosr'))('$file', async (checkpoint) => {
    const { scale, config } = checkpoint;
    const found = await detectRenamed(checkpoint);
    expect(found).toMatchObject({ architecture: 'mosr', scale, scaleSource: 'shapes' });
    const expected = mosr({
      scale,
      features: config.dim as number,
      blocks: config.blocks as number,
      kernel: config.kernel_size as 7,
      hidden: (config.dim as number) * (config.expansion_ratio as number),
      local: (config.dim as number) * (config.conv_ratio as number),
      upsampler: config.upsampler as 'ps',
    });
    expect(found.network.graph).toEqual(expected.graph);
    const difference = await outputDifference(checkpoint, found);
    expect(difference).toBeLessThan(checkpoint.expected_output_difference + 1e-5);
  });

  it.each([
    [3, 'ps', { local: 12, hidden: 12, kernel: 3 }],
    [1, 'ps', { local: 4 }],
  ] as const)('x%i with %s and %j is read from shapes', (scale, upsampler, sizes) => {
    const network = mosr({ scale, upsampler, features: 8, blocks: 2, ...sizes });
    expect(detect(seededWeights(network)).network.graph).toEqual(network.graph);
  });
});
