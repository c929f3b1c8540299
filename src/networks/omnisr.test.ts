import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { multiplyAddsPerPixel, parameterCount } from '../graph/analysis.ts';
import { readWeights } from '../weights/read.ts';
import { detect, recognise } from './detect.ts';
import { omnisr } from './omnisr.ts';

const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const folder = join(shared, 'weights/checkpoints2');
if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);

describe('OmniSR', () => {
  // The expected numbers of parameters and of multiply-adds per pixel come from the authors' code,
  // for a single tile. `multiplyAddsPerPixel` differs slightly, because it assumes that the
  // smallest maps in the spatial gate are exactly a sixth as wide and high as the tile. In fact,
  // they are a little smaller.
  it.each([
    [1, 779_411, 835_253],
    [2, 784_604, 840_437],
    [3, 793_259, 849_077],
    [4, 805_376, 861_173],
  ])('x%i has the published size', (scale, parameters, multiplyAdds) => {
    const { graph } = omnisr({ scale });
    expect(parameterCount(graph)).toBe(parameters);
    expect(Math.abs(multiplyAddsPerPixel(graph) / multiplyAdds - 1)).toBeLessThan(6e-4);
  });

  it.skipIf(!existsSync(folder)).each([
    ['omnisr_x2_params_zip.pth', { scale: 2, groups: 1 }],
    ['omnisr_x3_nope_module_zip.pth', { scale: 3, groups: 1, blocks: 2, positions: false }],
    ['omnisr_x4_half_totalops_plain_legacy.pth', { scale: 4, groups: 2 }],
  ])('is found in %s', async (file, config) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    const found = detect(tensors, { name: 'renamed-x7.pth' });
    const { scale } = config;
    expect(found).toMatchObject({ architecture: 'omnisr', scale, scaleSource: 'shapes' });
    const own = omnisr({ features: 16, ...config });
    // The networks contain functions that compute the sizes of tables. `toEqual` would compare
    // these functions by identity and fail, so the networks are compared as JSON, which omits
    // functions.
    expect(JSON.stringify(found.network)).toBe(JSON.stringify(own));
    for (const { name, shape } of own.graph.weights) {
      expect(found.weights.get(name)?.shape, name).toEqual(shape);
    }
  });
});
