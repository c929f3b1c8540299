import { describe, expect, it } from 'vitest';
import { checkpointsOf, detectRenamed, outputDifference } from '../../test/checkpoints2.ts';
import { seededWeights } from '../../test/seeded.ts';
import { multiplyAddsPerPixel, parameterCount, sizeMultiple } from '../graph/analysis.ts';
import { receptiveField } from '../graph/reach.ts';
import { detect } from './detect.ts';
import { type RcanConfig, rcan } from './rcan.ts';

/**
 * The number of parameters in two layers of the published network. One subtracts the mean from the
 * input, and the other adds it to the output. `rcan` creates no such layers: if a mean is given, it
 * uses `affine` ops, which have no parameters.
 */
const MEANS = 24;

describe('RCAN', () => {
  // The counts of parameters and of multiply-adds come from the published code.
  it.each<[RcanConfig, number, number]>([
    [{ scale: 2 }, 15_444_667, 15_307_956],
    [{ scale: 3 }, 15_629_307, 15_500_961],
    [{ scale: 4 }, 15_592_379, 15_918_624],
    [{ scale: 1, unshuffle: 4 }, 15_618_275 + MEANS, 996_880],
    [{ scale: 2, unshuffle: 2 }, 15_597_539 + MEANS, 3_981_136],
  ])('%j has the published size', (config, parameters, multiplyAdds) => {
    const { graph } = rcan(config);
    expect(parameterCount(graph) + MEANS).toBe(parameters);
    // The published count includes the channel attention's linear layers, which
    // `multiplyAddsPerPixel` ignores. These layers run only once per image, so their cost per pixel
    // is negligible for a large image.
    expect(Math.abs(multiplyAddsPerPixel(graph) / multiplyAdds - 1)).toBeLessThan(5e-4);
    expect(sizeMultiple(graph)).toBe(config.unshuffle ?? 1);
    expect(receptiveField(graph).global).toBe(true);
  });

  it.each(checkpointsOf('rcan'))('$file', async (checkpoint) => {
    const { scale, config } = checkpoint;
    const found = await detectRenamed(checkpoint);
    expect(found).toMatchObject({ architecture: 'rcan', scale, scaleSource: 'shapes' });
    const expected = rcan({
      scale,
      unshuffle: config.unshuffle as number,
      features: config.num_feat as number,
      groups: config.groups as number,
      blocks: config.blocks as number,
      reduction: config.reduction as number,
      imageRange: config.internal_range as number,
      mean: config.norm ? [0.4488, 0.4371, 0.404] : null,
    });
    expect(found.network.graph.weights).toEqual(expected.graph.weights);
    const kinds = (network: typeof expected) =>
      network.graph.nodes.map(({ op, name }) => [op, name]);
    expect(kinds(found.network)).toEqual(kinds(expected));
    const difference = await outputDifference(checkpoint, found);
    expect(difference).toBeLessThan(checkpoint.expected_output_difference + 1e-5);
  });

  it('is not taken for an EDSR, and scales residuals if asked', () => {
    const weights = seededWeights(rcan({ scale: 2, features: 8, groups: 1, blocks: 1 }));
    const found = detect(weights, { residualScale: 0.5 });
    expect(found).toMatchObject({ architecture: 'rcan', scale: 2, assumptions: [] });
    expect(detect(weights).assumptions).toEqual(['residuals times 1']);
    const add = found.network.graph.nodes.find(({ name }) => name === 'g0.b0.out');
    expect(add).toMatchObject({ op: 'add', factor: 0.5 });
  });
});
